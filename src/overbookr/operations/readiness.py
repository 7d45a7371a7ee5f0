"""Whether this process should be sent requests."""

import asyncio
import time
from collections.abc import Sequence

from overbookr.database.migrate import pending
from overbookr.database.pool import Pool, acquire, ping

PING_SECONDS_MAX = 0.3
REMEMBERED_SECONDS = 1.0


class Readiness:
    """Checks are remembered for a second, so that probes cost nothing; draining shows at once."""

    def __init__(self, pool: Pool, function_sources: Sequence[tuple[str, str]]) -> None:
        self._pool = pool
        self._function_sources = function_sources
        self._schema_is_ready = False
        self._checked_at = float("-inf")
        self._checks: dict[str, str] = {}
        self.draining = False

    async def check(self) -> dict[str, str]:
        """`ok` or what is wrong, by check."""
        if time.monotonic() - self._checked_at > REMEMBERED_SECONDS:
            self._checks = await self._ask()
            self._checked_at = time.monotonic()
        return self._checks | {"draining": "this process is stopping" if self.draining else "ok"}

    async def _ask(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(PING_SECONDS_MAX * 2):
                async with acquire(self._pool, PING_SECONDS_MAX) as connection:
                    await ping(connection)
                    if not self._schema_is_ready:
                        missing = await pending(connection, self._function_sources)
                        if missing:
                            return {"database": "ok", "schema": f"not migrated: {', '.join(missing)}"}
                        self._schema_is_ready = True
        except Exception:
            return {"database": "does not answer", "schema": "ok" if self._schema_is_ready else "unknown"}
        return {"database": "ok", "schema": "ok"}
