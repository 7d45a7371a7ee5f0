"""Runs the analytics' SQL."""

import asyncio
from datetime import datetime

from overbookr import limits
from overbookr.analytics.model import (
    DayCount,
    EventUtilization,
    RangeRefusal,
    StatusCount,
    TopEvent,
    TotalBookings,
    Totals,
    resolve_range,
)
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
        """All numbers are of one instant. Bounds as in `resolve_range`, now by the database clock."""
        async with (
            self._turns,
            acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            span = resolve_range(start, end, await connection.fetchval(_QUERIES.now))
            if isinstance(span, RangeRefusal):
                return span
            bounds = (span.from_, span.to)
            totals = await connection.fetchrow(_QUERIES.totals, *bounds)
            assert totals is not None
            return TotalBookings(
                range=span,
                totals=Totals(*totals),
                by_day=[DayCount(*row) for row in await connection.fetch(_QUERIES.by_day, *bounds)],
                top_events=[TopEvent(*row) for row in await connection.fetch(_QUERIES.top_events, *bounds, top_events)],
                by_status=[StatusCount(*row) for row in await connection.fetch(_QUERIES.by_status, *bounds)],
                event_utilization=[
                    EventUtilization(*row)
                    for row in await connection.fetch(_QUERIES.event_utilization, *bounds, top_events)
                ],
            )
