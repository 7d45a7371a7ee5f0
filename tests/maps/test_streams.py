"""Whoever watches an event ends up with the map as it is, whatever was missed, repeated or slow on the way."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from overbookr import limits
from overbookr.maps import streams
from overbookr.maps.boards import Boards, Kept
from overbookr.maps.model import Board
from overbookr.maps.routes import _EventStream
from overbookr.maps.streams import Since, Streams, read_since
from tests.house.stage import seeded_random

from .house import EVENT, LABELS, SECOND, House
from .shown import Shown

pytestmark = pytest.mark.anyio


class Source:
    """Boards of one house, as `Boards` would bring them to the present."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.kept: Kept | None = None
        self.set_up()

    def set_up(self) -> None:
        board = Board(self.house.state, self.house.places(), self.house.at)
        self.kept = Kept(EVENT, board, 0.0, 0)

    def come_to_the_present(self) -> Kept | None:
        if self.kept is not None:
            board = self.kept.board
            board.advance(self.house.state, self.house.feed[board.state.version :], self.house.at)
        return self.kept

    async def look(self, event_id: UUID, *, anew: bool = False) -> Kept | None:
        assert event_id == EVENT
        return self.come_to_the_present()


class Viewer(Shown):
    """A client that knows nothing but what it is told. Closes its ears while `listens` is not set."""

    def __init__(self) -> None:
        super().__init__(LABELS)
        self.listens = asyncio.Event()
        self.listens.set()
        self.task: asyncio.Task[None] | None = None

    async def tell(self, text: bytes) -> None:
        await self.listens.wait()
        self.take(text.decode())

    def watch(self, streams: Streams, kept: Kept, since: Since | None) -> None:
        self.task = asyncio.create_task(streams.watch(kept, since, self.tell))

    async def leave(self) -> None:
        assert self.task is not None
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.task = None
        self.listens.set()


class Hall:
    """A house, a source and streams with a clock that stands still."""

    def __init__(self, dice: random.Random) -> None:
        self.house = House(dice)
        self.source = Source(self.house)
        self.now = 0.0
        self.streams = Streams(self.source, clock=lambda: self.now)  # type: ignore[arg-type]
        self.viewers: list[Viewer] = []

    def enter(self, viewer: Viewer | None = None, since: str | None = None) -> Viewer:
        viewer = viewer or Viewer()
        kept = self.source.come_to_the_present()
        assert kept is not None
        viewer.watch(self.streams, kept, None if since is None else read_since(since))
        self.viewers.append(viewer)
        return viewer

    async def look(self) -> None:
        await self.streams.look()
        await self.settle()

    async def settle(self) -> None:
        """Until everybody who listens has taken what there was for them."""
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def a_hall(dice: random.Random | None = None) -> AsyncIterator[Hall]:
    hall = Hall(dice or random.Random(1))
    try:
        yield hall
    finally:
        for viewer in hall.viewers:
            if viewer.task is not None:
                await viewer.leave()
        assert hall.streams.viewers == 0


async def test_every_viewer_has_the_map_as_it_is() -> None:
    """Viewers come, leave, come back from where they were, sleep and wake up; boards are read anew in between."""
    dice = seeded_random()
    async with a_hall(dice) as hall:
        gone: list[Viewer] = []
        compared = 0
        for _ in range(500):
            for _ in range(dice.randrange(0, 4)):
                hall.house.step()
            if dice.random() < 0.3:
                hall.source.come_to_the_present()
            if dice.random() < 0.03:
                hall.source.set_up()
            _come_and_go(dice, hall, gone)
            if dice.random() < 0.3:
                await hall.settle()
                continue
            await hall.look()
            for viewer in hall.viewers:
                if viewer.listens.is_set():
                    assert viewer.seats == hall.house.shown()
                    compared += 1
        told = [kind for viewer in hall.viewers + gone for kind in viewer.told]
        assert compared > 500
        assert min(told.count("reset"), told.count("seats")) > 20


def _come_and_go(dice: random.Random, hall: Hall, gone: list[Viewer]) -> None:
    if len(hall.viewers) < 6 and dice.random() < 0.5:
        if gone and dice.random() < 0.7:
            viewer = gone.pop(dice.randrange(len(gone)))
            hall.enter(viewer, viewer.last)
        else:
            hall.enter()
    for viewer in list(hall.viewers):
        drawn = dice.random()
        if drawn < 0.1:
            viewer.listens.clear()
        elif drawn < 0.3:
            viewer.listens.set()
        elif drawn < 0.35:
            assert viewer.task is not None
            viewer.task.cancel()
            viewer.listens.set()
            hall.viewers.remove(viewer)
            gone.append(viewer)


async def test_whoever_comes_back_is_told_only_what_was_missed() -> None:
    async with a_hall() as hall:
        viewer = hall.enter()
        await hall.look()
        await viewer.leave()
        hall.house.move(LABELS[3], "blocked")
        for since in (viewer.last, "0"):
            again = Viewer()
            again.seats = dict(viewer.seats)
            hall.enter(again, since)
            await hall.look()
            assert again.told == ["retry", "seats"]
            assert again.seats == hall.house.shown()


@pytest.mark.parametrize("since", ["900-1-17-0", "0-2-17-0", "0-1-17-0-kept", "0-1-0", "nonsense", "9" * 30])
async def test_whoever_names_what_cannot_be_followed_gets_the_whole_map(since: str) -> None:
    async with a_hall() as hall:
        viewer = hall.enter(since=since)
        await hall.look()
        assert viewer.told == ["retry", "reset"]
        assert viewer.seats == hall.house.shown()


