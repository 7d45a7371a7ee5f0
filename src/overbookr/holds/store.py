"""Runs the holds' reads; their writes go through the write path."""

from uuid import UUID

from overbookr import limits
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.holds.model import Hold

_QUERIES = load_queries("overbookr.holds")


class HoldStore:
    def __init__(self, reads: Pool) -> None:
        self._reads = reads

    async def find(self, hold_id: UUID, user_id: UUID) -> Hold | None:
        """The hold, whatever became of it; None when unknown or another user's."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(_QUERIES.find_hold, hold_id, user_id)
        return None if row is None else Hold(*row)
