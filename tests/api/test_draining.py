"""An instance that is told to stop and has time to drain: it says so, serves on, and lets its clients go."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.house.serving import Served, serve
from tests.house.world import open_world

pytestmark = pytest.mark.anyio

DRAIN_SECONDS = 2


@pytest.fixture
async def draining(database: str, tmp_path: Path) -> AsyncIterator[Served]:
    served = await asyncio.to_thread(
        serve, database, tmp_path, {"OVERBOOKR_DRAIN_SECONDS": str(DRAIN_SECONDS), "OVERBOOKR_DUTIES": "off"}
    )
    yield served
    await asyncio.to_thread(served.stop)


async def _until_unready(http: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(10):
        while (answer := await http.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.02)
    return answer


async def test_a_stopping_instance_is_unready_first_and_closes_connections_with_its_answers(draining: Served) -> None:
    async with open_world(draining) as world:
        event_id, buyer = await world.event(3), await world.user()
        await world.held(buyer, event_id, "S1")
        began = asyncio.get_running_loop().time()
        draining.process.send_signal(signal.SIGTERM)
        async with httpx.AsyncClient(base_url=draining.url, timeout=20) as balancer:
            answer = await _until_unready(balancer)
        assert answer.status_code == 503
        assert answer.json()["checks"]["draining"] != "ok"
        # A service manager may tell every process of a service, so a second one must not end the drain.
        draining.process.send_signal(signal.SIGTERM)
        last = await world.book(buyer, event_id, await world.held(buyer, event_id, "S2"))
        assert last.status_code == 201
        assert last.headers["connection"] == "close"
        status = await asyncio.to_thread(draining.process.wait, 20)
        assert status == 0
        assert asyncio.get_running_loop().time() - began >= DRAIN_SECONDS
        with pytest.raises(httpx.TransportError):
            await world.http.get("/healthz")
        await world.assert_lawful()


async def test_without_a_drain_what_was_begun_is_answered_before_an_instance_ends(
    database: str, tmp_path: Path
) -> None:
    served = await asyncio.to_thread(serve, database, tmp_path, {"OVERBOOKR_DUTIES": "off"})
    try:
        async with open_world(served) as world:
            event_id, buyers = await world.event(40), await world.users(40)
            locker = await asyncpg.connect(database)
            transaction = locker.transaction()
            await transaction.start()
            await locker.execute("select lock_events(array[$1::uuid])", uuid.UUID(event_id))
            holding = [
                asyncio.create_task(world.hold(buyer, event_id, f"S{number}"))
                for number, buyer in enumerate(buyers, start=1)
            ]
            async with asyncio.timeout(10):
                while not await world.pool.fetchval(
                    """select count(*) from pg_stat_activity
                        where wait_event_type = 'Lock' and datname = current_database()"""
                ):
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            served.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            assert served.process.poll() is None
            await transaction.rollback()
            await locker.close()
            answers = await asyncio.gather(*holding)
            assert {answer.status_code for answer in answers} == {201}
            assert await asyncio.to_thread(served.process.wait, 20) == 0
            await world.assert_lawful()
    finally:
        await asyncio.to_thread(served.stop)
