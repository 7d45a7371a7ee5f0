"""What the database says happened at an event, read in one snapshot."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from overbookr.database.sql import parse_queries

_QUERIES: Final = parse_queries((Path(__file__).parent / "facts.sql").read_text(), "proof/history/facts.sql")


class Change(msgspec.Struct, array_like=True):
    version: int
    seat_no: str
    from_status: str | None
    to_status: str | None
    hold_id: UUID | None
    booking_id: UUID | None
    at: float


class HoldFact(msgspec.Struct, array_like=True):
    hold_id: UUID
    user_id: UUID
    seat_nos: tuple[str, ...]
    status: str
    key: str | None
    expires_at: float


class BookingFact(msgspec.Struct, array_like=True):
    booking_id: UUID
    user_id: UUID
    hold_id: UUID | None
    entry_id: UUID | None
    seat_nos: tuple[str, ...]
    status: str
    key: str | None
    created_at: float


class EntryFact(msgspec.Struct, array_like=True):
    entry_id: UUID
    user_id: UUID
    requested_seats: int
    status: str
    ticket: int
    created_at: float
    updated_at: float


class Facts(msgspec.Struct):
    """Instants are seconds of the database's clock. `changes` go by version, `entries` by ticket."""

    event_id: UUID
    policy: str
    version: int
    changes: list[Change]
    holds: list[HoldFact]
    bookings: list[BookingFact]
    entries: list[EntryFact]


async def read_facts(connection: "asyncpg.Connection[asyncpg.Record]", event_id: UUID) -> Facts:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        event = await connection.fetchrow(_QUERIES.event, event_id)
        assert event is not None
        changes = [Change(*_plain(row)) for row in await connection.fetch(_QUERIES.changes, event_id)]
        holds = [HoldFact(*_plain(row)) for row in await connection.fetch(_QUERIES.holds, event_id)]
        bookings = [BookingFact(*_plain(row)) for row in await connection.fetch(_QUERIES.bookings, event_id)]
        entries = [EntryFact(*_plain(row)) for row in await connection.fetch(_QUERIES.entries, event_id)]
    return Facts(event_id, event["waitlist_policy"], event["version"], changes, holds, bookings, entries)


def _plain(row: asyncpg.Record) -> list[Any]:
    """Instants as seconds, lists as tuples."""
    return [
        value.timestamp() if isinstance(value, datetime) else tuple(value) if isinstance(value, list) else value
        for value in row
    ]
