"""Who is asking: bearer tokens, the standing of their users, and each route's policy.

A route says who may use it with `opt={"policy": "anyone" | "user" | "admin"}`; one that says nothing keeps the
application from starting. A policy of "anyone" may add `"reads_principal": False`: the token is then not looked at,
and the request costs no database read. A policy of "user" may add `"standing": ASKED_BY_COMMAND`: the command that the
route gives to the write path then carries the token version, and the transaction that decides asks for the standing.
"""

import hmac
import re
import time
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, cast

import msgspec
from litestar import Litestar
from litestar.handlers import ASGIRouteHandler, BaseRouteHandler, HTTPRouteHandler, WebsocketRouteHandler
from litestar.response import Response
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import UNSET, UnsetType

from overbookr.http.problem import MEDIA_TYPE, build_problem, problem

ALGORITHM: Final = "HS256"
ISSUER: Final = "overbookr"
AUDIENCE: Final = "overbookr"
TOKEN_USE: Final = "access"
TOKEN_TYPE: Final = "at+jwt"
POLICIES: Final = frozenset({"anyone", "user", "admin"})
# The routes' `standing`: it is not asked for in the middleware, since the transaction that decides does.
ASKED_BY_COMMAND: Final = "asked by the command"

# Clocks of the machines that issue and verify may differ by this much, in seconds.
_CLOCK_SKEW = 30
# An HS256 signature is 43 base64url characters, the last of which carries four bits; Python's decoder would also take
# other spellings of the same bytes, and one token must not have several.
_TOKEN_SHAPE = re.compile(rb"[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]{1,1024}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

# The token version and the role a user has now, or None for a user who is gone.
Standing = tuple[int, str]
ReadStanding = Callable[[uuid.UUID], Awaitable[Standing | None]]


class Principal(msgspec.Struct, frozen=True):
    """The user a request acts for, with the role they have at this moment: None where the command asks for it."""

    user_id: uuid.UUID
    role: str | None
    token_version: int

    @property
    def is_admin(self) -> bool:
        if self.role is None:
            raise RuntimeError("nobody has asked for this user's role yet")
        return self.role == "admin"


class Claims(msgspec.Struct):
    """What a verified token says. The role is not in here: it is read anew each time.

    `is_over`: the database has said that the user has another token version by now. Versions only grow, so it stays.
    """

    user_id: uuid.UUID
    token_version: int
    expires_at: int
    is_over: bool = False


class TokenVerifier:
    """Checks access tokens, and remembers those found good until they expire."""

    def __init__(self, secret: bytes, *, remember: int = 20_000) -> None:
        self._secret = secret
        self._remember = remember
        self._good: dict[bytes, Claims] = {}

    def verify(self, token: bytes) -> Claims | None:
        """The claims of a token that is genuine, has not expired and is not known to be over, else None."""
        now = time.time()
        claims = self._good.get(token)
        if claims is not None:
            if now < claims.expires_at:
                return None if claims.is_over else claims
            del self._good[token]
            return None
        claims = self._examine(token, now)
        if claims is not None:
            while len(self._good) >= self._remember:
                self._good.pop(next(iter(self._good)))
            self._good[token] = claims
        return claims

    def _examine(self, token: bytes, now: float) -> Claims | None:
        # There is one algorithm and one key, so the signature is compared before anything of the token is read; see
        # docs/decisions/0017.
        if _TOKEN_SHAPE.fullmatch(token) is None:
            return None
        signed, _, signature = token.rpartition(b".")
        expected = urlsafe_b64encode(hmac.digest(self._secret, signed, "sha256")).rstrip(b"=")
        return _read_claims(signed, now) if hmac.compare_digest(expected, signature) else None


class _Header(msgspec.Struct):
    alg: str
    typ: str
    crit: Any = UNSET


class _Payload(msgspec.Struct):
    iss: str
    aud: str
    sub: str
    jti: str
    typ: str
    iat: int
    exp: int
    ver: int
    nbf: int | UnsetType = UNSET


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_payload = msgspec.json.Decoder(_Payload).decode


def _read_claims(signed: bytes, now: float) -> Claims | None:
    """What header and payload say, if they are those of an access token that is good at this moment."""
    head, _, body = signed.partition(b".")
    try:
        header, payload = _decode_header(_unpadded(head)), _decode_payload(_unpadded(body))
    except (ValueError, RecursionError):
        return None
    is_ours = (header.alg, header.typ, payload.typ) == (ALGORITHM, TOKEN_TYPE, TOKEN_USE) and header.crit is UNSET
    is_for_us = (payload.iss, payload.aud) == (ISSUER, AUDIENCE)
    not_before = payload.nbf if isinstance(payload.nbf, int) else payload.iat - _CLOCK_SKEW
    is_in_time = payload.exp > now >= not_before and payload.iat <= now + _CLOCK_SKEW
    user_id = _user_id_of(payload.sub)
    if not (is_ours and is_for_us and is_in_time) or user_id is None:
        return None
    return Claims(user_id, payload.ver, payload.exp)


def _unpadded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _user_id_of(subject: str) -> uuid.UUID | None:
    try:
        user_id = uuid.UUID(subject)
    except ValueError:
        return None
    return user_id if str(user_id) == subject else None


class PrincipalMiddleware:
    """Puts the principal into the scope and enforces the policy of the route. Runs after routing, on bytes alone.

    `read_standing` is asked at each request, so a logout or a new role counts from the next request on, whichever
    process served it.
    """

    def __init__(self, app: ASGIApp, verifier: TokenVerifier, read_standing: ReadStanding) -> None:
        self._app = app
        self._verify = verifier.verify
        self._read_standing = read_standing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = cast("BaseRouteHandler", scope["route_handler"])
        policy = policy_of(handler)
        fields = cast("dict[str, Any]", scope)
        fields["user"] = principal = None
        if policy == "anyone" and not handler.opt.get("reads_principal", True):
            await self._app(scope, receive, send)
            return
        token, given = bearer_token(scope["headers"])
        claims = self._verify(token) if token is not None else None
        if claims is not None and handler.opt.get("standing") == ASKED_BY_COMMAND:
            fields["user"] = Principal(claims.user_id, None, claims.token_version)
            fields["claims"] = claims
            await self._app(scope, receive, send)
            return
        if claims is not None:
            standing = await self._read_standing(claims.user_id)
            if standing is not None and standing[0] == claims.token_version:
                fields["user"] = principal = Principal(claims.user_id, standing[1], claims.token_version)
        if principal is None:
            if policy != "anyone":
                await refuse("unauthorized", {"www-authenticate": _challenge(given)}, scope, receive, send)
                return
        elif policy == "admin" and principal.role != "admin":
            await refuse("forbidden", None, scope, receive, send)
            return
        await self._app(scope, receive, send)


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes | None, bool]:
    """The bearer token of a request, and whether it had an Authorization header at all."""
    for name, value in headers:
        if name == b"authorization":
            # The scheme is case-insensitive (RFC 9110 section 11.1).
            return (value[7:], True) if value[:7].lower() == b"bearer " else (None, True)
    return None, False


