"""Runs the bookings' reads; their writes go through the write path."""

from typing import Any
from uuid import UUID

import asyncpg

from overbookr import limits
from overbookr.bookings.model import BookedEvent, Booking, BookingSearch, Customer, SearchedBooking
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries

_QUERIES = load_queries("overbookr.bookings")

# After every id that is ever made.
_END = UUID(int=2**128 - 1)


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

    async def search(self, search: BookingSearch) -> tuple[list[SearchedBooking], UUID | None]:
        """What was found, newest first, and before which booking to go on where there is more."""
        query, *arguments = _statement_of(search)
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(query, *arguments)
        found = [_searched(row) for row in rows[: search.limit]]
        return found, found[-1].id if len(rows) > search.limit else None


def _statement_of(search: BookingSearch) -> tuple[Any, ...]:
    """Each way to look has a statement of its own, so that each finds its way by an index."""
    one_more = search.limit + 1
    match search:
        case BookingSearch(booking_id=UUID() as booking_id, event_id=event_id, email=email):
            return _QUERIES.search_by_reference, booking_id, event_id, email
        case BookingSearch(seat_no=str() as seat_no, event_id=event_id, email=email):
            return _QUERIES.search_by_seat, event_id, seat_no, email
        case BookingSearch(email=str() as email, event_id=event_id, before=before):
            return _QUERIES.search_by_customer, email, event_id, before, one_more
        case BookingSearch(event_id=UUID() as event_id, before=before):
            return _QUERIES.search_by_event, event_id, before or _END, one_more
        case _:
            return _QUERIES.search_newest, search.before or _END, one_more


def _searched(row: asyncpg.Record) -> SearchedBooking:
    booking_id, seats_count, seat_nos, status, origin, created_at, updated_at, cancelled_at, *others = row
    return SearchedBooking(
        id=booking_id,
        event=BookedEvent(*others[:3]),
        customer=Customer(*others[3:]),
        seats_count=seats_count,
        seat_numbers=seat_nos,
        status=status,
        origin=origin,
        created_at=created_at,
        updated_at=updated_at,
        cancelled_at=cancelled_at,
    )
