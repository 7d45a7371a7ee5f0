"""Somebody sits on a lock: buyers hear so within a bound, nothing else suffers, and afterwards all is well."""

import asyncio
import re
import time
import uuid

import asyncpg
import httpx
import pytest

from overbookr import limits
from overbookr.database.pool import STATEMENT_TIMEOUT_MS
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio

# A command waits for its turn, then its batch for the event's lock and for the seat's; the rest is for a slow machine.
ANSWER_SECONDS_MAX = limits.LANE_WAIT_SECONDS_MAX + STATEMENT_TIMEOUT_MS / 1000 + 2.0


async def test_a_locked_seat_is_answered_in_time_and_harms_no_reader(world: World) -> None:
    event_id, other_event_id = await world.event(60), await world.event(1)
    buyers = await world.users(50)
    slowest_read = 0.0
    locker = await asyncpg.connect(world.served.dsn)
    transaction = locker.transaction()
    await transaction.start()
    try:
        await locker.execute(
            "select 1 from seats where event_id = $1 and seat_no = 'S1' for update", uuid.UUID(event_id)
        )

        async def timed(number: int) -> tuple[httpx.Response, float]:
            started = time.monotonic()
            answer = await world.hold(buyers[number], event_id, "S1", f"S{number + 2}")
            return answer, time.monotonic() - started

        holding = [asyncio.create_task(timed(number)) for number in range(50)]
        while not all(task.done() for task in holding):
            started = time.monotonic()
            for url in ("/events", f"/events/{event_id}/seats", f"/events/{other_event_id}", "/readyz"):
                assert (await world.http.get(url)).status_code == 200
            slowest_read = max(slowest_read, (time.monotonic() - started) / 4)
            await asyncio.sleep(0.05)
        answers = [task.result() for task in holding]
    finally:
        await transaction.rollback()
        await locker.close()
    print(f"slowest answer {max(seconds for _, seconds in answers):.1f} s, slowest reads {slowest_read:.2f} s")
    for answer, seconds in answers:
        assert code_of(answer) == (503, "busy"), answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert seconds < ANSWER_SECONDS_MAX
    assert slowest_read < 1.0
    # Nothing of it was done, and everything can be done now.
    assert set((await world.seat_statuses(event_id)).values()) == {"available"}
    after = await world.hold(buyers[0], event_id, "S1")
    assert after.status_code == 201
    assert (await world.hold(buyers[1], other_event_id, "S1")).status_code == 201
    await world.assert_lawful()


async def test_a_lock_that_is_let_go_in_time_costs_nobody_the_seat(world: World) -> None:
    event_id = await world.event(1)
    buyers = await world.users(10)
    async with asyncpg.create_pool(world.served.dsn, min_size=1, max_size=1) as pool, pool.acquire() as locker:
        transaction = locker.transaction()
        await transaction.start()
        await locker.execute("select lock_events(array[$1::uuid])", uuid.UUID(event_id))
        holding = [asyncio.create_task(world.hold(buyer, event_id, "S1")) for buyer in buyers]
        await asyncio.sleep(0.5)
        assert not any(task.done() for task in holding)
        await transaction.rollback()
        answers = [await task for task in holding]
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    await world.assert_lawful()


async def test_a_database_connection_that_is_out_of_its_pool_is_counted(world: World) -> None:
    event_id, buyer = await world.event(1), await world.user()

    async def in_use() -> float:
        text = (await world.http.get("/metrics")).text
        found = re.findall(r"^overbookr_database_connections_in_use\{.*\} (\S+)$", text, re.MULTILINE)
        assert found
        return sum(float(value) for value in found)

    async with asyncpg.create_pool(world.served.dsn, min_size=1, max_size=1) as pool, pool.acquire() as locker:
        transaction = locker.transaction()
        await transaction.start()
        await locker.execute("select lock_events(array[$1::uuid])", uuid.UUID(event_id))
        holding = asyncio.create_task(world.hold(buyer, event_id, "S1"))
        async with asyncio.timeout(10):
            while not await in_use():
                await asyncio.sleep(0.05)
        await transaction.rollback()
        assert (await holding).status_code in (201, 503)
    async with asyncio.timeout(10):
        while await in_use():
            await asyncio.sleep(0.05)
