"""Answers that are too long to be given to the server whole, and clients that read them slowly, or not at all."""

import asyncio
import gzip
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from overbookr import limits
from overbookr.http.admission import Admission
from overbookr.http.front import Front, ReadyAnswer
from overbookr.http.long_answers import LongAnswers
from overbookr.processes import end_unread_connections
from tests.http.conftest import serving

pytestmark = pytest.mark.anyio

PART = limits.LONG_ANSWER_PART_BYTES
LONG = os.urandom(limits.LONG_ANSWER_BYTES_MIN + 1)
VERY_LONG = os.urandom(40 * PART)
# More than the kernel takes for one connection whatever it is told, and the server beside it.
ENDLESS = bytes(32 * 2**20)
Way = Callable[[bytes], Front]


def headers_of(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % len(body))]


def by_a_route(body: bytes) -> Front:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http":
            return
        told = body if cast("str", cast("dict[str, Any]", scope)["path"]) != "/short" else b"short"
        await send({"type": "http.response.start", "status": 200, "headers": headers_of(told)})
        await send({"type": "http.response.body", "body": told, "more_body": False})

    return Front(app, admission=Admission(floor=1, ceiling=2))


def lying_ready(body: bytes) -> Front:
    front = by_a_route(body)
    answer = ReadyAnswer(200, headers_of(body), body, "/long")
    front._ready = lambda scope: answer if scope["path"] != "/short" else None
    return front


WAYS = pytest.mark.parametrize("way", [by_a_route, lying_ready])


class Client:
    """Asks a front directly and takes so many parts of the answer; until it leaves, more are awaited."""

    def __init__(self, front: Front, *, takes: int = 2**40, method: str = "GET", path: str = "/long") -> None:
        self._front = front
        self._takes = takes
        self._scope = {"type": "http", "http_version": "1.1", "method": method, "path": path, "headers": []}
        self.told: list[dict[str, Any]] = []
        self.is_stuck = asyncio.Event()
        self.has_left = asyncio.Event()
        self._asked = False

    @property
    def parts(self) -> list[bytes]:
        return [message["body"] for message in self.told[1:]]

    async def ask(self) -> "Client":
        await asyncio.wait_for(self._front(cast("Scope", self._scope), self._receive, self._send), 20)
        return self

    def leave(self) -> None:
        self.has_left.set()

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        # A server takes what is sent to somebody who has left, as it does with the parts that it has room for.
        self.told.append(dict(message))
        if len(self.told) - 1 > self._takes and not self.has_left.is_set():
            self.is_stuck.set()
            await self.has_left.wait()


@asynccontextmanager
async def stuck(front: Front, takes: int = 1) -> AsyncIterator[tuple[Client, asyncio.Task[Client]]]:
    """A client that takes so many parts, and then none; it has left afterwards."""
    client = Client(front, takes=takes)
    asking = asyncio.create_task(client.ask())
    try:
        await asyncio.wait_for(client.is_stuck.wait(), 20)
        yield client, asking
    finally:
        client.leave()
        await asking


@WAYS
@pytest.mark.parametrize("body", [LONG, VERY_LONG, VERY_LONG[:-1]], ids=["long", "whole parts", "a shorter last one"])
async def test_a_long_answer_is_given_in_parts(way: Way, body: bytes) -> None:
    front = way(body)
    client = await Client(front).ask()
    assert [message["type"] for message in client.told].count("http.response.start") == 1
    assert b"".join(client.parts) == body
    assert max(map(len, client.parts)) == PART
    assert [message["more_body"] for message in client.told[1:]] == [True] * (len(client.parts) - 1) + [False]
    assert (len(front._long_answers), front._long_answers.bytes, front.in_flight) == (0, 0, 0)


@WAYS
async def test_other_answers_are_given_whole(way: Way) -> None:
    assert (await Client(way(LONG[:-1])).ask()).parts == [LONG[:-1]]
    assert (await Client(way(VERY_LONG), method="HEAD").ask()).parts == [b""]


async def test_the_parts_of_a_stream_are_its_own() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for body in (VERY_LONG, LONG):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    assert (await Client(Front(app)).ask()).parts == [VERY_LONG, LONG, b""]


@WAYS
async def test_who_does_not_read_gets_no_more_parts_and_takes_nobodys_room(way: Way) -> None:
    front = way(VERY_LONG)
    async with stuck(front) as (first, _), stuck(front) as (second, _), stuck(front) as (third, _):
        assert front.in_flight == 0
        assert await front.wait_until_idle(1)
        assert (await Client(front, path="/short").ask()).parts == [b"short"]
        assert [len(client.parts) for client in (first, second, third)] == [2, 2, 2]
        # One body, however many read it.
        assert (len(front._long_answers), front._long_answers.bytes) == (3, len(VERY_LONG))
    assert (len(front._long_answers), front._long_answers.bytes) == (0, 0)


