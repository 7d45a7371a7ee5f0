"""The duty that keeps events settled when nobody asks: overdue holds end, waiters get what they are owed."""

from overbookr import limits
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries

_QUERIES = load_queries("overbookr.writes")


class EventSettler:
    """A safety net: every write settles its events first, so nothing depends on this running."""

    name = "settle_events"
    period_seconds = limits.SETTLE_PERIOD_SECONDS

    def __init__(self, writes: Pool, *, user_seats_max: int) -> None:
        self._writes = writes
        self._user_seats_max = user_seats_max

    async def run_once(self) -> int:
        """How many events were settled, when more may be due. A waiter passed over must not keep the duty spinning."""
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            settled: int = await connection.fetchval(
                _QUERIES.settle_due_events, limits.SETTLE_EVENTS_PER_ROUND_MAX, self._user_seats_max
            )
        return settled if settled == limits.SETTLE_EVENTS_PER_ROUND_MAX else 0
