"""HTTP for accounts.

Needs in the application's state: `users: UserStore`, `rate_limits: RateLimits`, `client_addresses:
ClientAddresses`, `open_roles: bool` (whether anybody may register in any role).
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, assert_never
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.datastructures import State
from litestar.params import JSONBody
from litestar.types import Scope

from overbookr.http.addresses import ClientAddresses
from overbookr.http.auth import Principal, optional_principal_of, principal_of
from overbookr.http.problem import invalid_fields, problem
from overbookr.http.rate_limits import RateLimits
from overbookr.ids import new_id
from overbookr.text import described, visible
from overbookr.users.model import (
    EMAIL_LENGTH_MAX,
    EMAIL_PATTERN,
    NAME_LENGTH_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    ROLES,
    BadCredentials,
    ChangePassword,
    ChangePasswordOutcome,
    EmailTaken,
    LoggedIn,
    LogIn,
    LogInOutcome,
    PasswordChanged,
    Refreshed,
    RefreshOutcome,
    RefreshRefused,
    Register,
    Registered,
    RegisterOutcome,
    Session,
    SessionOver,
    User,
    WrongPassword,
    account_faults,
    clean_email,
    clean_name,
    name_fault,
    password_fault,
)
from overbookr.users.store import UserStore
from overbookr.users.tokens import REFRESH_TOKEN_LENGTH_MAX

_TAGS = ["Accounts"]
# Answers with tokens in them belong into no cache (RFC 6749 section 5.1).
NO_STORE = {"Cache-Control": "no-store"}

# For the description of the interface: what the model refuses in a name.
_UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
# Bounds on what is taken in at all. The exact rules are the model's, which trims first.
Name = Annotated[
    str,
    msgspec.Meta(
        max_length=NAME_LENGTH_MAX * 2,
        extra_json_schema=described(minLength=1, maxLength=NAME_LENGTH_MAX, pattern=visible(_UNPRINTABLE)),
    ),
]
Email = Annotated[str, msgspec.Meta(max_length=EMAIL_LENGTH_MAX * 2)]
NewEmail = Annotated[
    str,
    msgspec.Meta(
        max_length=EMAIL_LENGTH_MAX * 2,
        extra_json_schema=described(maxLength=EMAIL_LENGTH_MAX, pattern=EMAIL_PATTERN),
    ),
]
Role = Annotated[str, msgspec.Meta(extra_json_schema=described(enum=list(ROLES)))]
Password = Annotated[str, msgspec.Meta(max_length=PASSWORD_LENGTH_MAX)]
NewPassword = Annotated[str, msgspec.Meta(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX)]


class RegisterRequest(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    email: NewEmail
    password: NewPassword
    role: Role = "user"


class LoginRequest(msgspec.Struct, forbid_unknown_fields=True):
    email: Email
    password: Password


class RefreshRequest(msgspec.Struct, forbid_unknown_fields=True):
    refresh_token: Annotated[str, msgspec.Meta(min_length=1, max_length=REFRESH_TOKEN_LENGTH_MAX)]


class UpdateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A new password needs the current one beside it."""

    name: Name | None = None
    password: NewPassword | None = None
    current_password: Password | None = None


class UserAnswer(msgspec.Struct):
    id: UUID
    name: str
    email: str
    role: str
    created_at: datetime
    updated_at: datetime


class SessionAnswer(UserAnswer):
    """`token` is sent as `Authorization: Bearer` and soon expires; `refresh_token` buys one new pair, once."""

    token: str
    refresh_token: str


class UpdateAnswer(UserAnswer, omit_defaults=True):
    """Has tokens in it only when the password was changed, as that ends all sessions before."""

    token: str | None = None
    refresh_token: str | None = None


@post(
    "/users/register",
    opt={"policy": "anyone", "refusals": ("role_not_allowed", "email_taken", "rate_limited")},
    tags=_TAGS,
    summary="Open an account",
)
async def register(data: JSONBody[RegisterRequest], state: State, scope: Scope) -> Response[SessionAnswer]:
    outcome = await check_and_register(data, state, scope)
    match outcome:
        case Session():
            return Response(_session_answer(outcome), status_code=201, headers=NO_STORE)
        case EmailTaken():
            return problem("email_taken")
        case Response():
            return outcome
        case _:
            assert_never(outcome)


@post(
    "/users/login",
    opt={"policy": "anyone", "reads_principal": False, "refusals": ("bad_credentials", "rate_limited")},
    status_code=200,
    tags=_TAGS,
    summary="Log in",
)
async def log_in(data: JSONBody[LoginRequest], state: State, scope: Scope) -> Response[SessionAnswer]:
    outcome = await check_and_log_in(data, state, scope)
    match outcome:
        case Session():
            return Response(_session_answer(outcome), headers=NO_STORE)
        case BadCredentials():
            return problem("bad_credentials")
        case _:
            assert_never(outcome)


@post(
    "/users/refresh",
    opt={"policy": "anyone", "reads_principal": False, "refusals": ("invalid_refresh_token",)},
    status_code=200,
    tags=_TAGS,
    summary="Exchange a refresh token for a new pair",
)
async def refresh(data: JSONBody[RefreshRequest], state: State) -> Response[SessionAnswer]:
    outcome: RefreshOutcome = await users_of(state).refresh(data.refresh_token)
    match outcome:
        case Refreshed(session):
            return Response(_session_answer(session), headers=NO_STORE)
        case RefreshRefused():
            return problem("invalid_refresh_token")
        case _:
            assert_never(outcome)