def _challenge(given: bool) -> str:
    return 'Bearer error="invalid_token"' if given else "Bearer"


async def refuse(code: str, headers: dict[str, str] | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem from inside a middleware."""
    problem = build_problem(code, headers=headers)
    response = ASGIResponse(
        body=problem.body, headers=problem.headers, media_type=MEDIA_TYPE, status_code=problem.status
    )
    await response(scope, receive, send)


def refuse_token(scope: Scope) -> Response[Any]:
    """Answers a command whose user has another token version by now. The token is refused at once from then on."""
    cast("Claims", cast("dict[str, Any]", scope)["claims"]).is_over = True
    return problem("unauthorized", headers={"www-authenticate": _challenge(True)})


def principal_of(scope: Scope) -> Principal:
    """The principal of a route with the policy "user" or "admin"."""
    principal = optional_principal_of(scope)
    if principal is None:
        raise RuntimeError("this route has no principal; its policy must be user or admin")
    return principal


def optional_principal_of(scope: Scope) -> Principal | None:
    """The principal of a route with the policy "anyone", if its caller has one."""
    return cast("Principal | None", scope.get("user"))


def policy_of(handler: BaseRouteHandler) -> str:
    """The policy of a route. Raises PolicyMissing, so an undeclared route is closed to all."""
    policy = handler.opt.get("policy")
    if policy in POLICIES:
        return cast("str", policy)
    if policy is None and isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"}:
        return "anyone"  # Litestar makes these itself; they list the methods of a path.
    raise PolicyMissing([str(handler)])


class PolicyMissing(Exception):
    """Routes do not say who may use them. The text names them."""

    def __init__(self, routes: list[str]) -> None:
        super().__init__(f'these routes need opt={{"policy": "anyone" | "user" | "admin"}}: {", ".join(routes)}')


def check_policies(app: Litestar) -> None:
    """Refuse an application in which a route does not say who may use it. Raises PolicyMissing naming each one."""
    missing: list[str] = []
    for route in app.routes:
        for handler in _handlers_of(route):
            try:
                policy = policy_of(handler)
            except PolicyMissing:
                missing.append(f"{route.path} ({handler})")
                continue
            if handler.opt.get("standing", ASKED_BY_COMMAND) != ASKED_BY_COMMAND:
                missing.append(f"{route.path} (a standing is {ASKED_BY_COMMAND}, or not spoken of)")
            elif "standing" in handler.opt and policy != "user":
                missing.append(f"{route.path} (no command asks for a role)")
            # The middleware lets nobody into a socket yet, so it may only carry what everybody may see.
            if isinstance(handler, WebsocketRouteHandler) and policy != "anyone":
                missing.append(f"{route.path} (websocket, only anyone is supported)")
    if missing:
        raise PolicyMissing(missing)


def _handlers_of(route: Any) -> list[HTTPRouteHandler | ASGIRouteHandler | WebsocketRouteHandler]:
    return list(route.route_handlers) if hasattr(route, "route_handlers") else [route.route_handler]
