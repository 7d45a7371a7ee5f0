"""Login, refresh, logout and password changes."""

import asyncio
import time
from uuid import UUID

import httpx
import jwt
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from overbookr.database.pool import Pool
from overbookr.database.sql import load_queries
from overbookr.http.rate_limits import RateLimits
from overbookr.users.duties import ForgetExpiredTokens
from overbookr.users.passwords import Passwords
from overbookr.users.store import UserStore
from overbookr.users.tokens import hash_refresh_token

from .conftest import PASSWORD, SECRET, Account, NewEmail

pytestmark = pytest.mark.anyio


async def somebody_waits(pool: Pool, task: "asyncio.Task[httpx.Response]") -> None:
    """Until a session of this database waits for a lock; the task is what should cause it."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    deadline = time.monotonic() + 10
    while await pool.fetchval(waiting) == 0:
        assert time.monotonic() < deadline, "nothing waits for a lock"
        assert not task.done()
        await asyncio.sleep(0.01)


async def test_logging_in(account: Account) -> None:
    answer = await account.log_in()
    assert answer.status_code == 200
    assert set(answer.json()) == set(account.answer)
    assert answer.headers["cache-control"] == "no-store"
    assert (await account.me(answer.json()["token"])).status_code == 200
    answer = await account.client.post(
        "/users/login/", json={"email": f" {account.email.upper()} ", "password": PASSWORD}
    )
    assert answer.status_code == 200


async def test_an_unknown_email_and_a_wrong_password_look_the_same(account: Account, new_email: NewEmail) -> None:
    unknown = [new_email(), "", "no e-mail at all", "a\x00b@example.org", "\U0001f512@example.org"]
    answers = [await account.log_in("wrong password")]
    for email in unknown:
        answers.append(await account.client.post("/users/login", json={"email": email, "password": PASSWORD}))
    bodies = []
    for answer in answers:
        assert answer.status_code == 401
        body = answer.json()
        assert body.pop("instance") == answer.headers["x-request-id"]
        bodies.append(
            (body, {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")})
        )
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0][0]["code"] == "bad_credentials"


async def test_an_unknown_email_takes_as_long(account: Account, new_email: NewEmail) -> None:
    async def seconds(email: str) -> float:
        started = time.perf_counter()
        await account.client.post("/users/login", json={"email": email, "password": "wrong password"})
        return time.perf_counter() - started

    known, unknown = [], []
    for _ in range(15):
        known.append(await seconds(account.email))
        unknown.append(await seconds(new_email()))
    # Without the work for nobody, the answer would come in a tenth of the time.
    assert 0.5 < min(unknown) / min(known) < 2.0


async def test_access_tokens_carry_no_role_and_expire(account: Account) -> None:
    claims = jwt.decode(account.token, SECRET, algorithms=["HS256"], audience="overbookr")
    assert set(claims) == {"iss", "aud", "sub", "jti", "typ", "iat", "exp", "ver"}
    assert claims["exp"] - claims["iat"] == 900
    assert claims["sub"] == account.answer["id"]


async def test_refreshing_rotates(account: Account) -> None:
    first = await account.refresh()
    assert first.status_code == 200
    assert set(first.json()) == set(account.answer)
    assert first.json()["refresh_token"] != account.refresh_token
    assert (await account.me(first.json()["token"])).status_code == 200
    second = await account.refresh(first.json()["refresh_token"])
    assert second.status_code == 200


async def test_reuse_ends_the_whole_family_and_no_other(account: Account) -> None:
    other = (await account.log_in()).json()["refresh_token"]
    successor = (await account.refresh()).json()["refresh_token"]
    answer = await account.refresh()
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")
    assert (await account.refresh(successor)).status_code == 401
    assert (await account.refresh(other)).status_code == 200


async def test_of_fifty_refreshes_at_once_one_wins(account: Account, users_pool: Pool) -> None:
    answers = await asyncio.gather(*(account.refresh() for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 49
    (winner,) = [answer.json()["refresh_token"] for answer in answers if answer.status_code == 200]
    # The other 49 were reuse.
    assert (await account.refresh(winner)).status_code == 401
    alive = "select count(*) from refresh_tokens where user_id = $1 and used_at is null and revoked_at is null"
    assert await users_pool.fetchval(alive, account.answer["id"]) == 0


async def test_a_thief_racing_the_owner_down_the_chain_is_thrown_out(account: Account) -> None:
    """While one side keeps refreshing, the old token is shown again and again; no branch of the family survives it."""
    current, alive = account.refresh_token, []
    for _ in range(8):
        results = await asyncio.gather(account.refresh(current), account.refresh())
        fresh = [answer.json()["refresh_token"] for answer in results if answer.status_code == 200]
        alive.extend(fresh)
        if not fresh:
            break
        current = fresh[0]
    for token in alive:
        assert (await account.refresh(token)).status_code == 401


async def test_reuse_also_ends_what_is_being_issued_meanwhile(account: Account, users_pool: Pool) -> None:
    """A refresh of the successor has not committed when the old token is shown: its new token must die as well."""
    queries = load_queries("overbookr.users")
    successor = (await account.refresh()).json()["refresh_token"]
    async with users_pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        user = await connection.fetchrow(queries.lock_owner_of_refresh_token, hash_refresh_token(successor))
        spent = await connection.fetchrow(queries.use_refresh_token, hash_refresh_token(successor), 0)
        assert user is not None
        assert spent is not None
        newest = hash_refresh_token("newest")
        await connection.execute(queries.insert_refresh_token, newest, spent["family_id"], user["user_id"], 3600.0)
        reuse = asyncio.create_task(account.refresh())
        await somebody_waits(users_pool, reuse)
        await transaction.commit()
    assert (await reuse).status_code == 401
    assert (await account.refresh("newest")).status_code == 401
    await users_pool.execute("delete from refresh_tokens where token_hash = $1", newest)


@pytest.mark.parametrize("token", ["x", "x" * 128, "\x00", "\u00e9", "a b"])
async def test_unknown_refresh_tokens(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.post("/users/refresh", json={"refresh_token": token})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")


async def test_an_expired_refresh_token(account: Account, users_pool: Pool, store: UserStore) -> None:
    token_hash = hash_refresh_token(account.refresh_token)
    change = "update refresh_tokens set expires_at = clock_timestamp() + $2::text::interval where token_hash = $1"
    await users_pool.execute(change, token_hash, "-1 second")
    assert (await account.refresh()).status_code == 401
    duty = ForgetExpiredTokens(store)
    await duty.run_once()
    count = "select count(*) from refresh_tokens where token_hash = $1"
    assert await users_pool.fetchval(count, token_hash) == 1
    await users_pool.execute(change, token_hash, "-25 hours")
    assert await duty.run_once() == 1
    assert await users_pool.fetchval(count, token_hash) == 0
    assert await duty.run_once() == 0


async def test_logout_ends_every_session_at_once(account: Account) -> None:
    other = (await account.log_in()).json()
    assert (await account.me(other["token"])).status_code == 200
    answer = await account.client.post("/users/logout", headers=account.header)
    assert (answer.status_code, answer.content) == (204, b"")
    for token in (account.token, other["token"]):
        answer = await account.me(token)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    for token in (account.refresh_token, other["refresh_token"]):
        assert (await account.refresh(token)).status_code == 401
    assert (await account.client.post("/users/logout", headers=account.header)).status_code == 401
    again = (await account.log_in()).json()
    assert (await account.me(again["token"])).status_code == 200


async def test_a_new_role_counts_from_the_next_request(account: Account, users_pool: Pool) -> None:
    assert (await account.me()).json()["role"] == "user"
    # Another process writes it; nothing of this one knows.
    await users_pool.execute("update users set role = 'admin' where user_id = $1", account.answer["id"])
    body = {"name": "B", "email": f"b-{account.email}", "password": PASSWORD, "role": "admin"}
    assert (await account.client.post("/users/register", json=body, headers=account.header)).status_code == 201
    await users_pool.execute("update users set role = 'user' where user_id = $1", account.answer["id"])
    body["email"] = f"c-{account.email}"
    assert (await account.client.post("/users/register", json=body, headers=account.header)).status_code == 403


async def test_me_needs_a_token(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.get("/users/me"),
        await client.patch("/users/me", json={"name": "x"}),
        await client.post("/users/logout"),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_renaming(account: Account) -> None:
    answer = await account.client.patch("/users/me", json={"name": "  Grace "}, headers=account.header)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"id", "name", "email", "role", "created_at", "updated_at"}
    assert body["name"] == "Grace"
    assert body["updated_at"] > account.answer["updated_at"]
    assert (await account.me()).json() == body
    assert (await account.client.patch("/users/me", json={}, headers=account.header)).json() == body


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": " "}, "$.name"),
        ({"name": "a\r\nb"}, "$.name"),
        ({"password": "new password"}, "$.current_password"),
        ({"current_password": PASSWORD}, "$.password"),
        ({"password": "short", "current_password": PASSWORD}, "$.password"),
        ({"role": "admin"}, "$"),
        ({"email": "other@example.org"}, "$"),
    ],
)
async def test_changes_that_are_refused(account: Account, change: dict[str, str], path: str) -> None:
    answer = await account.client.patch("/users/me", json=change, headers=account.header)
    assert answer.status_code == 400, answer.text
    assert [error["path"] for error in answer.json()["errors"]] == [path]
    assert (await account.me()).json()["name"] == "Ada"


async def test_changing_the_password(account: Account) -> None:
    other = (await account.log_in()).json()
    change = {"password": "a new password", "current_password": "not this one"}
    answer = await account.client.patch("/users/me", json=change, headers=account.header)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
    assert (await account.me()).status_code == 200
    change = {"password": "a new password", "current_password": PASSWORD, "name": "Grace"}
    answer = await account.client.patch("/users/me", json=change, headers=account.header)
    assert answer.status_code == 200
    fresh = answer.json()
    assert fresh["name"] == "Grace"
    for token in (account.token, other["token"]):
        assert (await account.me(token)).status_code == 401
    for token in (account.refresh_token, other["refresh_token"]):
        assert (await account.refresh(token)).status_code == 401
    assert (await account.me(fresh["token"])).status_code == 200
    assert (await account.refresh(fresh["refresh_token"])).status_code == 200
    assert (await account.log_in()).status_code == 401
    assert (await account.log_in("a new password")).status_code == 200


async def test_two_password_changes_at_once(account: Account) -> None:
    async def change(password: str) -> int:
        body = {"password": password, "current_password": PASSWORD}
        return (await account.client.patch("/users/me", json=body, headers=account.header)).status_code

    results = await asyncio.gather(*(change(f"password {number}") for number in range(4)))
    assert sorted(results) == [200, 401, 401, 401]
    winner = results.index(200)
    assert (await account.log_in(f"password {winner}")).status_code == 200


async def test_a_login_under_way_does_not_survive_a_password_change(account: Account, users_pool: Pool) -> None:
    """The password is right when read and changed before the session is kept: the login waits, and is refused."""
    async with users_pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "update users set token_version = token_version + 1 where user_id = $1", account.answer["id"]
        )
        login = asyncio.create_task(account.log_in())
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        deadline = time.monotonic() + 10
        while await users_pool.fetchval(waiting) == 0:
            assert time.monotonic() < deadline, "the login did not wait for the change"
            assert not login.done()
            await asyncio.sleep(0.01)
        await transaction.commit()
    assert (await login).status_code == 401


async def test_hashes_with_older_parameters_are_renewed(account: Account, users_pool: Pool) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    user_id = account.answer["id"]
    await users_pool.execute("update users set password_hash = $2 where user_id = $1", user_id, weak)
    assert (await account.log_in("wrong password")).status_code == 401
    assert await users_pool.fetchval("select password_hash from users where user_id = $1", user_id) == weak
    assert (await account.log_in()).status_code == 200
    renewed = await users_pool.fetchval("select password_hash from users where user_id = $1", user_id)
    assert "m=19456,t=2,p=1" in renewed
    assert (await account.log_in()).status_code == 200


async def test_guessing_is_limited(account: Account, application: Litestar) -> None:
    application.state.rate_limits = RateLimits(enabled=True)
    answers = await asyncio.gather(*(account.log_in(f"guess {number}") for number in range(25)))
    evaluated = [answer for answer in answers if answer.status_code == 401]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert 5 <= len(evaluated) <= 6
    assert len(evaluated) + len(limited) == 25
    for answer in limited:
        assert answer.json()["code"] == "rate_limited"
        assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_logins_that_succeed_are_not_counted_as_failures(account: Account, application: Litestar) -> None:
    application.state.rate_limits = RateLimits(enabled=True)
    answers = await asyncio.gather(*(account.log_in() for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_full_queue_of_passwords_answers_busy(
    users_pool: Pool, application: Litestar, account: Account, store: UserStore
) -> None:
    crowded = Passwords(queue_max=3)
    application.state.users = UserStore(users_pool, crowded, store._issuer)
    answers = await asyncio.gather(*(account.log_in() for _ in range(30)))
    crowded.close()
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["code"] == "busy"
            assert answer.headers["retry-after"] == "1"


async def test_standings_come_in_the_order_asked(store: UserStore, account: Account) -> None:
    known, unknown = UUID(account.answer["id"]), UUID(int=7)
    assert await store.read_standings([unknown, known, known]) == [None, (1, "user"), (1, "user")]
