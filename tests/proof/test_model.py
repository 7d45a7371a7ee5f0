"""The machine that walks beside the model notices when the house does something else."""

import asyncio
from collections.abc import Callable

import pytest

from proof.model.comparison import HOLD_SEATS_MAX, SHARE
from proof.model.machine import HouseMachine
from proof.model.prove import compare, walk
from tests.house.serving import Served

pytestmark = pytest.mark.anyio

SEED = 5


@pytest.fixture
def house(start_server: Callable[..., Served]) -> Served:
    return start_server(
        OVERBOOKR_DUTIES="off",
        OVERBOOKR_USER_MAX_SEATS_PER_EVENT=str(SHARE),
        OVERBOOKR_HOLD_MAX_SEATS=str(HOLD_SEATS_MAX),
        OVERBOOKR_HOLD_TTL_SECONDS="86400",
        OVERBOOKR_WORKERS="1",
    )


async def test_rows_are_in_the_order_of_their_plan(house: Served) -> None:
    """Whoever waits gets the first rows of the plan, whatever their names: both say so."""

    def follow() -> None:
        machine = type("HouseMachine", (HouseMachine,), {"comparison": comparison, "base": people})()
        machine.two_events(capacity=None, is_sold_out=False, labels=["Stalls-A-1"], is_strict=False)
        machine.join(event=0, seats=4, user=0)
        machine.replace_plan(counts={"B": 3, "A": 2}, event=0)
        machine.the_house_is_as_the_model_says()
        (booking,) = machine.shows[0].model.bookings.values()
        assert booking.seat_nos == ("Stalls-B-1", "Stalls-B-2", "Stalls-B-3", "Stalls-A-1")
        machine.teardown()

    async with compare(house) as (comparison, people):
        await asyncio.to_thread(follow)


async def test_a_queue_that_is_served_backwards_is_noticed(house: Served) -> None:
    async with compare(house) as (comparison, people):
        assert await asyncio.to_thread(walk, comparison, people, SEED, 3, 10) == []
        assert comparison.steps > 10
        pool = comparison.world.pool
        definition = await pool.fetchval("select pg_get_functiondef('next_waiter'::regproc)")
        await pool.execute(definition.replace("order by w.ticket", "order by w.ticket desc"))
        try:
            told = await asyncio.to_thread(walk, comparison, people, SEED, 100, 20)
        finally:
            await pool.execute(definition)
    assert len(told) == 1, comparison.seen
    assert f"seed {SEED}" in told[0]
    assert "state = HouseMachine()" in told[0]
    assert "GET /bookings" in told[0]
