"""How often one address or one account may try to log in or register.

Each process counts in its own memory, so with several of them the true bound is the number below times as many. Where a
storage is shared they count together as well, and the bound is the number.
"""

import math
import time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from overbookr.http.joint_counts import JointCounts
from overbookr.http.problem import Refused

LOGINS_BY_ADDRESS: Final = RateLimitItemPerMinute(120, namespace="login by address")
REGISTRATIONS_BY_ADDRESS: Final = RateLimitItemPerMinute(60, namespace="register by address")
# Counted for the account together with the address, so that an attacker elsewhere cannot lock the owner out ...
FAILURES_BY_ACCOUNT_AND_ADDRESS: Final = RateLimitItemPerMinute(5, namespace="failure by account and address")
# ... and for the account alone, so that many addresses together cannot guess without end.
FAILURES_BY_ACCOUNT: Final = RateLimitItemPerMinute(50, namespace="failure by account")


class RateLimits:
    """Every method raises Refused("rate_limited") with a Retry-After when the share is used up."""

    def __init__(self, *, enabled: bool, shared: JointCounts | None = None) -> None:
        # The storage starts a thread when made, so there is none when nothing is limited.
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if enabled else None
        self._shared = shared if enabled else None

    async def count_registration(self, address: str) -> None:
        await self._count(REGISTRATIONS_BY_ADDRESS, address)

    async def count_login(self, address: str) -> None:
        await self._count(LOGINS_BY_ADDRESS, address)

    async def check_failures(self, account: str, address: str) -> None:
        """Ask before a password is looked at; only failures use the share up."""
        await self._check(FAILURES_BY_ACCOUNT_AND_ADDRESS, account, address)
        await self._check(FAILURES_BY_ACCOUNT, account)

    async def count_failure(self, account: str, address: str) -> None:
        """Note a wrong password. Refuses nothing; the next `check_failures` does."""
        for item, keys in ((FAILURES_BY_ACCOUNT_AND_ADDRESS, (account, address)), (FAILURES_BY_ACCOUNT, (account,))):
            if self._limiter is not None:
                self._limiter.hit(item, *keys)
            if self._shared is not None:
                await self._shared.hit(item, *keys)

    async def _count(self, item: RateLimitItem, *keys: str) -> None:
        if self._limiter is not None and not self._limiter.hit(item, *keys):
            raise _refusal(self._seconds_left(self._limiter, item, *keys))
        if self._shared is not None and (seconds := await self._shared.hit(item, *keys)):
            raise _refusal(seconds)

    async def _check(self, item: RateLimitItem, *keys: str) -> None:
        if self._limiter is not None and not self._limiter.test(item, *keys):
            raise _refusal(self._seconds_left(self._limiter, item, *keys))
        if self._shared is not None and (seconds := await self._shared.test(item, *keys)):
            raise _refusal(seconds)

    @staticmethod
    def _seconds_left(limiter: MovingWindowRateLimiter, item: RateLimitItem, *keys: str) -> int:
        return math.ceil(limiter.get_window_stats(item, *keys).reset_time - time.time())


def _refusal(seconds: int) -> Refused:
    seconds = max(1, seconds)
    return Refused("rate_limited", f"try again in {seconds} s", headers={"Retry-After": str(seconds)})
