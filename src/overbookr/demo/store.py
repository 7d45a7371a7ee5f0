"""The demonstration's own SQL: letting time pass for abandoned holds, and reading what was kept of its event."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from overbookr.database.pool import Pool
from overbookr.database.sql import load_queries

_QUERIES = load_queries("overbookr.demo")


@dataclass(frozen=True, slots=True)
class StoredBooking:
    booking_id: UUID
    user_id: UUID
    seat_nos: tuple[str, ...]
    status: str
    idempotency_key: str | None
    promoted: bool
    mails: int


@dataclass(frozen=True, slots=True)
class StoredHouse:
    """The counters of the event (`..._count`), and the same counted anew; `unsent` are mails."""

    seats_count: int
    held_count: int
    booked_count: int
    waiting_count: int
    version: int
    seats: int
    held: int
    booked: int
    waiting: int
    promoted: int
    gone: int
    joined: int
    unsent: int


class DemoStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def move_time_on(self, event_id: UUID, hold_ids: Collection[UUID], user_ids: Collection[UUID]) -> list[UUID]:
        """Let the time of these holds, and of all holds of these users, run out now; which were still active.

        They are left for the server to find, just as if their minutes had passed.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            at = await connection.fetchval(_QUERIES.lock_event, event_id)
            rows = await connection.fetch(_QUERIES.move_time_on, event_id, list(hold_ids), list(user_ids), at)
        return [row["hold_id"] for row in rows]

    async def count_active_holds(self, event_id: UUID, hold_ids: Collection[UUID]) -> int:
        async with self._pool.acquire() as connection:
            count: int = await connection.fetchval(_QUERIES.count_active_holds, event_id, list(hold_ids))
        return count

    async def count_unsent_mails(self, event_id: UUID) -> int:
        async with self._pool.acquire() as connection:
            count: int = await connection.fetchval(_QUERIES.count_unsent_mails, event_id)
        return count

    async def read_holds(self, event_id: UUID, hold_ids: Collection[UUID]) -> dict[UUID, str]:
        """Status by id, of those that exist."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(_QUERIES.read_holds, event_id, list(hold_ids))
        return {row["hold_id"]: row["status"] for row in rows}

    async def read_bookings(self, event_id: UUID) -> list[StoredBooking]:
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(_QUERIES.read_bookings, event_id)
        return [
            StoredBooking(
                booking_id=row["booking_id"],
                user_id=row["user_id"],
                seat_nos=tuple(row["seat_nos"]),
                status=row["status"],
                idempotency_key=row["idempotency_key"],
                promoted=row["promoted"],
                mails=row["mails"],
            )
            for row in rows
        ]

    async def read_house(self, event_id: UUID) -> StoredHouse:
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(_QUERIES.read_house, event_id)
        assert row is not None, "the event of the demonstration is gone"
        return StoredHouse(**dict(row))
