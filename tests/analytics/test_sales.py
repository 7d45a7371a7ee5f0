"""Reports made of spans are those that a recount of all bookings gives, whatever is folded, pending or under way."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from overbookr.analytics.duties import SalesFolder
from overbookr.analytics.model import TotalBookings
from overbookr.analytics.store import AnalyticsStore
from overbookr.audit.store import AuditStore
from overbookr.database.migrate import load_migrations, migrate
from overbookr.database.pool import Connection, Pool, open_pool
from overbookr.main import FUNCTION_SOURCES
from tests.analytics.recount import recount
from tests.audit import house
from tests.audit.house import SHARE, SHOW, identifier
from tests.house.postgres import PostgresServer
from tests.house.stage import seeded_random
from tests.plans.test_plans import OneConnection

pytestmark = pytest.mark.anyio

MIGRATIONS = Path(load_migrations.__code__.co_filename).parent / "migrations"
EVENTS = [identifier(f"event {number}") for number in range(5)]
DAYS = 420

_MAKE = """
with made as (
  select gen_random_uuid() as id, gen_random_uuid() as hold_id, e.event_id, e.seats, clock_timestamp() - e.ago as at
    from unnest($1::uuid[], $2::integer[], $3::interval[]) e (event_id, seats, ago)),
kept as (
  insert into holds (hold_id, event_id, user_id, seat_nos, status, created_at, expires_at, ended_at)
  select hold_id, event_id, id, array_fill('S'::text, array[seats]), 'converted', at, at + interval '1 hour', at
    from made)
insert into bookings (booking_id, event_id, user_id, hold_id, seat_nos, seats_count, idempotency_key, created_at,
                      updated_at)
select id, event_id, id, hold_id, array_fill('S'::text, array[seats]), seats, 'key', at, at from made
"""
_CANCEL = """
update bookings set status = 'cancelled', cancelled_at = clock_timestamp()
 where booking_id in (select booking_id from bookings where status = 'active' order by md5(booking_id || $1) limit $2)