@post("/users/logout", opt={"policy": "user"}, status_code=204, tags=_TAGS, summary="End all your sessions at once")
async def log_out(state: State, scope: Scope) -> None:
    await users_of(state).log_out(principal_of(scope).user_id)


@get("/users/me", opt={"policy": "user", "refusals": ("user_not_found",)}, tags=_TAGS, summary="Your account")
async def get_me(state: State, scope: Scope) -> Response[UserAnswer]:
    user = await users_of(state).find(principal_of(scope).user_id)
    return problem("user_not_found") if user is None else Response(UserAnswer(**fields_of(user)))


@patch(
    "/users/me",
    opt={"policy": "user", "refusals": ("wrong_password", "user_not_found", "rate_limited")},
    tags=_TAGS,
    summary="Change your name or password",
)
async def update_me(data: JSONBody[UpdateRequest], state: State, scope: Scope) -> Response[UpdateAnswer]:
    principal, users = principal_of(scope), users_of(state)
    name = None if data.name is None else clean_name(data.name)
    faults = _update_faults(name, data)
    if faults:
        return invalid_fields(faults)
    if data.password is not None and data.current_password is not None:
        command = ChangePassword(principal.user_id, principal.token_version, data.current_password, data.password, name)
        return await _change_password(command, state, _address(state, scope))
    user = await (users.find(principal.user_id) if name is None else users.rename(principal.user_id, name))
    return problem("user_not_found") if user is None else Response(UpdateAnswer(**fields_of(user)))


async def check_and_register(data: RegisterRequest, state: State, scope: Scope) -> Session | EmailTaken | Response[Any]:
    """The new user's session. A response is the refusal of what was sent."""
    await _rate_limits(state).count_registration(_address(state, scope))
    if data.role != "user" and not _may_choose_role(state, optional_principal_of(scope)):
        return problem("role_not_allowed")
    name, email = clean_name(data.name), clean_email(data.email)
    faults = account_faults(name, email, data.password)
    if data.role not in ROLES:
        faults.append(("role", f"must be one of {', '.join(ROLES)}"))
    if faults:
        return invalid_fields((f"$.{field}", fault) for field, fault in faults)
    command = Register(new_id(), name, email, data.password, data.role)
    outcome: RegisterOutcome = await users_of(state).register(command)
    return outcome.session if isinstance(outcome, Registered) else outcome


async def check_and_log_in(data: LoginRequest, state: State, scope: Scope) -> Session | BadCredentials:
    """The session of whoever knows the password, within the limits on guessing."""
    rate_limits, address, email = _rate_limits(state), _address(state, scope), clean_email(data.email)
    await rate_limits.count_login(address)
    if "\0" in email:
        # No text column can hold it, so nobody has it; any other nonsense is simply unknown.
        email = ""
    outcome: LogInOutcome = await users_of(state).log_in(
        LogIn(email, data.password), partial(rate_limits.check_failures, email, address)
    )
    if isinstance(outcome, LoggedIn):
        return outcome.session
    await rate_limits.count_failure(email, address)
    return outcome


async def _change_password(command: ChangePassword, state: State, address: str) -> Response[UpdateAnswer]:
    rate_limits, account = _rate_limits(state), str(command.user_id)
    check = partial(rate_limits.check_failures, account, address)
    outcome: ChangePasswordOutcome = await users_of(state).change_password(command, check)
    match outcome:
        case PasswordChanged(session):
            fields = fields_of(session.user)
            return Response(
                UpdateAnswer(**fields, token=session.access_token, refresh_token=session.refresh_token),
                headers=NO_STORE,
            )
        case WrongPassword():
            await rate_limits.count_failure(account, address)
            return problem("wrong_password")
        case SessionOver():
            return problem("unauthorized")
        case _:
            assert_never(outcome)


def _update_faults(name: str | None, data: UpdateRequest) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if name is not None and (fault := name_fault(name)) is not None:
        faults.append(("$.name", fault))
    if data.password is not None:
        if (fault := password_fault(data.password)) is not None:
            faults.append(("$.password", fault))
        if data.current_password is None:
            faults.append(("$.current_password", "is needed to set a new password"))
    elif data.current_password is not None:
        faults.append(("$.password", "is missing beside current_password"))
    return faults


def _may_choose_role(state: State, principal: Principal | None) -> bool:
    return bool(state.open_roles) or (principal is not None and principal.is_admin)


def users_of(state: State) -> UserStore:
    users: UserStore = state.users
    return users


def _rate_limits(state: State) -> RateLimits:
    rate_limits: RateLimits = state.rate_limits
    return rate_limits


def _address(state: State, scope: Scope) -> str:
    addresses: ClientAddresses = state.client_addresses
    return addresses.of(scope)


def fields_of(user: User) -> dict[str, Any]:
    return {
        "id": user.user_id,
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }


def _session_answer(session: Session) -> SessionAnswer:
    fields = fields_of(session.user)
    return SessionAnswer(**fields, token=session.access_token, refresh_token=session.refresh_token)


routes = [register, log_in, refresh, log_out, get_me, update_me]
