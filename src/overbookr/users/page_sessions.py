"""HTTP for accounts as pages in a browser use them: the refresh token is a cookie that no script can read.

The rules are those of `users.routes`. What differs is where the refresh token travels, and that a browser may ask
twice with the same one: two tabs wake up together, or a page is loaded anew before it has its answer. See
docs/decisions/0027.
"""

from typing import Annotated, Any, Final, Literal, assert_never

import msgspec
from litestar import Response, post
from litestar.datastructures import Cookie, State
from litestar.params import HeaderParameter, JSONBody
from litestar.types import Scope

from overbookr.http.auth import principal_of
from overbookr.http.problem import ProblemResponse, Refused, build_problem, problem
from overbookr.users.model import BadCredentials, EmailTaken, Refreshed, RefreshRefused, Session
from overbookr.users.routes import (
    NO_STORE,
    Email,
    LoginRequest,
    Name,
    NewEmail,
    NewPassword,
    Password,
    RegisterRequest,
    UserAnswer,
    check_and_log_in,
    check_and_register,
    fields_of,
    users_of,
)
from overbookr.users.tokens import REFRESH_TOKEN_LENGTH_MAX

__all__ = ["COOKIE", "COOKIE_PATH", "routes"]

COOKIE: Final = "overbookr_refresh"
COOKIE_PATH: Final = "/users/page"
# A token that was spent so short a time ago was spent by this browser, most likely.
GRACE_SECONDS: Final = 10
_TAGS = ["Accounts"]

# No form and no link of another site can send a header, and no script of one may send this one without our consent.
FromPage = Annotated[
    Literal["1"],
    HeaderParameter(name="Overbookr-Page", description="Sent by our own pages; another site cannot."),
]


class PageRegistration(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    email: NewEmail
    password: NewPassword


class PageLogin(msgspec.Struct, forbid_unknown_fields=True):
    email: Email
    password: Password


class PageSession(UserAnswer):
    """`token` is sent as `Authorization: Bearer`; the refresh token is in the cookie, and only there."""

    token: str


@post(
    "/users/page/register",
    opt={"policy": "anyone", "reads_principal": False, "refusals": ("email_taken", "rate_limited")},
    tags=_TAGS,
    summary="Open an account from a page",
)
async def register_from_page(
    data: JSONBody[PageRegistration], state: State, scope: Scope, page: FromPage
) -> Response[PageSession]:
    outcome = await check_and_register(RegisterRequest(data.name, data.email, data.password), state, scope)
    match outcome:
        case Session():
            return _begun(outcome, state, 201)
        case EmailTaken():
            return problem("email_taken")
        case Response():
            return outcome
        case _:
            assert_never(outcome)


@post(
    "/users/page/login",
    opt={"policy": "anyone", "reads_principal": False, "refusals": ("bad_credentials", "rate_limited")},
    status_code=200,
    tags=_TAGS,
    summary="Log in from a page",
)
async def log_in_from_page(
    data: JSONBody[PageLogin], state: State, scope: Scope, page: FromPage
) -> Response[PageSession]:
    outcome = await check_and_log_in(LoginRequest(data.email, data.password), state, scope)
    match outcome:
        case Session():
            return _begun(outcome, state, 200)
        case BadCredentials():
            return problem("bad_credentials")
        case _:
            assert_never(outcome)


@post(
    "/users/page/refresh",
    opt={"policy": "anyone", "reads_principal": False, "refusals": ("invalid_refresh_token",)},
    status_code=200,
    tags=_TAGS,
    summary="A new access token for a page, by its cookie",
)
async def refresh_from_page(state: State, scope: Scope, page: FromPage) -> Response[PageSession]:
    token = _cookie_of(scope)
    if token is None:
        return _forgotten(state)
    outcome = await users_of(state).refresh(token, grace_seconds=GRACE_SECONDS)
    match outcome:
        case Refreshed(session):
            return _begun(session, state, 200)
        case RefreshRefused():
            return _forgotten(state)
        case _:
            assert_never(outcome)


@post(
    "/users/page/logout",
    opt={"policy": "user"},
    status_code=204,
    tags=_TAGS,
    summary="End all your sessions at once, and forget the cookie",
)
async def log_out_from_page(state: State, scope: Scope, page: FromPage) -> Response[None]:
    await users_of(state).log_out(principal_of(scope).user_id)
    return Response(None, status_code=204, cookies=[_cookie("", 0, state)])


def _begun(session: Session, state: State, status: int) -> Response[PageSession]:
    answer = PageSession(**fields_of(session.user), token=session.access_token)
    cookie = _cookie(session.refresh_token, state.refresh_ttl_seconds, state)
    return Response(answer, status_code=status, headers=NO_STORE, cookies=[cookie])


def _forgotten(state: State) -> Response[Any]:
    """The refusal takes a cookie away that is good for nothing any more, so that it is not sent again."""
    gone = _cookie("", 0, state).to_header(header="")
    return ProblemResponse(build_problem("invalid_refresh_token", headers={"Set-Cookie": gone, **NO_STORE}))


def _cookie(value: str, seconds: int, state: State) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=value,
        path=COOKIE_PATH,
        max_age=seconds,
        httponly=True,
        samesite="strict",
        # Behind TLS only: on plain HTTP, such as in a house without a certificate, browsers drop such a cookie.
        secure=state.is_secure,
    )


def _cookie_of(scope: Scope) -> str | None:
    found: list[str] = []
    for name, value in scope["headers"]:
        if name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, token = pair.strip().partition("=")
                if key == COOKIE:
                    found.append(token.strip('"'))
    if len(found) > 1:
        # Somebody has put one beside ours; whose account would it be?
        raise Refused("invalid_request", "there are several cookies of one name")
    return found[0] if found and 0 < len(found[0]) <= REFRESH_TOKEN_LENGTH_MAX else None


routes = [register_from_page, log_in_from_page, refresh_from_page, log_out_from_page]
