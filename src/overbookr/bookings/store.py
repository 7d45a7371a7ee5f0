"""Runs the bookings' reads; their writes go through the write path."""

from uuid import UUID

from overbookr import limits
from overbookr.bookings.model import Booking
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries

_QUERIES = load_queries("overbookr.bookings")


class BookingStore:
    def __init__(self, reads: Pool) -> None:
        self._reads = reads

    async def find(self, booking_id: UUID, user_id: UUID, *, organiser: bool) -> tuple[Booking, UUID] | None:
        """The booking and its owner; None when unknown or not for this user's eyes."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(_QUERIES.find_booking, booking_id, user_id, organiser)
        if row is None:
            return None
        *fields, owner = row
        return Booking(*fields), owner

    async def page(self, user_id: UUID, *, limit: int, offset: int) -> tuple[list[Booking], int]:
        """A page of the user's bookings, newest first, and how many there are in all."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(_QUERIES.list_bookings, user_id, limit, offset)
            total = await connection.fetchval(_QUERIES.count_bookings, user_id)
        return [Booking(*row) for row in rows], total
