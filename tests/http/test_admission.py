"""Who is let in when there are more than can be served, and what the others are told, over a real connection."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from overbookr import limits
from overbookr.http.admission import Admission, Kind, kind_of, pause_seconds
from overbookr.http.front import Front
from tests.http.conftest import serving

pytestmark = pytest.mark.anyio


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/bookings", Kind.BOOKING),
        ("DELETE", "/bookings/0190", Kind.BOOKING),
        ("DELETE", "/holds/0190", Kind.BOOKING),
        ("POST", "/holds", Kind.HOLD),
        ("POST", "/users/login", Kind.OTHER),
        ("PUT", "/events/1/seating-plan", Kind.OTHER),
        ("GET", "/events/1/seats", Kind.READ),
        ("HEAD", "/events", Kind.READ),
        ("GET", "/events/1/stream", Kind.STREAM),
        ("HEAD", "/events/1/stream/", Kind.STREAM),
        ("GET", "/readyz", Kind.OPERATIONS),
        ("GET", "/metrics", Kind.OPERATIONS),
        ("POST", "/readyz", Kind.OTHER),
    ],
)
def test_what_a_request_is_shows_in_its_first_line(method: str, path: str, kind: Kind) -> None:
    assert kind_of(method, path) == kind


def test_streams_have_a_room_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many watch, and for however long, there is room for whoever buys."""
    monkeypatch.setattr(limits, "STREAMS_MAX", 20)
    clock = Clock()
    admission = Admission(floor=4, ceiling=8, clock=clock)
    assert [admission.admit(Kind.STREAM) for _ in range(21)] == [True] * 20 + [False]
    clock.now += 90
    admission.leave(Kind.STREAM, 200, 90.0)
    assert admission.limit == 8
    assert [admission.admit(Kind.HOLD) for _ in range(9)] == [True] * 8 + [False]
    assert admission.admit(Kind.STREAM)


def test_reads_leave_room_for_holds_and_holds_cannot_fill_the_room_of_bookings() -> None:
    admission = Admission(floor=4, ceiling=8, bookings=11)
    assert [admission.admit(Kind.READ) for _ in range(7)] == [True] * 6 + [False]
    assert [admission.admit(Kind.HOLD) for _ in range(3)] == [True] * 2 + [False]
    assert not admission.admit(Kind.OTHER)
    assert [admission.admit(Kind.BOOKING) for _ in range(12)] == [True] * 11 + [False]
    assert all(admission.admit(Kind.OPERATIONS) for _ in range(100))
    admission.leave(Kind.READ, 200, 0.001)
    assert admission.admit(Kind.HOLD)


def _serve(admission: Admission, clock: Clock, count: int, seconds: float, *, status: int = 201) -> None:
    """Answer this many holds in one length of time that is looked at."""
    for _ in range(count):
        assert admission.admit(Kind.HOLD)
        admission.leave(Kind.HOLD, status, seconds)
    clock.now += limits.OVERLOAD_LOOK_SECONDS
    assert admission.admit(Kind.OPERATIONS)
    admission.leave(Kind.OPERATIONS, 200, 0.0)


def test_slow_answers_bring_the_limit_down_to_what_is_served_in_the_target() -> None:
    clock = Clock()
    admission = Admission(clock=clock, floor=10, ceiling=1000)
    _serve(admission, clock, 100, limits.IN_FLIGHT_TARGET_SECONDS / 2)
    assert admission.limit == 1000
    _serve(admission, clock, 100, limits.IN_FLIGHT_TARGET_SECONDS * 2)
    assert admission.limit == int(100 / limits.OVERLOAD_LOOK_SECONDS * limits.IN_FLIGHT_TARGET_SECONDS)
    for _ in range(200):
        assert admission.admit(Kind.BOOKING)
        admission.leave(Kind.BOOKING, 201, 0.001)
    _serve(admission, clock, 60, limits.IN_FLIGHT_TARGET_SECONDS * 2)
    assert admission.limit == int(60 / limits.OVERLOAD_LOOK_SECONDS * limits.IN_FLIGHT_TARGET_SECONDS), "not theirs"
    _serve(admission, clock, 5, 60.0)
    assert admission.limit == 10
    # The room of bookings does not shrink.
    assert all(admission.admit(Kind.BOOKING) for _ in range(1000))


