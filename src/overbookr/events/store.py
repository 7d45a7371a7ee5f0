"""Runs the events' SQL."""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from overbookr import limits
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.events.model import CreateEvent, Event, EventRefusal

_QUERIES = load_queries("overbookr.events")


def _event(row: asyncpg.Record) -> Event:
    event_id, *rest = row
    return Event(event_id, *rest)


class EventStore:
    """Reads through `reads`; changes, which lock the event, through `writes`."""

    def __init__(self, reads: Pool, writes: Pool, *, user_seats_max: int) -> None:
        self._reads = reads
        self._writes = writes
        self._user_seats_max = user_seats_max

    async def create(self, command: CreateEvent) -> Event:
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            await connection.execute(_QUERIES.create_event, *msgspec.structs.astuple(command))
            row = await connection.fetchrow(_QUERIES.find_event, command.event_id, True)
        assert row is not None
        return _event(row)

    async def find(self, event_id: UUID, *, organiser: bool) -> Event | None:
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(_QUERIES.find_event, event_id, organiser)
        return None if row is None else _event(row)

    async def page(
        self, *, organiser: bool, search: str, include_past: bool, limit: int, offset: int
    ) -> tuple[list[Event], int]:
        """A page of events and how many there are in all."""
        conditions = (organiser, search, include_past)
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(_QUERIES.list_events, *conditions, limit, offset)
            total = await connection.fetchval(_QUERIES.count_events, *conditions)
        return [_event(row) for row in rows], total

    async def update(self, event_id: UUID, patch: dict[str, Any]) -> Event | EventRefusal:
        """`patch` holds only the members to change, as JSON has them."""
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            outcome = await connection.fetchval(_QUERIES.update_event, event_id, patch, self._user_seats_max)
            if outcome != "event_updated":
                return EventRefusal(outcome)
            row = await connection.fetchrow(_QUERIES.find_event, event_id, True)
        return EventRefusal.NOT_FOUND if row is None else _event(row)

    async def delete(self, event_id: UUID) -> EventRefusal | None:
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            outcome = await connection.fetchval(_QUERIES.delete_event, event_id, self._user_seats_max)
        return None if outcome == "event_deleted" else EventRefusal(outcome)
