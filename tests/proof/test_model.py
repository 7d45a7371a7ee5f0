"""The machine that walks beside the model notices when the house does something else."""

import asyncio
from collections.abc import Callable

import pytest

from proof.model.comparison import HOLD_SEATS_MAX, SHARE
from proof.model.prove import compare, walk
from tests.house.serving import Served

pytestmark = pytest.mark.anyio

SEED = 5


async def test_a_queue_that_is_served_backwards_is_noticed(start_server: Callable[..., Served]) -> None:
    served = start_server(
        OVERBOOKR_DUTIES="off",
        OVERBOOKR_USER_MAX_SEATS_PER_EVENT=str(SHARE),
        OVERBOOKR_HOLD_MAX_SEATS=str(HOLD_SEATS_MAX),
        OVERBOOKR_HOLD_TTL_SECONDS="86400",
        OVERBOOKR_WORKERS="1",
    )
    async with compare(served) as (comparison, people):
        assert await asyncio.to_thread(walk, comparison, people, SEED, 3, 10) == []
        assert comparison.steps > 10
        pool = comparison.world.pool
        definition = await pool.fetchval("select pg_get_functiondef('next_waiter'::regproc)")
        await pool.execute(definition.replace("order by w.ticket", "order by w.ticket desc"))
        told = await asyncio.to_thread(walk, comparison, people, SEED, 100, 20)
    assert len(told) == 1, comparison.seen
    assert f"seed {SEED}" in told[0]
    assert "state = HouseMachine()" in told[0]
    assert "GET /bookings" in told[0]
