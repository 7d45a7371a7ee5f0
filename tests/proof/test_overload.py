"""The overload part's own tools: what an overloaded server may not do is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from proof.overload import cancelling, prove
from proof.overload.arrivals import Crowd, Phase
from proof.overload.cancelling import leftovers
from proof.overload.exchange import read_answer
from proof.overload.tally import Second, Tally, seconds_until_normal
from proof.overload.venue import SHARE, Venue, requests_of
from proof.part import Circumstances, Finding
from tests.house.serving import Served

pytestmark = pytest.mark.anyio

HELD = b'HTTP/1.1 201 Created\r\ncontent-length: 53\r\n\r\n{"hold_token":"01900000-0000-7000-8000-000000000000"}'
BOOKED = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 2\r\n\r\n{}"
REFUSED_BADLY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}"


def _venue() -> Venue:
    return Venue([uuid4() for _ in range(3)], 100, [f"token{number}" for number in range(10)])


@asynccontextmanager
async def _server(answer_to_holds: bytes | None) -> AsyncIterator[int]:
    """Answers every hold with these bytes, or closes the connection; bookings succeed."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                answer = answer_to_holds if head.startswith(b"POST /holds") else BOOKED
                if answer is None:
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1]
    await asyncio.gather(*serving, return_exceptions=True)


async def _tally(answer_to_holds: bytes | None) -> Tally:
    async with _server(answer_to_holds) as port:
        crowd = Crowd(port, requests_of(_venue()))
        try:
            return await crowd.run(Phase("overload", 0.5, 4, rate=100, seed=1))
        finally:
            await crowd.leave()


async def test_holds_and_bookings_that_succeed_are_goodput() -> None:
    tally = await _tally(HELD)
    assert tally.holds == tally.bookings > 10
    assert tally.improper() == []
    assert tally.offered == tally.sent + tally.unsent


async def test_visitors_who_do_not_book_only_hold() -> None:
    async with _server(HELD) as port:
        crowd = Crowd(port, requests_of(_venue()))
        tally = await crowd.run(Phase("holds", 0.5, 4, rate=100, seed=1, books=False))
        await crowd.leave()
    assert tally.bookings == 0
    assert tally.holds == tally.sent > 10


async def test_a_refusal_with_retry_after_is_proper_and_one_without_is_not() -> None:
    proper, improper = await _tally(REFUSED), await _tally(REFUSED_BADLY)
    assert proper.refused > 10
    assert proper.improper() == []
    assert improper.improper() == [f"overload: {improper.refused} refusals without Retry-After"]


async def test_other_failures_and_lost_connections_are_improper() -> None:
    failed, lost = await _tally(FAILED), await _tally(None)
    assert [line.split(" answers ")[1] for line in failed.improper()] == ["500 to holds"]
    assert lost.broken > 0
    assert lost.improper() == [f"overload: {lost.broken} requests lost with their connection"]


async def test_what_no_connection_is_free_for_is_offered_and_not_sent() -> None:
    async with _server(HELD) as port:
        crowd = Crowd(port, requests_of(_venue()))
        tally = await crowd.run(Phase("overload", 0.05, 1, rate=50_000, seed=1))
        await crowd.leave()
    assert tally.unsent > 0
    assert tally.offered == tally.sent + tally.unsent


def _judged(**changes: object) -> Finding:
    finding = Finding()
    quiet = Tally("peak", 10.0, holds=500, bookings=500, accepted_p99_ms=10.0)
    overload = Tally("overload", 10.0, holds=450, bookings=450, refused=8000, accepted_p99_ms=18.0)
    for name, value in changes.items():
        setattr(overload, name, value)
    after = Tally("after", 11.0, holds=100, bookings=100, by_second=[Second(20, 0, 9.0)] * 11)
    prove._judge_overload(Circumstances("full", 1, Path(), print), finding, quiet, quiet, overload, after)
    return finding


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, []),
        ({"holds": 390}, [0]),
        ({"refused_without_retry_after": 1}, [1]),
        ({"others": {"500 to holds": 1}}, [1]),
        ({"broken": 1}, [1]),
        ({"unanswered": 1}, [1]),
        ({"accepted_p99_ms": 21.0}, [2]),
        ({"refused_bookings": 6}, [4]),
        # Nobody refused means that nothing was overloaded.
        ({"refused": 0}, [1, 4]),
    ],
)
def test_each_way_to_fail_is_seen(changes: dict[str, object], broken: list[int]) -> None:
    claims = _judged(**changes).claims
    assert [place for place, claim in enumerate(claims) if not claim.held] == broken


def test_normal_again_is_told_from_the_last_odd_second() -> None:
    def seconds(*odd: int) -> Tally:
        return Tally("after", 5.0, by_second=[Second(9, 1 if place in odd else 0, 5.0) for place in range(5)])

    assert seconds_until_normal(seconds(), p99_ms_max=10) == 0
    assert seconds_until_normal(seconds(1), p99_ms_max=10) == 2
    assert seconds_until_normal(seconds(4), p99_ms_max=10) == 0
    assert seconds_until_normal(seconds(0, 2), p99_ms_max=10) is None
    assert seconds_until_normal(seconds(), p99_ms_max=4) is None


def test_an_answer_is_read_however_it_is_cut() -> None:
    for cut in range(1, len(REFUSED)):
        assert read_answer(REFUSED[:cut]) is None
    answer = read_answer(REFUSED)
    assert answer is not None
    assert (answer.status, answer.retry_after, answer.closes, answer.body) == (503, 2, False, b"{}")
    with pytest.raises(ValueError, match=r"no HTTP/1\.1"):
        read_answer(b"GARBAGE")


def test_nobody_gets_more_than_the_share_of_an_event() -> None:
    venue = _venue()
    taken: dict[tuple[int, int], int] = {}
    places = [venue.place(number) for number in range(venue.seats)]
    for event, _, user in places:
        taken[event, user] = taken.get((event, user), 0) + 1
    assert len({(event, label) for event, label, _ in places}) == venue.seats
    assert max(taken.values()) <= SHARE


async def test_what_clients_who_left_have_left_behind_is_seen(served: Served) -> None:
    assert not (await leftovers(served.url, served.dsn)).any
    leaking = await asyncpg.connect(served.dsn, server_settings={"application_name": "overbookr api leak"})
    transaction = leaking.transaction()
    await transaction.start()
    await leaking.execute("select 1")
    assert (await leftovers(served.url, served.dsn, 0.1)).sessions_at_work == 1
    await transaction.rollback()
    await leaking.close()
    assert not (await leftovers(served.url, served.dsn)).any


async def test_a_socket_that_nobody_closes_is_seen() -> None:
    held = asyncio.Event()

    async def forget(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    async with await asyncio.start_server(forget, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        assert cancelling._half_closed(port) == 0
        writer.close()
        async with asyncio.timeout(10):
            while cancelling._half_closed(port) == 0:
                await asyncio.sleep(0.01)
        held.set()
        async with asyncio.timeout(10):
            while cancelling._half_closed(port):
                await asyncio.sleep(0.01)
