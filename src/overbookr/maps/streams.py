"""Changes as they happen, to everybody who watches an event, as server-sent events.

One task looks at all events that are watched here, five times a second; what changed since the last look is written
once for all who were up to date. There is no queue for a viewer: a viewer is a place in the history of the board, so
one who is slow gets more at a time and costs no memory, and one who comes back goes on from the place that they name.
"""

import asyncio
import math
import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from overbookr import limits
from overbookr.maps.boards import Boards, Kept
from overbookr.maps.documents import draw_compact
from overbookr.maps.model import STATUSES, Board

_log = structlog.get_logger("overbookr.maps")
_PING: Final = b": ping\n\n"
# Tells one viewer something; returns when it is on its way, not when it has arrived.
Tell = Callable[[bytes], Awaitable[None]]
# A state's tag, or what a client that has only read a map knows of it: the version.
_SINCE: Final = re.compile(r"(\d{1,18})(?:-(\d{1,9})-\d{1,9}-\d{1,9}(-kept)?)?")


class Since(NamedTuple):
    """Up to where a client knows the map; None is what it did not say."""

    version: int
    chart_version: int | None
    kept: bool | None


def read_since(text: str) -> Since | None:
    """What a client that comes back names as its last; None when it is none of ours."""
    found = _SINCE.fullmatch(text)
    if found is None:
        return None
    if found[2] is None:
        return Since(int(found[1]), None, None)
    return Since(int(found[1]), int(found[2]), found[3] is not None)


class Place(NamedTuple):
    """Up to where a viewer has been told. `lapses` counts on this board only."""

    board: Board | None
    since: Since | None
    lapses: int | None


class _Audience:
    """Those who watch one event here."""

    def __init__(self, kept: Kept) -> None:
        self.viewers = 0
        self.kept: Kept | None = kept
        self.turn = asyncio.Event()
        self._turned_at = 0.0
        # Of no look yet, which no state is equal to.
        self._state: object = object()
        # What was written since the last look, and where it ends, by where it begins. The board may be ahead of it.
        self._written: dict[tuple[object, ...], tuple[bytes | None, Place]] = {}

    def come_to(self, kept: Kept | None, now: float) -> None:
        """Tell those who wait if there is anything new, or nothing has been for long."""
        self.kept = kept
        state = None if kept is None else _state_of(kept.board)
        if state != self._state or now - self._turned_at >= limits.STREAM_PING_SECONDS:
            self._state, self._turned_at = state, now
            self._written.clear()
            turn, self.turn = self.turn, asyncio.Event()
            turn.set()

    def news(self, place: Place) -> tuple[bytes | None, Place]:
        """What a viewer has not been told yet, if anything, and where they are then."""
        assert self.kept is not None
        board = self.kept.board
        if place.board is not board:
            # What another board counted, this one has not.
            place = Place(None, place.since, None)
        known = (place.board, place.since, place.lapses)
        written = self._written.get(known)
        if written is None:
            if _state_of(board) != self._state:
                # Told of what no look has found: if the next one finds what the last one did, that is news to them.
                self._state = object()
            state = board.state
            there = Place(board, Since(state.version, state.chart_version, state.kept), board.lapses)
            written = self._written[known] = _write(self.kept.event_id, board, place), there
        return written


def _state_of(board: Board) -> tuple[object, ...]:
    """What two looks compare. The board itself, for its address may be another's when it is gone."""
    return board, board.state, board.lapses


def _write(event_id: UUID, board: Board, place: Place) -> bytes | None:
    state, since = board.state, place.since
    changed = None
    if since is not None and _is_same_house(since, board):
        changed = board.changed_since(since.version, place.lapses)
    tag = state.tag.encode()
    if changed is None or len(changed) > max(limits.STREAM_SEATS_MIN, len(board) // 8):
        return b"id: %b\nevent: reset\ndata: %b\n\n" % (tag, draw_compact(event_id, board))
    if not changed and since is not None and since.version == state.version:
        return None
    shown = board.shown
    seats = b",".join(
        b'%b:"%b"' % (board.labels(index, index + 1), STATUSES[shown[index]].encode()) for index in sorted(changed)
    )
    return b'id: %b\nevent: seats\ndata: {"version":%d,"available":%d,"seats":{%b}}\n\n' % (
        tag, state.version, board.available, seats,
    )  # fmt: skip


def _is_same_house(since: Since, board: Board) -> bool:
    """Whether what a client knows differs in single seats only. Where free seats begin to be gathered, all do."""
    state = board.state
    knows_chart = since.chart_version in (None, state.chart_version)
    return knows_chart and (since.kept == state.kept or (since.kept is None and not state.kept))


class Streams:
    """Every stream of a process. `report` hears how many `viewers` there are whenever that changes.

    `start` and `stop` as with other parts; after `stop` all streams end at once.
    """

    def __init__(
        self,
        boards: Boards,
        *,
        report: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._boards = boards
        self._report = report
        self._clock = clock
        self._audiences: dict[UUID, _Audience] = {}
        self.viewers = 0
        self._arrival = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_looking(), name="streams")

    def end_all(self) -> None:
        """End every stream; clients come back, to another process if this one has gone."""
        self._stopping = True
        self._arrival.set()
        for audience in self._audiences.values():
            audience.turn.set()

    async def stop(self) -> None:
        self.end_all()
        if self._task is not None:
            await self._task

    async def watch(self, kept: Kept, since: Since | None, tell: Tell) -> None:
        """Tell a viewer what happens to an event. Ends by itself after a while, so that viewers spread over what there
        is, and with TimeoutError on one who does not listen."""
        audience = self._audiences.setdefault(kept.event_id, _Audience(kept))
        audience.viewers += 1
        self._count(1)
        self._arrival.set()
        ends = self._clock() + random.uniform(limits.STREAM_SECONDS_MIN, limits.STREAM_SECONDS_MAX)
        place = Place(None, since, None)
        greeting = b"retry: %d\n\n" % random.randrange(500, 1_500)
        told_at = -math.inf
        try:
            while audience.kept is not None and not self._stopping and self._clock() < ends:
                turn = audience.turn
                news, place = audience.news(place)
                said = greeting + (news or b"")
                greeting = b""
                if said or self._clock() - told_at >= limits.STREAM_PING_SECONDS / 2:
                    async with asyncio.timeout(limits.STREAM_SLOW_SECONDS):
                        await tell(said or _PING)
                    told_at = self._clock()
                await turn.wait()
        finally:
            audience.viewers -= 1
            self._count(-1)
            if audience.viewers == 0 and self._audiences.get(kept.event_id) is audience:
                del self._audiences[kept.event_id]

    def _count(self, change: int) -> None:
        self.viewers += change
        if self._report is not None:
            self._report(self.viewers)

    async def _keep_looking(self) -> None:
        while not self._stopping:
            if not self._audiences:
                self._arrival.clear()
                await self._arrival.wait()
                continue
            began = self._clock()
            try:
                await self.look()
            except Exception:
                # The database may be away for a while; viewers are told when it is back.
                _log.exception("streams_look_failed")
            await asyncio.sleep(max(0.0, began + limits.STREAM_LOOK_SECONDS - self._clock()))

    async def look(self) -> None:
        """Look at everything that is watched, and tell whom it concerns."""
        watched = list(self._audiences.items())
        found = await asyncio.gather(*(self._boards.look(event_id) for event_id, _ in watched))
        now = self._clock()
        for (_, audience), kept in zip(watched, found, strict=True):
            audience.come_to(None if kept is None or kept.board.state.is_draft else kept, now)
