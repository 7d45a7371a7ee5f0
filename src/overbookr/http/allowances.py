"""How many requests of a kind one user may send: so many at once, and as many a minute after that.

A route names its allowance by `opt={"allowance": "holds"}`; what is read is counted as "reads" without saying so. These
limits keep one program from taking everybody's time. What one user may hold and book is another matter, decided in the
database under the event's lock, and exact.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from limits import RateLimitItem, RateLimitItemPerMinute
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from overbookr import limits
from overbookr.http.addresses import ClientAddresses
from overbookr.http.auth import ReadStanding, optional_principal_of, refuse
from overbookr.http.joint_counts import JointCounts

_WINDOW_SECONDS: Final = 60.0
# A hundred additions of a sixtieth are not exactly a hundred sixtieths.
_ROUNDING_SECONDS: Final = 0.0001
# Of those who come without a token, counted by their address.
OF_ADDRESS: Final = "reads by address"
KINDS: Final = frozenset({"reads", "holds", "bookings", "waitlist joins"})


class Allowance:
    """Counts in this process's memory, in less than a microsecond, one number a key.

    That number is the time at which what the key has spent will have come back. It is at most a minute ahead, so what
    was not touched for a minute says nothing and is forgotten, all of it at once by giving up the older of two halves.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        keys_max: int = limits.RATE_LIMIT_KEYS_MAX,
    ) -> None:
        self._cost = _WINDOW_SECONDS / per_minute
        self._clock = clock
        self._keys_max = keys_max
        self._recent: dict[object, float] = {}
        self._older: dict[object, float] = {}
        self._turned_at = clock()

    def spend(self, key: object) -> float:
        """0 when the request is within the allowance, which it then takes from; else after how many seconds one is."""
        now = self._clock()
        recent = self._recent
        whole_at = recent.get(key)
        if whole_at is None:
            if now - self._turned_at >= _WINDOW_SECONDS or len(recent) >= self._keys_max:
                self._older, self._recent, self._turned_at = recent, {}, now
                recent = self._recent
            whole_at = self._older.get(key, now)
        whole_at = (whole_at if whole_at > now else now) + self._cost
        excess = whole_at - now - _WINDOW_SECONDS
        if excess > _ROUNDING_SECONDS:
            return excess
        recent[key] = whole_at
        return 0.0


class Allowances:
    """The allowances of users and addresses by kind; 0 a minute: without end. `shared` counts with other processes."""

    def __init__(self, per_minute: Mapping[str, int], shared: JointCounts | None = None) -> None:
        self._of = {kind: Allowance(amount) for kind, amount in per_minute.items() if amount}
        self._items: dict[str, RateLimitItem] = {
            kind: RateLimitItemPerMinute(amount, namespace=kind) for kind, amount in per_minute.items() if amount
        }
        self._shared = shared

    def limits(self, kind: str) -> bool:
        """Whether there is a limit at all."""
        return kind in self._of

    async def spend(self, kind: str, key: object) -> int:
        """0, or after how many whole seconds the next request of this kind is welcome."""
        own = self._of[kind].spend(key)
        if own:
            # Who hammers is known here, so the storage need not hear of it.
            return max(1, math.ceil(own))
        return 0 if self._shared is None else await self._shared.hit(self._items[kind], str(key), cheap=True)


class AllowanceMiddleware:
    """Answers 429 for those who have spent their allowance, before a body is read or anything is begun.

    Runs after the principal is known. Organisers' work is not limited; where the role is not known yet, it is asked for
    when the allowance is spent.
    """

    def __init__(
        self, app: ASGIApp, allowances: Allowances, addresses: ClientAddresses, read_standing: ReadStanding
    ) -> None:
        self._app = app
        self._allowances = allowances
        self._addresses = addresses
        self._read_standing = read_standing
        self._kinds: dict[int, str | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = cast("BaseRouteHandler", scope["route_handler"])
        try:
            kind = self._kinds[id(handler)]
        except KeyError:
            kind = self._kinds[id(handler)] = allowance_of(handler)
        if kind is not None:
            seconds = await self._spend(kind, scope)
            if seconds:
                await refuse("rate_limited", {"retry-after": str(seconds)}, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _spend(self, kind: str, scope: Scope) -> int:
        principal = optional_principal_of(scope)
        key: object
        if principal is None:
            kind = OF_ADDRESS
            key = self._addresses.of(scope) if self._allowances.limits(kind) else None
        elif principal.role is not None and principal.is_admin:
            return 0
        else:
            key = principal.user_id
        seconds = await self._allowances.spend(kind, key) if self._allowances.limits(kind) else 0
        if seconds and principal is not None and principal.role is None:
            standing = await self._read_standing(principal.user_id)
            if standing == (principal.token_version, "admin"):
                return 0
        return seconds


def allowance_of(handler: BaseRouteHandler) -> str | None:
    """The kind that requests to a route are counted as, or None for those that are not counted."""
    named: Any = handler.opt.get("allowance")
    if named is not None:
        if named not in KINDS:
            raise ValueError(f"{handler} names no allowance: {named}")
        return cast("str", named)
    is_read = isinstance(handler, HTTPRouteHandler) and "GET" in handler.http_methods
    return "reads" if is_read and handler.opt.get("reads_principal", True) else None
