"""An instance that is told to stop and has time to drain: it says so, serves on, and lets its clients go."""

import asyncio
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from overbookr import limits
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


async def test_who_does_not_read_does_not_hold_up_an_instance_that_stops(database: str, tmp_path: Path) -> None:
    served = await asyncio.to_thread(
        serve, database, tmp_path, {"OVERBOOKR_DUTIES": "off", "OVERBOOKR_WORKERS": "1", "OVERBOOKR_IDLE_SECONDS": "60"}
    )
    try:
        with await _unread_connection(int(served.url.rsplit(":", 1)[1])):
            began = time.monotonic()
            assert await asyncio.to_thread(served.stop) == 0
            assert time.monotonic() - began >= limits.STOP_UNREAD_SECONDS, "it was read after all"
            assert "refused to gracefully stop" not in served.log
    finally:
        await asyncio.to_thread(served.stop)


async def _unread_connection(port: int) -> socket.socket:
    """One with an answer that is not read and that the kernel has taken a part of only.

    It takes all of it until the server's socket has been told otherwise, a moment after the server is ready.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        while True:
            end = socket.socket()
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            end.setblocking(False)
            await loop.sock_connect(end, ("127.0.0.1", port))
            await loop.sock_sendall(end, b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n")
            while (unread := _unread_bytes(port, end.getsockname()[1])) < limits.UNSENT_BYTES_MAX:
                await asyncio.sleep(0.01)
            if unread <= 2 * limits.UNSENT_BYTES_MAX:
                return end
            end.close()


def _unread_bytes(port: int, client_port: int) -> int:
    """What the kernel has in hand for a client of the server on this port."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if (int(local[-4:], 16), int(remote[-4:], 16)) == (port, client_port):
            return int(queues.partition(":")[0], 16)
    return 0
