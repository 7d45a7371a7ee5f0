"""Runs the waitlist's reads and leaving; joining goes through the write path."""

from uuid import UUID

from overbookr import limits
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.waitlist.model import QueuedUser, WaitlistEntry

_QUERIES = load_queries("overbookr.waitlist")


class WaitlistStore:
    def __init__(self, reads: Pool, writes: Pool, *, user_seats_max: int) -> None:
        self._reads = reads
        self._writes = writes
        self._user_seats_max = user_seats_max

    async def find(self, event_id: UUID, user_id: UUID) -> WaitlistEntry | None:
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(_QUERIES.find_waiting, event_id, user_id)
        return None if row is None else WaitlistEntry(*row)

    async def page(self, event_id: UUID, *, limit: int, offset: int) -> tuple[list[QueuedUser], int] | None:
        """A page of the queue and its length; None when there is no such event."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            total = await connection.fetchval(_QUERIES.count_waiting, event_id)
            if total is None:
                return None
            rows = await connection.fetch(_QUERIES.list_waiting, event_id, offset, limit)
        return [QueuedUser(*row) for row in rows], total

    async def leave(self, event_id: UUID, user_id: UUID) -> bool:
        """Whether the user waited there."""
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            left: bool = await connection.fetchval(_QUERIES.leave_waitlist, event_id, user_id, self._user_seats_max)
        return left