async def test_a_hold_that_lapses_is_told() -> None:
    async with a_hall() as hall:
        hall.house.move(LABELS[0], "held", UUID(int=5), hall.house.at + SECOND)
        viewer = hall.enter()
        await hall.look()
        assert viewer.seats[LABELS[0]] == "held"
        hall.house.at += 2 * SECOND
        await hall.look()
        assert (viewer.told, viewer.seats[LABELS[0]]) == (["retry", "reset", "seats"], "available")


async def test_lapses_of_a_board_that_was_read_anew_are_told() -> None:
    """A board counts what lapses on it; the counts of two boards have nothing to do with each other."""
    async with a_hall() as hall:
        for number in range(3):
            hall.house.move(LABELS[number], "held", UUID(int=number + 1), hall.house.at + SECOND)
        viewer = hall.enter()
        await hall.look()
        hall.house.at += 2 * SECOND
        await hall.look()
        for number in range(3):
            hall.house.move(LABELS[number], "available")
        hall.house.move(LABELS[5], "held", UUID(int=9), hall.house.at + SECOND)
        await hall.look()
        assert viewer.seats[LABELS[5]] == "held"
        hall.house.at += 2 * SECOND
        hall.source.set_up()
        await hall.look()
        assert viewer.seats == hall.house.shown()


async def test_whoever_comes_between_two_looks_is_told_what_the_next_finds() -> None:
    """Even when that is what the last one found, which is news to nobody else."""
    async with a_hall() as hall:
        early = hall.enter()
        await hall.settle()
        await hall.look()
        hall.house.kept = True
        late = hall.enter(since="0")
        await hall.settle()
        assert late.seats == hall.house.shown() != early.seats
        hall.house.kept = False
        await hall.look()
        assert late.seats == hall.house.shown() == early.seats


async def test_nothing_new_is_told_as_a_ping_now_and_then() -> None:
    async with a_hall() as hall:
        viewer = hall.enter()
        for _ in range(10):
            hall.now += limits.STREAM_PING_SECONDS / 4
            await hall.look()
        assert viewer.told[:2] == ["retry", "reset"]
        assert set(viewer.told[2:]) == {"ping"}
        assert 1 <= len(viewer.told[2:]) <= 3


async def test_what_all_are_told_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_hall() as hall:
        for _ in range(5):
            hall.enter()
        await hall.look()
        written = Mock(wraps=streams._write)
        monkeypatch.setattr(streams, "_write", written)
        hall.house.move(LABELS[0], "blocked")
        await hall.look()
        assert [viewer.seats for viewer in hall.viewers] == [hall.house.shown()] * 5
        assert written.call_count == 1


async def test_one_who_does_not_listen_delays_nobody_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_SLOW_SECONDS", 0.2)
    async with a_hall() as hall:
        deaf, other = hall.enter(), hall.enter()
        await hall.look()
        deaf.listens.clear()
        hall.house.move(LABELS[0], "blocked")
        await hall.look()
        assert other.seats == hall.house.shown() != deaf.seats
        assert deaf.task is not None
        await asyncio.wait({deaf.task}, timeout=5)
        assert deaf.task.done(), "it is waited for"
        assert isinstance(deaf.task.exception(), TimeoutError)
        deaf.task = None
        assert hall.streams.viewers == 1


async def test_streams_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_hall() as hall:
        viewers = [hall.enter() for _ in range(40)]
        await hall.look()
        hall.now += limits.STREAM_SECONDS_MIN - 1
        await hall.look()
        assert hall.streams.viewers == 40
        hall.now += 1 + (limits.STREAM_SECONDS_MAX - limits.STREAM_SECONDS_MIN) / 2
        await hall.look()
        assert 0 < hall.streams.viewers < 40, "not all at once"
        hall.now = limits.STREAM_SECONDS_MAX + 1
        hall.house.move(LABELS[0], "blocked")
        await hall.look()
        assert hall.streams.viewers == 0
        assert all(viewer.task is not None and viewer.task.done() for viewer in viewers)


async def test_streams_end_with_their_event_and_with_their_process() -> None:
    async with a_hall() as hall:
        hall.enter()
        await hall.look()
        hall.source.kept = None
        await hall.look()
        assert hall.streams.viewers == 0
        hall.source.set_up()
        hall.enter()
        await hall.settle()
        assert hall.streams.viewers == 1
        hall.streams.end_all()
        await hall.settle()
        assert hall.streams.viewers == 0


async def test_a_database_that_is_away_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_LOOK_SECONDS", 0.01)
    async with a_hall() as hall:
        looks = asyncio.Semaphore(0)

        async def fail(event_id: UUID) -> None:
            looks.release()
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr(hall.source, "look", fail)
            hall.streams.start()
            viewer = hall.enter()
            for _ in range(3):
                await looks.acquire()
        hall.house.move(LABELS[0], "blocked")
        async with asyncio.timeout(5):
            while viewer.seats != hall.house.shown():
                await asyncio.sleep(0)
        await hall.streams.stop()
        await hall.settle()


async def test_an_answer_to_one_who_has_left_ends() -> None:
    left = asyncio.Event()
    sent: list[Any] = []

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    telling = asyncio.Event()

    async def go_on(tell: Any) -> None:
        try:
            await tell(b"hello")
            left.set()
            await asyncio.Event().wait()
        finally:
            telling.set()

    async with asyncio.timeout(5):
        await _EventStream(go_on).send_body(send, receive)
    assert telling.is_set()
    assert [(message["body"], message["more_body"]) for message in sent] == [(b"hello", True)]


def test_boards_are_what_streams_are_made_of() -> None:
    assert set(vars(Source)) >= {"look"} <= set(vars(Boards))
