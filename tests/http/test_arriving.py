"""Bodies that come slowly, stop halfway, or are larger than announced, and what they cost those who behave."""

import asyncio
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from overbookr import limits
from overbookr.http.admission import Admission
from overbookr.http.arriving import Arrivals, in_time
from overbookr.http.body_bounds import BODY_LIMIT
from overbookr.http.front import Front
from overbookr.http.problem import Refused
from tests.http.conftest import serving

pytestmark = pytest.mark.anyio

SOON = 0.3


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body."""
    if str(scope["type"]) != "http":
        return
    size = 0
    while True:
        message = cast("dict[str, Any]", await receive())
        size += len(message["body"])
        if not message.get("more_body"):
            break
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@asynccontextmanager
async def house(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(front) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client


@asynccontextmanager
async def half_sent(
    client: httpx.AsyncClient, head: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which this was sent; it is gone afterwards, whatever was found."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    try:
        writer.write(head)
        yield reader, writer
    finally:
        writer.transport.abort()


HALF = b"POST /holds HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
HALF_CHUNKED = b"POST /holds HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{    \r\n"
HALF_PLAN = b"PUT /events/1/seating-plan HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n{"


@pytest.mark.parametrize("head", [HALF, HALF_CHUNKED], ids=["length", "chunked"])
async def test_a_body_that_stops_halfway_is_answered_and_its_connection_closed(head: bytes) -> None:
    head = head.replace(b"Host: a", b"Host: a\r\nX-Request-Id: mine")
    async with house(Front(echo, idle_seconds=SOON)) as client, half_sent(client, head) as (reader, _):
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert b'"code":"request_timeout"' in answer
        assert b'"instance":"mine"' in answer
        assert b"x-request-id: mine" in answer
        assert b"x-content-type-options: nosniff" in answer


async def test_half_sent_bodies_take_nobody_elses_room() -> None:
    front = Front(echo, admission=Admission(floor=1, ceiling=1))
    async with house(front) as client, AsyncExitStack() as rude:
        for head in (HALF, HALF_CHUNKED) * 20:
            await rude.enter_async_context(half_sent(client, head))
        await _until_waiting(front, 40)
        assert front.in_flight == 0
        for path in ("/holds", "/bookings", "/users/login"):
            assert (await client.post(path, json={"a": 1})).status_code == 200


async def _until_waiting(front: Front, parts: int) -> None:
    """Until so many bodies have begun, each of which sends at least a byte, or one was let in."""
    async with asyncio.timeout(20):
        while front._arrivals._bytes < parts and front.in_flight == 0:
            await asyncio.sleep(0.01)


async def test_refused_bodies_take_nobody_elses_room_while_the_rest_of_them_is_awaited() -> None:
    front = Front(echo, admission=Admission(floor=1, ceiling=1))
    async with house(front) as client, AsyncExitStack() as rude:
        for _ in range(10):
            head = HALF.replace(b"Length: 50", b"Length: 10000000")
            reader, _ = await rude.enter_async_context(half_sent(client, head))
            assert (await asyncio.wait_for(reader.readline(), 20)).startswith(b"HTTP/1.1 413")
        assert front.in_flight == 0
        assert (await client.post("/holds", json={})).status_code == 200


async def test_a_slow_body_is_taken_when_it_is_there_in_time() -> None:
    async with house(Front(echo, idle_seconds=20)) as client, half_sent(client, HALF) as (reader, writer):
        for _ in range(7):
            await asyncio.sleep(0.01)
            writer.write(b" " * 7)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n50"), 20)
        assert head.startswith(b"HTTP/1.1 200")
        # The connection is good for another request.
        writer.write(HALF + b" " * 49)
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n50"), 20)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("size", [0, 1, BODY_LIMIT])
async def test_a_body_arrives_whole(size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 5_000):
            yield b" " * min(5_000, size - start)

    async with house(Front(echo)) as client:
        assert (await client.post("/holds", content=b" " * size)).text == str(size)
        assert (await client.post("/holds", content=pieces())).text == str(size)
        assert (await client.request("DELETE", "/bookings/1", content=b" " * size)).text == str(size)
        assert (await client.delete("/bookings/1")).text == "0"


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind() -> None:
    front = Front(echo)
    async with house(front) as client:
        async with half_sent(client, HALF):
            await _until_waiting(front, 1)
        async with asyncio.timeout(20):
            while front._arrivals._bytes:
                await asyncio.sleep(0.01)
        assert front.in_flight == 0


async def test_a_large_body_has_its_time_as_well() -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    messages = [{"type": "http.request", "body": b"a", "more_body": True}]

    async def halfway() -> Any:
        return messages.pop() if messages else await never()

    receive = in_time(halfway, 0.05)
    assert (await receive())["more_body"]  # type: ignore[typeddict-item]
    with pytest.raises(Refused, match="request_timeout"):
        await asyncio.wait_for(cast("Any", receive()), 20)


async def test_after_its_end_a_body_has_no_deadline() -> None:
    """A stream goes on asking, for hours, whether its listener has left."""
    left = asyncio.Event()
    messages = [{"type": "http.request", "body": b"a", "more_body": False}]

    async def whole() -> Any:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    receive = in_time(whole, 0.05)
    assert not (await receive())["more_body"]  # type: ignore[typeddict-item]
    asyncio.get_running_loop().call_later(0.2, left.set)
    assert (await asyncio.wait_for(cast("Any", receive()), 20))["type"] == "http.disconnect"


async def test_what_half_sent_bodies_take_of_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODIES_ARRIVING_BYTES_MAX", 100_000)
    arrivals = Arrivals(20)
    never = asyncio.Event()

    def sending(*sizes: int) -> Receive:
        left = list(sizes)

        async def receive() -> Any:
            if not left:
                await never.wait()
            return {"type": "http.request", "body": b" " * left.pop(0), "more_body": True}

        return receive

    waiting = [asyncio.create_task(arrivals.gather(sending(30_000, 1))) for _ in range(3)]
    async with asyncio.timeout(20):
        while arrivals._bytes < 90_003:
            await asyncio.sleep(0)
    assert await asyncio.wait_for(arrivals.gather(sending(10_000)), 20) == "busy"
    # Who has sent little is not the one who takes the room.
    small = asyncio.create_task(arrivals.gather(sending(limits.BODY_PART_BYTES_MAX)))
    while arrivals._bytes < 90_003 + limits.BODY_PART_BYTES_MAX:
        await asyncio.sleep(0)
    assert not small.done()
    for task in (*waiting, small):
        task.cancel()
    await asyncio.gather(*waiting, small, return_exceptions=True)
    assert arrivals._bytes == 0


async def test_a_body_in_crumbs_takes_little_more_memory_than_it_is_long() -> None:
    never = asyncio.Event()
    crumbs = BODY_LIMIT // 2

    async def receive() -> Any:
        nonlocal crumbs
        if not crumbs:
            await never.wait()
        crumbs -= 1
        return {"type": "http.request", "body": crumbs.to_bytes(2, "big"), "more_body": True}

    arrivals = Arrivals(20)
    tracemalloc.start()
    try:
        gathering = asyncio.create_task(arrivals.gather(receive))
        while crumbs:
            await asyncio.sleep(0)
        assert arrivals._bytes == BODY_LIMIT
        assert tracemalloc.get_traced_memory()[0] < 4 * BODY_LIMIT
    finally:
        tracemalloc.stop()
    gathering.cancel()
    await asyncio.gather(gathering, return_exceptions=True)


async def test_the_name_of_the_refusal_is_in_the_metrics_as_no_route() -> None:
    from overbookr.telemetry import render_metrics

    def counted() -> float:
        found = re.search(
            r'overbookr_http_request_seconds_count\{method="POST",path="unmatched",status="408"\} (\S+)',
            render_metrics()[0].decode(),
        )
        return 0.0 if found is None else float(found[1])

    before = counted()
    async with house(Front(echo, idle_seconds=SOON)) as client, half_sent(client, HALF) as (reader, _):
        await asyncio.wait_for(reader.read(), 20)
    assert counted() == before + 1


@pytest.mark.parametrize("method", ["HEAD", "POST"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"content-length", b"10000000")], b" " * 10_000_000),
        ([(b"transfer-encoding", b"chunked")], b" " * 10_000_000),
        ([(b"content-length", b"2"), (b"content-type", b"text/plain")], b"{}"),
        ([(b"content-length", b"many")], b"{}"),
    ],
    ids=["announced", "chunked", "type", "odd length"],
)
async def test_a_refusal_is_ended_once(method: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    told: list[dict[str, Any]] = []

    async def receive() -> Any:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        told.append(dict(message))

    front = Front(echo)
    scope = {"type": "http", "http_version": "1.1", "method": method, "path": "/holds", "headers": headers}
    await front(cast("Scope", scope), receive, send)
    assert [message["type"] for message in told].count("http.response.start") == 1
    assert [message.get("more_body", False) for message in told[1:]].count(False) == 1
    assert not told[-1].get("more_body", False)
    assert front.in_flight == 0