def test_the_limit_goes_when_nobody_is_refused_and_grows_while_answers_are_quick() -> None:
    clock = Clock()
    admission = Admission(clock=clock, floor=10, ceiling=1000)
    _serve(admission, clock, 5, 60.0)
    taken = 0
    while admission.admit(Kind.HOLD):
        taken += 1
    for _ in range(taken):
        admission.leave(Kind.HOLD, 201, 0.001)
    _serve(admission, clock, 1, 0.001)
    assert admission.limit == 11
    _serve(admission, clock, 5, 0.001)
    assert admission.limit == 1000


def test_probes_and_log_ins_say_nothing_about_speed() -> None:
    clock = Clock()
    admission = Admission(clock=clock, floor=10, ceiling=1000)
    for kind, seconds in ((Kind.OPERATIONS, 0.0), (Kind.OTHER, 60.0)):
        for _ in range(500):
            assert admission.admit(kind)
            admission.leave(kind, 200, seconds)
    _serve(admission, clock, 1, 0.001)
    assert admission.limit == 1000
    for _ in range(500):
        assert admission.admit(Kind.OPERATIONS)
        admission.leave(Kind.OPERATIONS, 200, 0.0)
    _serve(admission, clock, 1, 60.0)
    assert admission.limit == 10


@pytest.mark.parametrize("status", [401, 404, 429, 499, 500, 503])
def test_answers_that_waited_for_nothing_say_nothing_about_speed(status: int) -> None:
    clock = Clock()
    admission = Admission(clock=clock, floor=10, ceiling=1000)
    _serve(admission, clock, 50, 60.0, status=status)
    assert admission.limit == 1000


def test_what_was_refused_is_told_once() -> None:
    clock, told = Clock(), list[list[int]]()
    admission = Admission(report=told.append, clock=clock, floor=1, ceiling=1)
    assert admission.admit(Kind.HOLD)
    assert not admission.admit(Kind.HOLD)
    assert not admission.admit(Kind.READ)
    admission.leave(Kind.HOLD, 201, 0.001)
    _serve(admission, clock, 1, 0.001)
    _serve(admission, clock, 1, 0.001)
    assert told == [[1, 0, 1, 0, 0, 0]]


# ---------------------------------------------------------------- over HTTP