"""


@pytest.fixture
async def reads(database: str) -> AsyncIterator[Pool]:
    """Connections as reports have them."""
    opened = await open_pool(database, size=6, application_name="reads")
    yield opened
    await opened.close()


async def _open_house(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for number, event_id in enumerate(EVENTS):
            await house.add_event(connection, event_id, number + 1)
        await connection.execute("update events set name = event_id::text, deleted_at = null")
        await connection.execute("update events set deleted_at = now() where event_id = $1", EVENTS[4])


async def _make(connection: Connection, chance: random.Random, count: int) -> None:
    ago = [timedelta(seconds=chance.choice((1, DAYS)) * 86_400 * chance.random()) for _ in range(count)]
    await connection.execute(
        _MAKE, [chance.choice(EVENTS[1:]) for _ in ago], [chance.randint(1, 5) for _ in ago], ago
    )  # fmt: skip


async def _compare(connection: Connection, start: datetime | None, end: datetime | None, top: int) -> TotalBookings:
    """A report and the recount of the same snapshot."""
    one: Any = OneConnection(connection)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        report = await AnalyticsStore(one).total_bookings(start, end, top)
        assert isinstance(report, TotalBookings)
        assert report == await recount(connection, report.range, top)
    return report


def _some_range(chance: random.Random) -> tuple[datetime | None, datetime | None]:
    end = datetime.now(UTC) - timedelta(days=chance.choice((0, 0, 1, DAYS)) * chance.random())
    start = end - timedelta(days=chance.choice((0.5, 3, 30, 365)) * chance.random())
    midnight = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    if chance.random() < 0.3:
        start = start.replace(**midnight)  # type: ignore[arg-type]
    if chance.random() < 0.3:
        end = max(start, end.replace(**midnight) - timedelta(microseconds=chance.choice((0, 1))))  # type: ignore[arg-type]
    if chance.random() < 0.2:
        return max(start, datetime.now(UTC) - timedelta(days=365)), None
    return max(start, end - timedelta(days=366)), end


async def test_reports_of_any_history_are_those_of_a_recount(stage: Any, reads: Pool) -> None:
    chance = seeded_random()
    await _open_house(stage.pool)
    async with reads.acquire() as connection:
        for _ in range(60):
            match chance.choice(("make", "make", "cancel", "fold", "fold whole", "forget")):
                case "make":
                    await _make(connection, chance, chance.choice((1, 7, 60)))
                case "cancel":
                    await connection.execute(_CANCEL, str(chance.random()), chance.randint(1, 12))
                case "fold":
                    await connection.execute("select fold_sales_v1($1)", chance.randint(1, 40))
                case "fold whole":
                    await connection.execute("select fold_sales_v1(100000)")
                case "forget":
                    await connection.execute("delete from bookings where random() < 0.02")
            for _ in range(2):
                await _compare(connection, *_some_range(chance), chance.choice((1, 3, 10)))
        whole = await _compare(connection, None, None, 10)
        assert whole.totals.total_bookings > 0
    report = await AuditStore(reads).check(SHARE)
    assert report.counts["sales_are_counted"] == 0


async def test_reports_are_exact_while_buyers_buy_and_two_workers_fold(stage: Any, reads: Pool) -> None:
    chance = seeded_random()
    await _open_house(stage.pool)
    ended = asyncio.Event()

    async def buy(seed: int) -> None:
        own = random.Random(seed)
        while not ended.is_set():
            async with reads.acquire() as connection:
                await _make(connection, own, own.randint(1, 5))
                await connection.execute(_CANCEL, str(own.random()), 1)

    async def fold() -> None:
        store = AnalyticsStore(reads)
        while not ended.is_set():
            await store.fold_sales(chance.randint(1, 30))

    tasks = [asyncio.create_task(work) for work in (buy(chance.randrange(2**32)), buy(1), fold(), fold())]
    async with reads.acquire() as connection:
        for _ in range(60):
            await _compare(connection, *_some_range(chance), 3)
            assert await connection.fetchval("select count(*) from wrong_sales()") == 0
    ended.set()
    await asyncio.gather(*tasks)
    assert await reads.fetchval("select count(*) from sales_spans") > 0


async def test_a_fold_that_is_interrupted_has_moved_nothing_and_a_second_one_does_not_wait(
    stage: Any, reads: Pool
) -> None:
    await _open_house(stage.pool)
    async with reads.acquire() as one, reads.acquire() as other:
        await _make(one, random.Random(7), 50)
        before = await _compare(other, datetime.now(UTC) - timedelta(days=365), None, 5)
        pending = await one.fetchval("select count(*) from sales_pending")
        folding = one.transaction()
        await folding.start()
        assert await one.fetchval("select fold_sales_v1(40)") == min(pending, 40)
        assert await other.fetchval("select fold_sales_v1(40)") == 0
        await _compare(other, before.range.from_, before.range.to, 5)
        await folding.rollback()
        after = await _compare(other, before.range.from_, before.range.to, 5)
        assert (after.totals, after.top_events) == (before.totals, before.top_events)
        assert await other.fetchval("select count(*) from sales_pending") == pending
        assert await other.fetchval("select count(*) from sales_spans") == 0


async def test_the_duty_goes_on_while_there_is_a_full_round_to_fold(
    stage: Any, reads: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _open_house(stage.pool)
    monkeypatch.setattr("overbookr.limits.FOLD_ROWS_PER_ROUND_MAX", 2)
    async with reads.acquire() as connection:
        await _make(connection, random.Random(3), 1)
        await _make(connection, random.Random(4), 1)
        await _make(connection, random.Random(5), 1)
    duty = SalesFolder(AnalyticsStore(reads))
    assert [await duty.run_once() for _ in range(3)] == [2, 0, 0]
    assert await reads.fetchval("select count(*) from sales_pending") == 0


async def test_a_cancellation_is_of_the_day_on_which_the_booking_was_made(stage: Any, reads: Pool) -> None:
    await _open_house(stage.pool)
    async with reads.acquire() as connection:
        await connection.execute(_MAKE, [EVENTS[1]], [3], [timedelta(days=40)])
        await connection.execute("select fold_sales_v1(10)")
        await connection.execute(_CANCEL, "", 1)
        rows = await connection.fetch("select * from sales_pending")
        made_on = (datetime.now(UTC) - timedelta(days=40)).date()
        assert [tuple(row) for row in rows] == [(EVENTS[1], made_on, 0, 1, -3)]


async def test_selling_adds_one_row_a_batch_event_and_day(stage: Any, reads: Pool) -> None:
    async with reads.acquire() as connection:
        await house.add_event(connection, SHOW, 4)
        await house.sell(connection, SHOW, "first", "ann", "A1", "A2")
        await house.sell(connection, SHOW, "second", "ann", "A3")
        assert await house.join(connection, SHOW, "entry of jon", "jon", 2) == "waiting"
        assert await house.cancel(connection, SHOW, "first") == "booking_cancelled"
        rows = await connection.fetch("select bookings, cancelled, seats from sales_pending")
    # Bought, bought, cancelled, and promoted in its place.
    assert [tuple(row) for row in rows] == [(1, 0, 2), (1, 0, 1), (0, 1, -2), (1, 0, 2)]


async def test_a_recount_puts_right_what_is_wrong_and_leaves_what_is_pending(stage: Any, reads: Pool) -> None:
    await _open_house(stage.pool)
    async with reads.acquire() as connection:
        await _make(connection, random.Random(1), 80)
        await connection.execute("select fold_sales_v1(1000)")
        await _make(connection, random.Random(2), 20)
        pending = await connection.fetchval("select count(*) from sales_pending")
        assert pending > 0
        await connection.execute("update sales_spans set seats = seats + 1 where span_days = 8")
        await connection.execute("delete from sales_days where day < (select avg(day - date '1970-01-01')::integer"
                                 " + date '1970-01-01' from sales_days)")  # fmt: skip
        assert await connection.fetchval("select recount_sales_v1()") > 0
        assert await connection.fetchval("select recount_sales_v1()") == 0
        assert await connection.fetchval("select count(*) from sales_pending") == pending
        await _compare(connection, datetime.now(UTC) - timedelta(days=365), None, 5)


async def test_what_was_sold_before_the_migration_is_counted(server: PostgresServer, tmp_path: Path) -> None:
    """Sold by the version before, and between the two migrations, when the trigger is there and its past is not."""
    dsn = server.create_database()
    earlier = [source for source in FUNCTION_SOURCES if source[0] not in ("overbookr.analytics", "overbookr.audit")]

    async def migrate_up_to(number: int) -> None:
        for file in MIGRATIONS.glob(f"000[1-{number}]_*.sql"):
            (tmp_path / file.name).write_text(file.read_text())
        await migrate(dsn, earlier, migrations=tmp_path)

    async def sell(*names: str) -> None:
        for name in names:
            await house.sell(connection, SHOW, name, f"user {name}", f"A{name}")

    await migrate_up_to(1)
    async with await open_pool(dsn, size=2, application_name="test") as pool, pool.acquire() as connection:
        await house.add_event(connection, SHOW, 9)
        await sell("1", "2", "3")
        assert await house.cancel(connection, SHOW, "1") == "booking_cancelled"
        await connection.execute("update bookings set created_at = now() - interval '70 days' where seat_nos <> '{A3}'")
        await migrate_up_to(2)
        assert await house.cancel(connection, SHOW, "2") == "booking_cancelled"
        await sell("4")
        report = await migrate(dsn, FUNCTION_SOURCES)
        assert [name[:4] for name in report.applied][:4] == ["0003", "0004", "0005", "0006"]
        assert (await AuditStore(pool).check(SHARE)).violations == {}
        assert (await _compare(connection, datetime.now(UTC) - timedelta(days=365), None, 5)).totals.total_bookings == 4
        assert await connection.fetchval("select fold_sales_v1(100)") > 0
        assert (await AuditStore(pool).check(SHARE)).violations == {}
    server.drop_database(dsn)


async def test_an_index_that_was_left_unfinished_is_finished(server: PostgresServer, tmp_path: Path) -> None:
    dsn = server.create_database()
    for file in MIGRATIONS.glob("000[1-4]_*.sql"):
        (tmp_path / file.name).write_text(file.read_text())
    await migrate(dsn, [], migrations=tmp_path)
    async with await open_pool(dsn, size=1, application_name="test") as pool:
        is_valid = "select indisvalid from pg_index where indexrelid = 'bookings_by_creation'::regclass"
        await pool.execute("update pg_index set indisvalid = false where indexrelid = 'bookings_by_creation'::regclass")
        assert await pool.fetchval(is_valid) is False
        await migrate(dsn, FUNCTION_SOURCES)
        assert await pool.fetchval(is_valid) is True
    server.drop_database(dsn)
