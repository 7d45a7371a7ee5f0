"""What a report reads of a year of bookings: counts of spans, and bookings of the two days at its ends only."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from overbookr.analytics.model import TotalBookings
from overbookr.analytics.store import AnalyticsStore
from overbookr.database.pool import Connection, open_pool
from tests.house.postgres import PostgresServer
from tests.plans.crowd import EMPTY, count_reads
from tests.plans.test_plans import SITUATIONS, OneConnection, Reads, difference

pytestmark = pytest.mark.anyio

EVENTS, BOOKINGS_A_DAY, DAYS = 20, 96, 400

_YEAR = f"""
set statement_timeout = 0;
set session_replication_role = replica;
insert into events (event_id, name, venue, start_time)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Show ' || n, 'A house', now() + interval '9 days'
  from generate_series(1, {EVENTS}) n;
insert into bookings (booking_id, event_id, user_id, hold_id, seat_nos, seats_count, idempotency_key, created_at,
                      updated_at)
select gen_random_uuid(), ('00000000-0000-4000-8000-' || lpad((n % {EVENTS} + 1)::text, 12, '0'))::uuid,
       gen_random_uuid(), gen_random_uuid(), '{{S1}}', 1, 'key', t.at, t.at
  from generate_series(0, {BOOKINGS_A_DAY * DAYS} - 1) n
 cross join lateral (select date_trunc('day', now(), 'UTC') + interval '1 day'
                            - n * interval '1 day' / {BOOKINGS_A_DAY} as at) t;
-- A month of cancellations has moved old bookings to young blocks.
update bookings set status = 'cancelled', cancelled_at = now() where random() < 0.1;
select recount_sales_v1();
reset all;
"""


async def _reads_of_report(connection: Connection, days: int) -> Reads:
    """From half past five in the afternoon, until nine in the morning of the day before yesterday."""
    one: Any = OneConnection(connection)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end = today - timedelta(days=2) + timedelta(hours=9)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        before = await count_reads(connection)
        start = today - timedelta(days=days) + timedelta(hours=17, minutes=30)
        report = await AnalyticsStore(one).total_bookings(start, end, 10)
        after = await count_reads(connection)
    assert isinstance(report, TotalBookings)
    assert report.totals.total_bookings > (days - 4) * BOOKINGS_A_DAY
    return difference(before, after)


async def _gather(dsn: str) -> dict[str, dict[int, Reads]]:
    pools = {name: await open_pool(dsn, size=1, application_name=name) for name in SITUATIONS}
    found: dict[str, dict[int, Reads]] = {}
    try:
        one = pools["planned while empty"]
        await one.execute(EMPTY)
        async with one.acquire() as connection:
            for days in (30, 366):
                with pytest.raises(AssertionError):
                    await _reads_of_report(connection, days)
        await pools["never analyzed"].execute(_YEAR, timeout=60)
        for name, pool in pools.items():
            if name == "analyzed":
                await pool.execute("vacuum analyze bookings, sales_spans, sales_days, events")
            async with pool.acquire() as connection:
                found[name] = {days: await _reads_of_report(connection, days) for days in (30, 366)}
    finally:
        for pool in pools.values():
            await pool.close()
    return found


@pytest.fixture(scope="module")
def reads(server: PostgresServer, template: str) -> dict[str, dict[int, Reads]]:
    dsn = server.create_database(template=template)
    found = asyncio.run(_gather(dsn))
    server.drop_database(dsn)
    return found


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_report_reads_no_booking_beyond_the_days_at_its_ends(
    reads: dict[str, dict[int, Reads]], situation: str
) -> None:
    for days, found in reads[situation].items():
        assert "bookings" not in found, f"{days} days: the whole table was read"
        of_bookings = {name: read for name, read in found.items() if name.startswith(("bookings_", "one_booking_"))}
        # Twice, once by day and once by event: six and a half hours of the first day and nine of the last, and what
        # cancellations have left behind in the index.
        assert sum(entries for _, _, entries in of_bookings.values()) <= 2 * BOOKINGS_A_DAY * 20 / 24, found
        assert set(of_bookings) == {"bookings_by_creation"}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_report_reads_the_spans_of_its_days_only(reads: dict[str, dict[int, Reads]], situation: str) -> None:
    for days, found in reads[situation].items():
        assert "sales_spans" not in found, f"{days} days: the whole table was read"
        assert found["sales_spans_pkey"][2] <= (14 + 14 + days // 64) * EVENTS, found
