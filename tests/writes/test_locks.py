"""Whoever changes an event waits for its lock first and decides then: here each waits while somebody is quicker."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from overbookr.ids import new_id
from tests.house.stage import SHARE, TIME_TO_LIVE, Stage, booked, cancel, held, join

pytestmark = pytest.mark.anyio

HOLD_S1 = """select outcome from place_holds(clock_timestamp(), $2::interval, $3, false, array[$1::uuid],
                                             array[gen_random_uuid()], array[gen_random_uuid()],
                                             array[null::integer], array[null::text], array[1], array['S1'])"""
# What an organiser or a waiter asks, and the answer that is right once S1 is held.
CALLS = {
    "block": ("select outcome from block_seats_v1($1, array['S1'], true, null, $2)", "seats_unavailable"),
    "plan": (
        """select outcome from replace_plan_v1($1, '{}', array[gen_random_uuid()], array['S2'], array['S2'], array[1],
                                               array['Z'], array['1'], array['A'], array['g'], $2)""",
        "seats_in_use",
    ),
    "event": ("""select update_event_v1($1, '{"capacity": 1, "name": "Late"}', $2)""", "capacity_in_use"),
    "deletion": ("select delete_event_v1($1, $2)", "event_in_use"),
}


async def answer_after(
    stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]", event_id: UUID, query: str, meanwhile: Any
) -> Any:
    """The answer of a query that was asked before `meanwhile` was done, by somebody who had the lock by then."""
    async with connection.transaction():
        await connection.execute("select lock_events(array[$1::uuid])", event_id)
        asking = asyncio.create_task(stage.pool.fetchval(query, event_id, SHARE))
        await stage.until_it_waits(asking)
        await meanwhile()
    return await asking


@pytest.mark.parametrize("call", CALLS)
async def test_an_organiser_sees_the_hold_that_was_quicker(
    stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]", call: str
) -> None:
    event_id = await stage.event(2)
    if call != "deletion":
        async with stage.writer() as writer:
            await booked(writer, event_id, new_id(), "S2")
    query, expected = CALLS[call]

    async def hold_s1() -> None:
        assert await connection.fetchval(HOLD_S1, event_id, TIME_TO_LIVE, SHARE) == "hold_placed"

    assert await answer_after(stage, connection, event_id, query, hold_s1) == expected
    assert await stage.statuses(event_id) == {"S1": "held", "S2": "available" if call == "deletion" else "booked"}
    await stage.assert_lawful()


async def test_no_seats_are_added_to_an_event_that_was_deleted_meanwhile(
    stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    event_id = await stage.event()
    query = "select add_seats_v1($1, array[gen_random_uuid()], array['S1'], array['S1'], $2)"

    async def delete() -> None:
        await connection.execute("select delete_event_v1($1, $2)", event_id, SHARE)

    assert await answer_after(stage, connection, event_id, query, delete) is False
    assert await stage.statuses(event_id) == {}
    await stage.assert_lawful()


async def test_nobody_leaves_the_queue_after_being_served(
    stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    event_id, waiter = await stage.event(1), new_id()
    async with stage.writer() as writer:
        sold = await booked(writer, event_id, new_id(), "S1")
        await writer.join_waitlist(join(event_id, waiter, 1))
    query = f"select leave_waitlist_v1($1, '{waiter}', $2)"

    async def cancel_it() -> None:
        command = cancel(sold)
        outcome = await connection.fetchval(
            """select outcome from cancel_bookings(clock_timestamp(), $1, array[$2::uuid], array[$3::uuid],
                                                   array[false])""",
            SHARE,
            event_id,
            command.booking_id,
        )
        assert outcome == "booking_cancelled"

    assert await answer_after(stage, connection, event_id, query, cancel_it) is False
    assert await stage.count("select count(*) from bookings where user_id = $1 and status = 'active'", waiter) == 1
    await stage.assert_lawful()


async def test_the_worker_finds_done_what_somebody_did_before_it_had_the_lock(
    stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    event_id, waiter = await stage.event(1), new_id()
    async with stage.writer() as writer:
        lapsed = await held(writer, event_id, new_id(), "S1")
        await writer.join_waitlist(join(event_id, waiter, 1))
    await stage.lapse(lapsed.hold_id)
    settle = "select settle_due_events_v1(10, $2::integer) where $1::uuid is not null"

    async def settle_it() -> None:
        await connection.execute("select settle_events(array[$1::uuid], clock_timestamp(), $2)", event_id, SHARE)

    assert await answer_after(stage, connection, event_id, settle, settle_it) == 1
    assert await stage.count("select count(*) from bookings where user_id = $1", waiter) == 1
    assert await stage.count("select count(*) from seat_changes where event_id = $1", event_id) == 4
    await stage.assert_lawful(quiescent=True)


async def test_events_are_locked_in_one_order(
    stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]", database: str
) -> None:
    """Whoever waits for an event has locked none that comes after it, in whatever order they were named."""
    first, last = sorted([await stage.event(), await stage.event()])
    bystander = await asyncpg.connect(database)
    for round_number in range(8):
        named = [first, last] if round_number % 2 else [last, first]
        async with connection.transaction():
            await connection.execute("select lock_events(array[$1::uuid])", first)
            waiting = asyncio.create_task(stage.pool.execute("select lock_events($1::uuid[])", named))
            await stage.until_it_waits(waiting)
            async with bystander.transaction():
                free = "select count(*) from (select 1 from events where event_id = $1 for no key update skip locked) e"
                assert await bystander.fetchval(free, last) == 1
        await waiting
    await bystander.close()
