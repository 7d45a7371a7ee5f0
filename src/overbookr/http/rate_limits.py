"""How often one address or one account may try to log in or register, counted in this process's memory.

With several worker processes each counts for itself, so the true bound is the number below times the workers.
"""

import math
import time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from litestar.types import Scope

from overbookr.http.problem import Refused

LOGINS_BY_ADDRESS: Final = RateLimitItemPerMinute(120, namespace="login by address")
REGISTRATIONS_BY_ADDRESS: Final = RateLimitItemPerMinute(60, namespace="register by address")
# Counted for the account together with the address, so that an attacker elsewhere cannot lock the owner out ...
FAILURES_BY_ACCOUNT_AND_ADDRESS: Final = RateLimitItemPerMinute(5, namespace="failure by account and address")
# ... and for the account alone, so that many addresses together cannot guess without end.
FAILURES_BY_ACCOUNT: Final = RateLimitItemPerMinute(50, namespace="failure by account")


class RateLimits:
    """Every method raises Refused("rate_limited") with a Retry-After when the share is used up."""

    def __init__(self, *, enabled: bool) -> None:
        # The storage starts a thread when made, so there is none when nothing is limited.
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if enabled else None

    def count_registration(self, address: str) -> None:
        self._count(REGISTRATIONS_BY_ADDRESS, address)

    def count_login(self, address: str) -> None:
        self._count(LOGINS_BY_ADDRESS, address)

    def check_failures(self, account: str, address: str) -> None:
        """Ask before a password is looked at; only failures use the share up."""
        self._check(FAILURES_BY_ACCOUNT_AND_ADDRESS, account, address)
        self._check(FAILURES_BY_ACCOUNT, account)

    def count_failure(self, account: str, address: str) -> None:
        """Note a wrong password. Refuses nothing; the next `check_failures` does."""
        if self._limiter is not None:
            self._limiter.hit(FAILURES_BY_ACCOUNT_AND_ADDRESS, account, address)
            self._limiter.hit(FAILURES_BY_ACCOUNT, account)

    def _count(self, item: RateLimitItem, *keys: str) -> None:
        if self._limiter is not None and not self._limiter.hit(item, *keys):
            raise self._refusal(item, *keys)

    def _check(self, item: RateLimitItem, *keys: str) -> None:
        if self._limiter is not None and not self._limiter.test(item, *keys):
            raise self._refusal(item, *keys)

    def _refusal(self, item: RateLimitItem, *keys: str) -> Refused:
        assert self._limiter is not None
        free_again_at = self._limiter.get_window_stats(item, *keys).reset_time
        seconds = max(1, math.ceil(free_again_at - time.time()))
        return Refused("rate_limited", f"try again in {seconds} s", headers={"Retry-After": str(seconds)})


def client_address(scope: Scope) -> str:
    """The address of the peer. X-Forwarded-For is not read: anybody can write it."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
