"""Sessions of pages: a cookie that no script can read, and that no other site can use."""

from http.cookies import Morsel, SimpleCookie

import httpx
import pytest
from litestar import Litestar

from overbookr.database.pool import Pool
from overbookr.users.page_sessions import COOKIE, GRACE_SECONDS
from overbookr.users.tokens import hash_refresh_token

from .conftest import PASSWORD, Account, NewEmail

pytestmark = pytest.mark.anyio

FROM_PAGE = {"Overbookr-Page": "1"}


def cookie_of(answer: httpx.Response) -> "Morsel[str]":
    cookie: SimpleCookie = SimpleCookie(answer.headers["set-cookie"])
    return cookie[COOKIE]


async def log_in(account: Account) -> httpx.Response:
    body = {"email": account.email, "password": PASSWORD}
    answer = await account.client.post("/users/page/login", json=body, headers=FROM_PAGE)
    account.client.cookies.clear()
    return answer


async def refresh(client: httpx.AsyncClient, token: str | None, headers: dict[str, str] = FROM_PAGE) -> httpx.Response:
    sent = headers | ({} if token is None else {"Cookie": f"other=1; {COOKIE}={token}"})
    answer = await client.post("/users/page/refresh", headers=sent)
    client.cookies.clear()
    return answer


async def test_the_refresh_token_is_in_a_cookie_and_nowhere_else(account: Account) -> None:
    answer = await log_in(account)
    assert answer.status_code == 200
    assert set(answer.json()) == set(account.answer) - {"refresh_token"}
    cookie = cookie_of(answer)
    assert cookie.value
    assert cookie.value not in answer.text
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "strict"
    assert cookie["path"] == "/users/page"
    assert int(cookie["max-age"]) == 3600
    assert answer.headers["cache-control"] == "no-store"
    assert (await account.me(answer.json()["token"])).status_code == 200


async def test_registering_from_a_page_begins_a_session(client: httpx.AsyncClient, new_email: NewEmail) -> None:
    body = {"name": "Ada", "email": new_email(), "password": PASSWORD}
    answer = await client.post("/users/page/register", json=body, headers=FROM_PAGE)
    assert answer.status_code == 201
    assert "refresh_token" not in answer.json()
    assert (await refresh(client, cookie_of(answer).value)).status_code == 200
    again = await client.post("/users/page/register", json=body, headers=FROM_PAGE)
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")
    assert "set-cookie" not in again.headers
    as_admin = await client.post("/users/page/register", json=body | {"role": "admin"}, headers=FROM_PAGE)
    assert as_admin.status_code == 400


async def test_a_refresh_changes_the_cookie(account: Account) -> None:
    first = cookie_of(await log_in(account)).value
    answer = await refresh(account.client, first)
    assert answer.status_code == 200
    second = cookie_of(answer).value
    assert second != first
    assert (await account.me(answer.json()["token"])).status_code == 200


async def test_two_tabs_may_wake_up_together(account: Account, users_pool: Pool) -> None:
    first = cookie_of(await log_in(account)).value
    answers = [await refresh(account.client, first) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    await users_pool.execute(
        "update refresh_tokens set used_at = used_at - make_interval(secs => $2) where token_hash = $1",
        hash_refresh_token(first),
        GRACE_SECONDS,
    )
    stolen = await refresh(account.client, first)
    assert (stolen.status_code, stolen.json()["code"]) == (401, "invalid_refresh_token")
    # The family is dead: none of the three that were given out is good any more.
    for answer in answers:
        assert (await refresh(account.client, cookie_of(answer).value)).status_code == 401


async def test_the_api_gives_no_such_grace(account: Account) -> None:
    assert (await account.refresh()).status_code == 200
    assert (await account.refresh()).status_code == 401


async def test_a_cookie_that_is_good_for_nothing_is_taken_away(client: httpx.AsyncClient) -> None:
    for token in (None, "nonsense", "x" * 4000):
        answer = await refresh(client, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")
        assert cookie_of(answer).value == ""
        assert cookie_of(answer)["max-age"] == "0"


async def test_without_the_header_of_our_pages_nothing_happens(account: Account) -> None:
    token = cookie_of(await log_in(account)).value
    body = {"email": account.email, "password": PASSWORD}
    for headers in ({}, {"Overbookr-Page": "2"}):
        for path in ("login", "register", "refresh"):
            sent = headers | {"Cookie": f"{COOKIE}={token}"}
            answer = await account.client.post(f"/users/page/{path}", json=body, headers=sent)
            assert answer.status_code == 400, (path, answer.text)
            assert "set-cookie" not in answer.headers
    assert (await refresh(account.client, token)).status_code == 200


async def test_two_cookies_of_the_name_are_refused(account: Account) -> None:
    token = cookie_of(await log_in(account)).value
    answer = await account.client.post(
        "/users/page/refresh", headers=FROM_PAGE | {"Cookie": f"{COOKIE}=planted; {COOKIE}={token}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_logging_out_ends_the_session_and_takes_the_cookie(account: Account) -> None:
    answer = await log_in(account)
    token, cookie = answer.json()["token"], cookie_of(answer).value
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await account.client.post("/users/page/logout", headers=bearer)).status_code == 400
    out = await account.client.post("/users/page/logout", headers=FROM_PAGE | bearer)
    assert out.status_code == 204
    assert cookie_of(out).value == ""
    assert cookie_of(out)["path"] == "/users/page"
    assert (await account.me(token)).status_code == 401
    assert (await refresh(account.client, cookie)).status_code == 401


async def test_behind_tls_the_cookie_is_for_tls_only(application: Litestar, account: Account) -> None:
    assert not cookie_of(await log_in(account))["secure"]
    application.state.is_secure = True
    assert cookie_of(await log_in(account))["secure"]