@WAYS
async def test_who_leaves_is_sent_nothing_more(way: Way) -> None:
    front = way(VERY_LONG)
    async with stuck(front) as (client, asking):
        client.leave()
        await asking
        # It left with the second; before that is noticed a third may be sent.
        assert len(client.parts) <= 3
    assert (len(front._long_answers), front._long_answers.bytes) == (0, 0)


async def test_who_has_taken_nothing_for_the_longest_is_let_go_when_there_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LONG_ANSWERS_BYTES_MAX", 2 * len(VERY_LONG))
    answers, never = LongAnswers(), asyncio.Event()
    moves = asyncio.Event()
    taken: dict[str, int] = {"slow": 0, "unread": 0, "new": 0}

    async def receive() -> Any:
        await never.wait()

    def reading(name: str, body: bytes) -> "asyncio.Task[None]":
        async def send(message: Any) -> None:
            taken[name] += 1
            await (moves if name == "slow" and taken[name] == 1 else never).wait()

        return asyncio.create_task(answers.send(body, receive, send))

    bodies = [VERY_LONG, bytes(len(VERY_LONG)), b"a" * len(VERY_LONG)]
    slow, unread = reading("slow", bodies[0]), reading("unread", bodies[1])
    await until(lambda: taken["slow"] == taken["unread"] == 1)
    moves.set()
    await until(lambda: taken["slow"] == 2)
    new = reading("new", bodies[2])
    await asyncio.wait_for(unread, 20)
    assert taken == {"slow": 2, "unread": 1, "new": 1}
    assert not slow.done()
    assert not new.done()
    assert (len(answers), answers.bytes) == (2, 2 * len(VERY_LONG))
    # Whoever is stopped by somebody else is told so.
    for task in (slow, new):
        task.cancel()
    assert [type(end) for end in await asyncio.gather(slow, new, return_exceptions=True)] == [
        asyncio.CancelledError,
        asyncio.CancelledError,
    ]
    assert (len(answers), answers.bytes, answers._let_go) == (0, 0, set())


async def test_an_answer_longer_than_all_may_be_is_sent_when_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LONG_ANSWERS_BYTES_MAX", len(VERY_LONG) - 1)
    front = by_a_route(VERY_LONG)
    async with stuck(front) as (rude, asking):
        assert b"".join((await Client(front).ask()).parts) == VERY_LONG
        assert not asking.done(), "they read the same, so that letting one go would have won nothing"
        front._long_answers._begin(cast("Any", asyncio.current_task()), bytes(PART))
        await asyncio.wait_for(asking, 20)
        assert len(rude.parts) == 2
        front._long_answers._forget(cast("Any", asyncio.current_task()))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)


@WAYS
async def test_clients_get_what_they_got_before(way: Way) -> None:
    packed = gzip.compress(VERY_LONG)
    for body, encoding in ((VERY_LONG, None), (packed, "gzip")):
        front = way(body)
        async with serving(front) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
            connections = set()
            for path in ("/long", "/long", "/short", "/long"):
                answer = await client.get(path)
                told = b"short" if path == "/short" else body
                assert answer.content == told
                assert answer.headers["content-length"] == str(len(told))
                assert "transfer-encoding" not in answer.headers
                connections.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            assert len(connections) == 1, "an answer took a connection of its own"
            if encoding:
                assert gzip.decompress((await client.get("/long")).content) == VERY_LONG
            assert (await client.head("/long")).headers["content-length"] == str(len(body))


@WAYS
async def test_a_server_takes_little_of_what_nobody_reads(way: Way) -> None:
    front = way(ENDLESS)
    async with serving(front) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        await end_unread_connections(int(client.base_url.port or 0), 20)
        with socket.socket() as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            rude.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(rude, (client.base_url.host, client.base_url.port))
            await loop.sock_sendall(rude, b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
            await soon(lambda: len(front._long_answers) == 1)
            for _ in range(20):
                assert (await client.get("/short")).text == "short"
            assert len(front._long_answers) == 1, "the server has taken all of it"
            assert front.in_flight == 0
            # Who reads after all gets the rest.
            read = 0
            while read < 4 * 2**20:
                read += len(await asyncio.wait_for(loop.sock_recv(rude, 2**20), 20))
            assert len(front._long_answers) == 1
        await soon(lambda: len(front._long_answers) == 0)
        assert front._long_answers.bytes == 0


async def soon(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)
