"""The restarts part's own tools: requests that break are seen, closed idle connections are not blamed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from proof.restarts.balancer import balancing
from proof.restarts.clients import Client, Record

pytestmark = pytest.mark.anyio

REQUEST = b"GET /bookings HTTP/1.1\r\nHost: proof\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
FAREWELL = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
NOT_READY = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"

Behaviour = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _server(behave: Behaviour) -> AsyncIterator[int]:
    connections = 0

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        nonlocal connections
        connections += 1
        try:
            await behave(connections, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1]
    await asyncio.gather(*serving, return_exceptions=True)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer)
    await writer.drain()


@pytest.mark.parametrize("part", [0, 20, len(ANSWER) - 1])
@pytest.mark.parametrize("by_reset", [False, True])
async def test_a_request_whose_answer_does_not_come_whole_is_on_record(part: int, by_reset: bool) -> None:
    async def behave(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, ANSWER if number > 1 else ANSWER[:part])
        if by_reset and number == 1:
            writer.transport.abort()

    record = Record()
    async with _server(behave) as port:
        client = Client(port, record)
        assert (await client.ask(REQUEST, "reads")).status == 200
        client.close()
    assert len(record.unanswered) == 1
    assert record.requests == 2


async def test_a_connection_that_closes_while_idle_is_not_blamed() -> None:
    closed = asyncio.Event()

    async def behave(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, ANSWER)
        writer.close()
        await writer.wait_closed()
        closed.set()

    record = Record()
    async with _server(behave) as port:
        client = Client(port, record)
        for _ in range(3):
            closed.clear()
            assert (await client.ask(REQUEST, "reads")).status == 200
            await closed.wait()
            await asyncio.sleep(0.05)
        client.close()
    assert record.unanswered == []
    assert record.idle_closes == 2


async def test_a_client_leaves_when_it_is_asked_to() -> None:
    async def behave(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, FAREWELL)

    record = Record()
    async with _server(behave) as port:
        client = Client(port, record)
        for _ in range(3):
            assert (await client.ask(REQUEST, "reads")).closes
    assert (record.asked_to_leave, record.unanswered, record.idle_closes) == (3, [], 0)


async def test_the_balancer_gives_new_connections_to_whoever_is_ready_and_leaves_old_ones_alone() -> None:
    ready = {"first": True, "second": False}

    def instance(name: str) -> Behaviour:
        async def behave(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /readyz"):
                    writer.write(FAREWELL if ready[name] else NOT_READY)
                    return
                body = name.encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()

        return behave

    async with (
        _server(instance("first")) as first,
        _server(instance("second")) as second,
        balancing() as balancer,
    ):
        balancer.backends = [first, second]
        await balancer.until_ready({first}, 10)
        old, record = Client(balancer.port, Record()), Record()
        assert (await old.ask(REQUEST, "reads")).body == b"first"
        ready.update(first=False, second=True)
        await balancer.until_ready({second}, 10)
        assert (await old.ask(REQUEST, "reads")).body == b"first"
        new = Client(balancer.port, record)
        assert (await new.ask(REQUEST, "reads")).body == b"second"
        old.close()
        new.close()
    assert record.unanswered == []
