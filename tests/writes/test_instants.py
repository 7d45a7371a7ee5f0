"""What happens at the very instant: a hold, a sale and a show are decided at a time, and this asks exactly at it."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from overbookr.ids import new_id
from tests.house.stage import Stage, held, hold

pytestmark = pytest.mark.anyio

TICK = timedelta(microseconds=1)
ON_SALE = "select event_is_on_sale('on_sale', $1, $2, $3, $4)"
BOOK = """select outcome from book_holds($1::timestamptz, array[$2::uuid], array[$3::uuid], array[$4::uuid],
                                         array[null::integer], array[gen_random_uuid()], array['a key'])"""


async def expiry_of(stage: Stage, hold_id: UUID) -> datetime:
    instant: datetime = await stage.pool.fetchval("select expires_at from holds where hold_id = $1", hold_id)
    return instant


async def test_a_hold_can_be_booked_until_its_instant_and_not_at_it(stage: Stage) -> None:
    event_id, user = await stage.event(2), new_id()
    async with stage.writer() as writer:
        first, second = await held(writer, event_id, user, "S1"), await held(writer, event_id, user, "S2")
    at_the_end = await expiry_of(stage, first.hold_id)
    late = await stage.pool.fetchval(BOOK, at_the_end, event_id, first.hold_id, user)
    assert late == "hold_expired"
    in_time = await stage.pool.fetchval(
        BOOK, await expiry_of(stage, second.hold_id) - TICK, event_id, second.hold_id, user
    )
    assert in_time == "hold_booked"


async def test_a_hold_ends_at_its_instant_and_not_before(stage: Stage) -> None:
    event_id = await stage.event(1)
    async with stage.writer() as writer:
        placed = hold(event_id, new_id(), "S1")
        await writer.place_hold(placed)
    end = await expiry_of(stage, placed.hold_id)
    settle = "select expire_due_holds(array[$1::uuid], $2::timestamptz, 10)"
    assert await stage.pool.fetchval(settle, event_id, end - TICK) == 0
    assert await stage.statuses(event_id) == {"S1": "held"}
    assert await stage.pool.fetchval(settle, event_id, end) == 1
    assert await stage.statuses(event_id) == {"S1": "available"}
    ended = await stage.pool.fetchrow("select status, ended_at from holds where hold_id = $1", placed.hold_id)
    assert ended is not None
    assert tuple(ended) == ("expired", end)
    await stage.assert_lawful()


async def test_a_sale_begins_at_its_instant_and_ends_before_the_last(stage: Stage) -> None:
    opens = datetime.fromisoformat("2031-01-01T12:00:00+00:00")
    closes, begins = opens + timedelta(hours=1), opens + timedelta(hours=2)

    async def sells(at: datetime, *, opens: datetime | None, closes: datetime | None) -> bool:
        sells: bool = await stage.pool.fetchval(ON_SALE, begins, opens, closes, at)
        return sells

    assert [await sells(at, opens=opens, closes=closes) for at in (opens - TICK, opens)] == [False, True]
    assert [await sells(at, opens=opens, closes=closes) for at in (closes - TICK, closes)] == [True, False]
    assert [await sells(at, opens=None, closes=None) for at in (begins - TICK, begins)] == [True, False]
