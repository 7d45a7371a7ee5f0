import asyncio

import httpx
import pytest
from litestar import Litestar

from overbookr.database.pool import Pool
from overbookr.users.store import UserStore

from .conftest import PASSWORD, Account, NewEmail

pytestmark = pytest.mark.anyio


def person(email: str, **changes: object) -> dict[str, object]:
    return {"name": "Ada", "email": email, "password": PASSWORD} | changes


async def test_registering(client: httpx.AsyncClient, new_email: NewEmail, users_pool: Pool) -> None:
    email = new_email()
    answer = await client.post("/users/register", json=person(f"  {email.upper()} ", name="  Ada Lovelace "))
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"id", "name", "email", "role", "token", "refresh_token", "created_at", "updated_at"}
    assert (body["name"], body["email"], body["role"]) == ("Ada Lovelace", email, "user")
    assert body["created_at"].endswith("Z")
    assert answer.headers["cache-control"] == "no-store"
    me = await client.get("/users/me", headers={"Authorization": f"Bearer {body['token']}"})
    assert me.json() == {key: body[key] for key in ("id", "name", "email", "role", "created_at", "updated_at")}
    stored = await users_pool.fetchrow("select * from users where user_id = $1", body["id"])
    assert stored is not None
    assert stored["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    tokens = await users_pool.fetch("select * from refresh_tokens where user_id = $1", body["id"])
    assert [len(token["token_hash"]) for token in tokens] == [32]
    assert body["refresh_token"].encode() not in tokens[0]["token_hash"]


async def test_a_known_email_is_taken_in_any_case(account: Account) -> None:
    answer = await account.client.post("/users/register", json=person(account.email.upper()))
    assert answer.status_code == 409
    assert answer.json()["code"] == "email_taken"
    assert account.answer["id"] not in answer.text


async def test_two_at_once_with_one_email(client: httpx.AsyncClient, new_email: NewEmail, users_pool: Pool) -> None:
    email = new_email()
    answers = await asyncio.gather(*(client.post("/users/register", json=person(email)) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    (winner,) = [answer.json() for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "email_taken"
            assert winner["id"] not in answer.text
    assert await users_pool.fetchval("select count(*) from users where email = $1", email) == 1
    assert (await client.get("/users/me", headers={"Authorization": f"Bearer {winner['token']}"})).status_code == 200


async def test_nobody_makes_themselves_an_admin(
    client: httpx.AsyncClient, new_email: NewEmail, account: Account, users_pool: Pool
) -> None:
    email = new_email()
    for role in ("admin", "superuser", ""):
        for headers in ({}, account.header, {"Authorization": "Bearer forged"}):
            answer = await client.post("/users/register", json=person(email, role=role), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")
    for extra in ({"is_admin": True}, {"id": "018f3c1e-0000-7000-8000-000000000001"}, {"token_version": 9}):
        answer = await client.post("/users/register", json=person(email, **extra))
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert await users_pool.fetchval("select count(*) from users where email = $1", email) == 0
    assert (await client.post("/users/register", json=person(email, role="user"))).json()["role"] == "user"


async def test_an_admin_may_make_another(client: httpx.AsyncClient, new_email: NewEmail, store: UserStore) -> None:
    email = new_email()
    await store.ensure_admin(email, PASSWORD, "Root")
    token = (await client.post("/users/login", json={"email": email, "password": PASSWORD})).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    answer = await client.post("/users/register", json=person(new_email(), role="admin"), headers=header)
    assert (answer.status_code, answer.json()["role"]) == (201, "admin")
    answer = await client.post("/users/register", json=person(new_email(), role="owner"), headers=header)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, "$.role")


async def test_open_roles(client: httpx.AsyncClient, new_email: NewEmail, application: Litestar) -> None:
    application.state.open_roles = True
    answer = await client.post("/users/register", json=person(new_email(), role="admin"))
    assert (answer.status_code, answer.json()["role"]) == (201, "admin")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "   "), ("name", "x" * 201), ("name", "a\r\nBcc: all"), ("name", "a\x00b"),
        ("name", "a\u2028b"), ("name", 7), ("name", None),
        ("email", ""), ("email", "ada"), ("email", "@example.org"), ("email", "ada@"), ("email", "a@b@example.org"),
        ("email", "a b@example.org"), ("email", "ada@example.org\r\nBcc: all@example.org"),
        ("email", "ada\x00@example.org"), ("email", "ada@exa\nmple.org"), ("email", "ada@example..org"),
        ("email", ".ada@example.org"), ("email", "ada@-example.org"), ("email", "ada@example"),
        ("email", "\u212aelvin@example.org"), ("email", "ada@ex\u00e4mple.org"), ("email", "<ada@example.org>"),
        ("email", "x" * 65 + "@example.org"), ("email", "a@" + "b" * 60 + ("." + "c" * 60) * 4 + ".org"),
        ("email", ["ada@example.org"]),
        ("password", "1234567"), ("password", "x" * 1025), ("password", ""), ("password", 12345678),
    ],
)  # fmt: skip
async def test_what_is_refused(client: httpx.AsyncClient, new_email: NewEmail, field: str, value: object) -> None:
    answer = await client.post("/users/register", json=person(new_email()) | {field: value})
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["code"] == "invalid_request"
    assert [error["path"] for error in body["errors"]] == [f"$.{field}"]


@pytest.mark.parametrize("field", ["name", "email", "password"])
async def test_what_must_be_there(client: httpx.AsyncClient, new_email: NewEmail, field: str) -> None:
    body = {name: value for name, value in person(new_email()).items() if name != field}
    answer = await client.post("/users/register", json=body)
    assert answer.status_code == 400
    assert field in answer.json()["detail"]


@pytest.mark.parametrize(
    "password",
    ["12345678", "x" * 73, "x" * 1024, "  spaces around  ", "p\x00ssword with a NUL", "p\u00e4ssw\u00f6rd \U0001f512"],
)
async def test_passwords_are_taken_whole(client: httpx.AsyncClient, new_email: NewEmail, password: str) -> None:
    email = new_email()
    assert (await client.post("/users/register", json=person(email, password=password))).status_code == 201

    async def log_in(attempt: str) -> int:
        answer = await client.post("/users/login", json={"email": email, "password": attempt})
        return answer.status_code

    assert await log_in(password) == 200
    for near in (
        password[:-1],
        password[:-1] + "?",
        password.strip() + " ",
        password[:72],
        password.split("\x00", maxsplit=1)[0],
    ):
        if near != password and len(near) <= 1024:
            assert await log_in(near) == 401