@dataclass
class Slow:
    """An application whose answers wait until they are let go."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http":
            return
        if scope["path"] not in ("/readyz", "/quick"):
            await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})


@asynccontextmanager
async def full_house() -> AsyncIterator[tuple[Front, Slow, httpx.AsyncClient]]:
    """A front with room for one request, which is taken."""
    slow = Slow()
    front = Front(slow, cors_origins=["https://tickets.example"], admission=Admission(floor=1, ceiling=1))
    async with serving(front) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        taking = asyncio.create_task(client.post("/holds", json={}))
        async with asyncio.timeout(10):
            while front.in_flight == 0:
                await asyncio.sleep(0.01)
        try:
            yield front, slow, client
        finally:
            slow.go.set()
            assert (await taking).status_code == 200


async def test_a_refusal_is_a_problem_with_retry_after_and_costs_no_connection() -> None:
    async with full_house() as (front, _, client):
        seen = set()
        for size in (0, 10, 60_000):
            answer = await client.post("/holds", content=b" " * size, headers={"Origin": "https://tickets.example"})
            body = answer.json()
            assert (answer.status_code, body["code"]) == (503, "busy")
            assert answer.headers["content-type"] == "application/problem+json"
            assert body["instance"] == answer.headers["x-request-id"]
            assert re.fullmatch("[0-9a-f]{24}", answer.headers["x-request-id"])
            assert 1 <= int(answer.headers["retry-after"]) <= limits.RETRY_AFTER_SECONDS_MAX
            assert answer.headers["access-control-allow-origin"] == "https://tickets.example"
            assert answer.headers["x-content-type-options"] == "nosniff"
            seen.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
        assert len(seen) == 1, "each refusal took a connection of its own"
        own = await client.get("/events", headers={"X-Request-Id": "mine"})
        assert (own.status_code, own.json()["instance"]) == (503, "mine")
        assert front.in_flight == 1
        assert (await client.get("/readyz")).status_code == 200


async def test_a_body_that_comes_late_does_not_cost_the_refusal() -> None:
    async with full_house() as (_, _, client):
        host, port = client.base_url.host, client.base_url.port
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(b"POST /holds HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.write(b'{"a": []}')
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 503")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))
        writer.close()


async def test_whoever_hammers_is_refused_no_more_often_than_the_pause_allows() -> None:
    async with full_house() as (_, _, client):
        started = time.monotonic()
        for _ in range(3):
            assert (await client.post("/holds", json={})).status_code == 503
        assert time.monotonic() - started >= 3 * 0.5 * limits.REFUSAL_PAUSE_SECONDS_MIN


def test_the_larger_the_crowd_the_longer_it_pauses() -> None:
    def mean(paused: int) -> float:
        return sum(pause_seconds(paused) for _ in range(2_000)) / 2_000

    # Two thousand choices are this close to their middle but for once in a million times.
    assert mean(1) == pytest.approx(limits.REFUSAL_PAUSE_SECONDS_MIN, rel=0.05)
    assert mean(limits.REFUSALS_PAUSED_MANY // 2) == pytest.approx(
        (limits.REFUSAL_PAUSE_SECONDS_MIN + limits.REFUSAL_PAUSE_SECONDS_MAX) / 2, rel=0.05
    )
    for paused in (limits.REFUSALS_PAUSED_MANY, limits.REFUSALS_PAUSED_MAX):
        assert mean(paused) == pytest.approx(limits.REFUSAL_PAUSE_SECONDS_MAX, rel=0.05)


async def test_those_who_were_refused_together_do_not_come_back_together() -> None:
    async with full_house() as (_, _, client):

        async def be_refused() -> float:
            assert (await client.post("/holds", json={})).status_code == 503
            return time.monotonic()

        answered_at = await asyncio.gather(*(be_refused() for _ in range(20)))
        # Twenty of a uniform choice lie as close together as this once in a hundred million times.
        assert max(answered_at) - min(answered_at) > 0.3 * limits.REFUSAL_PAUSE_SECONDS_MIN


async def test_room_that_was_left_is_there_again() -> None:
    async with full_house() as (front, slow, client):
        assert (await client.post("/holds", json={})).status_code == 503
        slow.go.set()
        assert await front.wait_until_idle(10)
        assert (await client.post("/holds", json={})).status_code == 200


async def test_a_client_that_leaves_gives_its_room_back() -> None:
    async with full_house() as (front, slow, client):
        host, port = client.base_url.host, client.base_url.port
        slow.go.set()
        assert await front.wait_until_idle(10)
        slow.go.clear()
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /holds HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        async with asyncio.timeout(10):
            while front.in_flight == 0:
                await asyncio.sleep(0.01)
        writer.transport.abort()
        slow.go.set()
        assert await front.wait_until_idle(10)
        assert (await client.post("/holds", json={})).status_code == 200


async def test_while_draining_every_answer_closes_its_connection() -> None:
    async with full_house() as (front, _, client):
        assert "connection" not in (await client.get("/readyz")).headers
        front.draining = True
        assert (await client.get("/readyz")).headers["connection"] == "close"
        refused = await client.post("/holds", json={})
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
