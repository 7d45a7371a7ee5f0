"""What was booked, against data that is known to the seat."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from overbookr.analytics.model import RangeRefusal, StatusCount, TotalBookings, Totals
from overbookr.analytics.store import AnalyticsStore
from overbookr.database.pool import Pool
from tests.audit import house
from tests.audit.house import identifier

pytestmark = pytest.mark.anyio

GLOBE, ROSE = identifier("globe"), identifier("rose")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def _sell(pool: Pool, event_id: UUID, name: str, at: str, *seat_nos: str, cancelled: bool = False) -> None:
    async with pool.acquire() as connection:
        await house.sell(connection, event_id, name, f"user {name}", *seat_nos)
        if cancelled:
            assert await house.cancel(connection, event_id, name) == "booking_cancelled"
        await connection.execute(
            "update bookings set created_at = $2 where booking_id = $1", identifier(name), moment(at)
        )


@pytest.fixture
async def store(pool: Pool) -> AnalyticsStore:
    """Six bookings around the end of February 2024, one of them cancelled, at two events and a deleted one."""
    async with pool.acquire() as connection:
        await house.add_event(connection, GLOBE, 10, capacity=8)
        await house.add_event(connection, ROSE, 5)
        await connection.execute("update events set name = 'Globe' where event_id = $1", GLOBE)
        await connection.execute("update events set name = 'Rose' where event_id = $1", ROSE)
    await _sell(pool, GLOBE, "before", "2024-02-27T23:59:59.999999", "A1")
    await _sell(pool, GLOBE, "first", "2024-02-28T00:00:00", "A2", "A3")
    await _sell(pool, GLOBE, "gone", "2024-02-28T12:00:00", "A4", "A5", "A6", cancelled=True)
    await _sell(pool, ROSE, "leap", "2024-02-29T12:00:00", "A1", "A2")
    await _sell(pool, ROSE, "last", "2024-02-29T23:59:59.999999", "A3")
    await _sell(pool, GLOBE, "after", "2024-03-01T00:00:00", "A7")
    return AnalyticsStore(pool)


async def _ask(store: AnalyticsStore, start: str, end: str, top: int = 10) -> TotalBookings:
    answer = await store.total_bookings(moment(start), moment(end), top)
    assert isinstance(answer, TotalBookings)
    return answer


async def test_a_range_counts_both_its_ends_and_no_seat_that_was_cancelled(store: AnalyticsStore) -> None:
    answer = await _ask(store, "2024-02-28T00:00:00", "2024-02-29T23:59:59.999999")
    assert answer.totals == Totals(total_bookings=4, total_seats_booked=5, total_cancellations=1, total_active=3)
    assert [(one.day, one.bookings, one.seats_booked) for one in answer.by_day] == [
        (moment("2024-02-28"), 2, 2),
        (moment("2024-02-29"), 2, 3),
    ]
    assert answer.by_status == [StatusCount("active", 3), StatusCount("cancelled", 1)]
    assert [(one.name, one.bookings_count, one.seats_booked) for one in answer.top_events] == [
        ("Rose", 2, 3),
        ("Globe", 2, 2),
    ]
    # Of the Globe's ten seats eight may be sold; four are, of which two in the range.
    assert [(one.name, one.capacity, one.booked_count) for one in answer.top_events] == [
        ("Rose", 5, 3),
        ("Globe", 8, 4),
    ]
    assert [
        (one.name, one.capacity, one.booked_count, one.bookings_seats_in_range) for one in answer.event_utilization
    ] == [
        ("Globe", 8, 4, 2),
        ("Rose", 5, 3, 3),
    ]


async def test_the_ends_are_exact_to_the_microsecond(store: AnalyticsStore) -> None:
    assert (await _ask(store, "2024-02-27T23:59:59.999999", "2024-03-01T00:00:00")).totals.total_bookings == 6
    assert (await _ask(store, "2024-02-28T00:00:00.000001", "2024-02-29T23:59:59.999998")).totals.total_bookings == 2
    assert (await _ask(store, "2024-02-29T12:00:00", "2024-02-29T12:00:00")).totals.total_bookings == 1


async def test_days_are_those_of_utc_whatever_the_session_thinks(pool: Pool, store: AnalyticsStore) -> None:
    async with pool.acquire() as connection:
        database = await connection.fetchval("select current_database()")
        await connection.execute(f"alter database {database} set timezone = 'Pacific/Kiritimati'")
        await connection.execute("set timezone = 'Pacific/Kiritimati'")
    answer = await _ask(store, "2024-02-28", "2024-02-29T23:59:59.999999")
    assert [one.day for one in answer.by_day] == [moment("2024-02-28"), moment("2024-02-29")]


async def test_no_more_events_than_asked_for_and_equals_in_order_of_their_names(
    pool: Pool, store: AnalyticsStore
) -> None:
    answer = await _ask(store, "2024-02-28", "2024-02-29", 1)
    assert [one.name for one in answer.top_events] == [one.name for one in answer.event_utilization] == ["Globe"]
    await pool.execute("update events set name = 'Zoo' where event_id = $1", GLOBE)
    same = await _ask(store, "2024-02-28T00:00:00", "2024-02-29T12:00:00")
    assert [(one.name, one.seats_booked) for one in same.top_events] == [("Rose", 2), ("Zoo", 2)]


async def test_a_deleted_event_still_counts_where_it_was_booked(pool: Pool, store: AnalyticsStore) -> None:
    async with pool.acquire() as connection:
        for name in ("leap", "last"):
            assert await house.cancel(connection, ROSE, name) == "booking_cancelled"
        assert await connection.fetchval("select delete_event_v1($1, 10)", ROSE) == "event_deleted"
    answer = await _ask(store, "2024-02-29T00:00:00", "2024-03-01T00:00:00")
    assert answer.totals == Totals(3, 1, 2, 1)
    assert [(one.name, one.bookings_count, one.seats_booked) for one in answer.top_events] == [
        ("Globe", 1, 1),
        ("Rose", 2, 0),
    ]
    assert [one.name for one in answer.event_utilization] == ["Globe", "Rose"]
    elsewhere = await _ask(store, "2024-03-01T00:00:00", "2024-03-02T00:00:00")
    assert [one.name for one in elsewhere.event_utilization] == ["Globe"]


async def test_without_a_range_it_is_the_last_thirty_days_by_the_database_clock(
    pool: Pool, store: AnalyticsStore
) -> None:
    await _sell(pool, ROSE, "recent", "2024-01-01", "A4")
    await pool.execute(
        "update bookings set created_at = now() - interval '29 days' where booking_id = $1", identifier("recent")
    )
    before = await pool.fetchval("select now()")
    answer = await store.total_bookings(None, None, 10)
    assert isinstance(answer, TotalBookings)
    assert answer.totals.total_bookings == 1
    assert answer.range.to - answer.range.from_ == timedelta(days=30)
    assert before <= answer.range.to <= await pool.fetchval("select now()")


async def test_there_are_no_bookings_where_there_are_none(store: AnalyticsStore) -> None:
    answer = await _ask(store, "2001-01-01", "2001-12-31")
    assert answer.totals == Totals(0, 0, 0, 0)
    assert (answer.by_day, answer.top_events, answer.by_status) == ([], [], [])
    assert {one.bookings_seats_in_range for one in answer.event_utilization} == {0}


async def test_a_range_that_is_none_is_refused(store: AnalyticsStore) -> None:
    assert await store.total_bookings(datetime(2999, 1, 1, tzinfo=UTC), None, 10) is RangeRefusal.UPSIDE_DOWN
    assert (
        await store.total_bookings(moment("2024-01-01"), moment("2025-01-01T00:00:00.000001"), 10)
        is RangeRefusal.TOO_LONG
    )


async def test_all_numbers_are_of_one_instant(
    pool: Pool, store: AnalyticsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A booking that commits between two of the questions is in none of the answers."""
    async with pool.acquire() as other:
        await house.add_event(other, uuid4(), 3)
        connection_class = type(other._con)  # type: ignore[attr-defined]
        fetch = connection_class.fetch
        asked = []

        async def fetch_then_meddle(self: object, query: str, *arguments: object, **options: object) -> object:
            rows = await fetch(self, query, *arguments, **options)
            asked.append(query)
            if len(asked) == 1:
                await other.execute(
                    "update bookings set created_at = '2024-02-29' where booking_id = $1", identifier("before")
                )
                await other.execute(
                    "update bookings set status = 'cancelled', cancelled_at = now() where status = 'active'"
                )
            return rows

        monkeypatch.setattr(connection_class, "fetch", fetch_then_meddle)
        answer = await _ask(store, "2024-02-28T00:00:00", "2024-02-29T23:59:59.999999")
    assert len(asked) > 1
    assert answer.totals.total_bookings == sum(one.bookings for one in answer.by_day) == 4
    assert answer.totals.total_seats_booked == sum(one.seats_booked for one in answer.top_events) == 5
    assert answer.by_status == [StatusCount("active", 3), StatusCount("cancelled", 1)]
