"""Runs the analytics' SQL."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from overbookr import limits
from overbookr.analytics.model import (
    DayCount,
    EventSales,
    EventUtilization,
    MinuteOfSales,
    RangeRefusal,
    StatusCount,
    TimeRange,
    TopEvent,
    TotalBookings,
    Totals,
    resolve_range,
)
from overbookr.analytics.spans import Pieces, cut, spans_of
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries

_QUERIES = load_queries("overbookr.analytics")

# Reports read much; however many are asked for, seat maps and logins keep most of the pool.
_REPORTS_AT_ONCE_MAX = 2


class AnalyticsStore:
    def __init__(self, reads: Pool) -> None:
        self._reads = reads
        self._turns = asyncio.Semaphore(_REPORTS_AT_ONCE_MAX)

    async def total_bookings(
        self, start: datetime | None, end: datetime | None, top_events: int
    ) -> TotalBookings | RangeRefusal:
        """All numbers are of one instant, and exact. Bounds as in `resolve_range`, now by the database clock."""
        async with (
            self._turns,
            acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            now: datetime = await connection.fetchval(_QUERIES.now)
            span = resolve_range(start, end, now)
            if isinstance(span, RangeRefusal):
                return span
            pieces = cut(span, now, is_open=end is None)
            by_day = await connection.fetch(_QUERIES.sales_by_day, *_days_and_edges(pieces))
            spans = spans_of(pieces.first, pieces.last)
            by_event = await connection.fetch(
                _QUERIES.sales_by_event,
                *_days_and_edges(pieces),
                [days for days, _ in spans],
                [first for _, first in spans],
                top_events,
            )
        return _report(span, by_day, by_event)

    async def event_sales(self, event_id: UUID, *, after: int | None, before: int | None) -> EventSales | None:
        """The changes after a version, or else those up to one, the present if neither is given; as many as one look
        may read, the last of them unless `after` says where to go on. None for an unknown event."""
        most = limits.SALES_CHANGES_PER_LOOK_MAX
        async with (
            acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            present: int | None = await connection.fetchval(_QUERIES.event_version, event_id)
            if present is None:
                return None
            last = present if before is None else min(before, present)
            first = max(0, last - most) if after is None else min(after, present)
            last = max(first, min(last, first + most))
            rows = await connection.fetch(_QUERIES.sales_by_minute, event_id, first, last)
        return EventSales(first, last, last == present, [MinuteOfSales(*row) for row in rows])

    async def fold_sales(self, rows_max: int) -> int:
        """Move pending counts into the spans; how many there were, 0 too when another process is at it."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            moved: int = await connection.fetchval(_QUERIES.fold_sales, rows_max)
        return moved


def _days_and_edges(pieces: Pieces) -> tuple[Any, ...]:
    return (
        pieces.first,
        pieces.last,
        [edge.start for edge in pieces.edges],
        [edge.before for edge in pieces.edges],
        [edge.sign for edge in pieces.edges],
    )


def _report(span: TimeRange, by_day: Sequence[asyncpg.Record], by_event: Sequence[asyncpg.Record]) -> TotalBookings:
    bookings, cancelled, seats = (sum(row[column] for row in by_day) for column in (1, 2, 3))
    by_status = [StatusCount("active", bookings - cancelled), StatusCount("cancelled", cancelled)]
    return TotalBookings(
        range=span,
        totals=Totals(bookings, seats, cancelled, bookings - cancelled),
        by_day=[DayCount(day, bookings, seats) for day, bookings, _, seats in by_day],
        top_events=[
            TopEvent(row["event_id"], row["name"], row["bookings"], row["seats"], row["capacity"], row["booked_count"])
            for row in by_event
            if row["section"] == "top"
        ],
        by_status=[one for one in by_status if one.count],
        event_utilization=[
            EventUtilization(row["event_id"], row["name"], row["capacity"], row["booked_count"], row["seats"])
            for row in by_event
            if row["section"] == "fullest"
        ],
    )
