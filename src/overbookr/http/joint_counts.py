"""Counts that several processes or machines have in common, in a Redis or Valkey.

They protect no seats, so a request never waits long for them and never fails by them: when the storage is away, each
process goes by its own counts alone, as it does where there is no storage.
"""

import asyncio
import math
import time
from typing import Any, cast

import structlog
from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from overbookr import limits
from overbookr.telemetry import count_uncounted

_log = structlog.get_logger("overbookr.http")


class JointCounts:
    """`hit` and `test` answer with the seconds after which to come again: 0 when the request is within its limit."""

    def __init__(self, url: str) -> None:
        # Only those who share their counts have the client installed.
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415

        # Valkey speaks Redis' protocol, and so one client does for both.
        url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=limits.RATE_LIMIT_CONNECTIONS_MAX,
            timeout=limits.RATE_LIMIT_WAIT_SECONDS_MAX,
            socket_connect_timeout=limits.RATE_LIMIT_WAIT_SECONDS_MAX,
        )
        self._pool = pool
        self._storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            wrap_exceptions=True,
            key_prefix="overbookr",
            connection_pool=cast("Any", pool),
        )
        self._exact = MovingWindowRateLimiter(self._storage)
        # It keeps two numbers for a user, where the exact one keeps the time of each request.
        self._cheap = SlidingWindowCounterRateLimiter(self._storage)
        self._rests_until = 0.0
        self._told_at = -math.inf

    async def hit(self, item: RateLimitItem, *keys: str, cheap: bool = False) -> int:
        """Count a request, unless it is over its limit."""
        return await self._ask(self._cheap if cheap else self._exact, item, keys, counts=True)

    async def test(self, item: RateLimitItem, *keys: str) -> int:
        """Look without counting."""
        return await self._ask(self._exact, item, keys, counts=False)

    async def close(self) -> None:
        await self._pool.disconnect()

    async def _ask(self, limiter: RateLimiter, item: RateLimitItem, keys: tuple[str, ...], *, counts: bool) -> int:
        if time.monotonic() < self._rests_until:
            count_uncounted("rested")
            return 0
        try:
            async with asyncio.timeout(limits.RATE_LIMIT_WAIT_SECONDS_MAX):
                if await (limiter.hit(item, *keys) if counts else limiter.test(item, *keys)):
                    return 0
                free_again_at = (await limiter.get_window_stats(item, *keys)).reset_time
        except (StorageError, OSError, TimeoutError) as error:
            self._rest(error)
            return 0
        return max(1, math.ceil(free_again_at - time.time()))

    def _rest(self, error: Exception) -> None:
        """Ask nothing for a while, so that not every request waits for a storage that does not answer."""
        count_uncounted("failed")
        now = time.monotonic()
        self._rests_until = now + limits.RATE_LIMIT_REST_SECONDS
        if now - self._told_at >= limits.RATE_LIMIT_TELL_SECONDS:
            self._told_at = now
            _log.warning("rate_limit_storage_away", error=type(error.__cause__ or error).__name__)
