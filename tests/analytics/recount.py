"""Reports as they were made before there were spans: by reading every booking of the range."""

from typing import Final

from overbookr.analytics.model import (
    DayCount,
    EventUtilization,
    StatusCount,
    TimeRange,
    TopEvent,
    TotalBookings,
    Totals,
)
from overbookr.database.pool import Connection

_TOTALS: Final = """
select count(*), coalesce(sum(seats_count) filter (where status = 'active'), 0)::bigint,
       count(*) filter (where status = 'cancelled'), count(*) filter (where status = 'active')
  from bookings where created_at between $1 and $2
"""
_BY_DAY: Final = """
select date_trunc('day', created_at, 'UTC') as day, count(*),
       coalesce(sum(seats_count) filter (where status = 'active'), 0)::bigint
  from bookings where created_at between $1 and $2 group by day order by day
"""
_BY_STATUS: Final = """
select status, count(*) from bookings where created_at between $1 and $2 group by status order by status
"""
_TOP_EVENTS: Final = """
select e.event_id, e.name, b.bookings, b.seats, least(e.capacity, e.seats_count), e.booked_count
  from (select event_id, count(*) as bookings,
               coalesce(sum(seats_count) filter (where status = 'active'), 0)::bigint as seats
          from bookings where created_at between $1 and $2 group by event_id) b
  join events e using (event_id)
 order by b.seats desc, e.name, e.event_id
 limit $3
"""
_EVENT_UTILIZATION: Final = """
select e.event_id, e.name, least(e.capacity, e.seats_count), e.booked_count, coalesce(b.seats, 0)::bigint
  from events e
  left join (select event_id, coalesce(sum(seats_count) filter (where status = 'active'), 0) as seats
               from bookings where created_at between $1 and $2 group by event_id) b using (event_id)
 where e.deleted_at is null or b.event_id is not null
 order by e.booked_count desc, e.name, e.event_id
 limit $3
"""


async def recount(connection: Connection, span: TimeRange, top_events: int) -> TotalBookings:
    bounds = (span.from_, span.to)
    totals = await connection.fetchrow(_TOTALS, *bounds)
    assert totals is not None
    return TotalBookings(
        range=span,
        totals=Totals(*totals),
        by_day=[DayCount(*row) for row in await connection.fetch(_BY_DAY, *bounds)],
        top_events=[TopEvent(*row) for row in await connection.fetch(_TOP_EVENTS, *bounds, top_events)],
        by_status=[StatusCount(*row) for row in await connection.fetch(_BY_STATUS, *bounds)],
        event_utilization=[
            EventUtilization(*row) for row in await connection.fetch(_EVENT_UTILIZATION, *bounds, top_events)
        ],
    )
