"""The boards that a process keeps, and how they are kept true.

A map that was found true is good for a tenth of a second, unless before that this process changes the event itself or
the time of a hold of it is over. Whoever looks later waits for one look at the database; while that is under way the
next ones gather. So a crowd costs a process ten looks a second, a lone visitor sees the very present, and an event that
nobody looks at costs nothing. Houses that are not known yet are read beside the looks, and so are those that are
compared with the database now and then.
"""

import asyncio
import contextlib
import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final
from uuid import UUID

import structlog

from overbookr import limits
from overbookr.batching import DeadlinePassed, MicroBatcher, QueueFull
from overbookr.http.documents import Document
from overbookr.maps.documents import draw_availability, draw_compact
from overbookr.maps.houses import Houses
from overbookr.maps.listing import Listing
from overbookr.maps.model import Board, FeedBroken, SeatChange
from overbookr.maps.store import MapStore, Sight

_CHART_CACHE_CONTROL: Final = "public, max-age=60"
_log = structlog.get_logger("overbookr.maps")


class MapKind(StrEnum):
    """What can be asked for: every seat in natural order, only those that are not free, that in two bits a seat."""

    SEATS = "seats"
    AVAILABILITY = "availability"
    COMPACT = "compact"
    CHART = "chart"


class Kept:
    """An event's board with what was drawn from it. `fresh_until` and `doubted_at` are of the process's clock."""

    __slots__ = (
        "board", "chart", "compare_at", "documents", "doubted_at", "event_id", "fresh_until", "listing",
        "listing_lock", "set_up_in", "weight",
    )  # fmt: skip

    def __init__(self, event_id: UUID, board: Board, now: float, look: int) -> None:
        self.event_id = event_id
        self.board = board
        # Looks up to this one had begun before: what they saw may be older than the board.
        self.set_up_in = look
        self.fresh_until = self.doubted_at = -math.inf
        # Not all at once, as those are not that were set up together.
        self.compare_at = now + limits.BOARD_SECONDS_MAX * random.uniform(0.5, 1.0)
        self.listing: Listing | None = None
        self.listing_lock = asyncio.Lock()
        # With what it was drawn for; no document when there is no such chart.
        self.chart: tuple[tuple[int, bool], Document | None] | None = None
        self.documents: dict[MapKind, Document] = {}
        self.weight = len(board) + limits.BOARD_SEATS_AT_LEAST

    def ready(self, kind: MapKind) -> Document | None:
        """What has been drawn already and is of the present."""
        if kind is not MapKind.CHART:
            return self.documents.get(kind)
        return self.chart[1] if self.chart is not None and self.chart[0] == self.chart_key else None

    @property
    def chart_key(self) -> tuple[int, bool]:
        """The chart's version, and whether it is for organisers only."""
        return self.board.state.chart_version, self.board.state.is_draft

    def confirm(self, at: datetime, began: float) -> None:
        """The board is as the database was at `at`, by its own clock, which was not before `began`."""
        seconds = limits.MAP_AGE_SECONDS_MAX
        lapse = self.board.next_lapse
        if lapse is not None:
            seconds = min(seconds, (lapse - at).total_seconds())
        self.fresh_until = began + seconds if began > self.doubted_at else began

    def advance(self, sight: Sight, changes: Iterable[SeatChange]) -> bool:
        """Bring the board to what was seen. False when the changes do not lead there: the board is of no use then."""
        before = self.board.state
        try:
            self.board.advance(sight.state, changes, sight.at)
        except FeedBroken:
            return False
        if self.board.state != before:
            self.documents.clear()
        return True


class _Unread(Enum):
    """What a look finds of an event whose house is not known, or not any more."""

    UNREAD = "unread"


class Boards:
    """Boards of the events that were looked at last, within a bound on their seats."""

    def __init__(
        self,
        store: MapStore,
        *,
        observe: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._houses = Houses(store)
        # The least recently looked at first; so are the lists, with the number of seats on each.
        self._kept: OrderedDict[UUID, Kept] = OrderedDict()
        self._listed: OrderedDict[UUID, int] = OrderedDict()
        self._weight_kept = 0
        self._looks_begun = 0
        self._comparing: asyncio.Task[None] | None = None
        self._looks: MicroBatcher[UUID, Kept | _Unread | None] = MicroBatcher(
            self._look_all,
            name="maps",
            batch_max=limits.LOOKS_PER_BATCH_MAX,
            queue_max=limits.LOOKS_WAITING_MAX,
            wait_seconds_max=limits.READ_WAIT_SECONDS_MAX,
            observe=observe,
        )

    def start(self) -> None:
        self._looks.start()

    async def stop(self) -> None:
        await self._looks.stop()
        await self._houses.stop()
        if self._comparing is not None:
            self._comparing.cancel()
            await asyncio.gather(self._comparing, return_exceptions=True)

    def fresh(self, event_id: UUID) -> Kept | None:
        """The event's board if it can be served as it is."""
        kept = self._kept.get(event_id)
        return kept if kept is not None and self._clock() < kept.fresh_until else None

    async def look(self, event_id: UUID, *, anew: bool = False) -> Kept | None:
        """The event's board; None when there is no such event. `anew`: true at some instant since the question.

        Raises QueueFull or DeadlinePassed when there is no room or time, or the house is rebuilt again and again.
        """
        kept = None if anew else self.fresh(event_id)
        if kept is not None:
            return kept
        for _ in range(limits.RETRIES_MAX):
            found = await self._looks.submit(event_id)
            if not isinstance(found, _Unread):
                return found
            if event_id not in self._kept:
                board = await self._houses.read(event_id)
                if board is None:
                    return None
                # Not of the present yet: what happened while it was read is what the next look is for.
                if event_id not in self._kept:
                    self._keep(Kept(event_id, board, self._clock(), self._looks_begun))
        raise QueueFull(f"the house of {event_id} is rebuilt faster than it can be read")

    def doubt(self, event_ids: Iterable[UUID]) -> None:
        """These events were changed by this process: whoever asks from now on sees that."""
        now = self._clock()
        for event_id in event_ids:
            kept = self._kept.get(event_id)
            if kept is not None:
                kept.doubted_at = now
                kept.fresh_until = -math.inf

    async def document(self, kept: Kept, kind: MapKind) -> Document | None:
        """What was asked for, of the present; None when there is nothing of the kind."""
        if kind is MapKind.CHART:
            return await self._chart(kept)
        document = kept.documents.get(kind)
        if document is None and kind is MapKind.SEATS:
            try:
                async with asyncio.timeout(limits.HOUSE_WAIT_SECONDS_MAX), kept.listing_lock:
                    document = kept.documents.get(kind) or await self._list(kept.event_id)
            except TimeoutError:
                raise DeadlinePassed("lists") from None
        elif document is None:
            draw = draw_availability if kind is MapKind.AVAILABILITY else draw_compact
            document = kept.documents[kind] = Document(kept.board.state.tag, draw(kept.event_id, kept.board))
        return document

    async def _look_all(self, event_ids: list[UUID]) -> list[Kept | _Unread | None]:
        self._looks_begun += 1
        look, began = self._looks_begun, self._clock()
        sights = await self._store.see(set(event_ids))
        changes = await self._read_changes(sights)
        found: dict[UUID, Kept | _Unread] = {}
        for event_id, sight in sights.items():
            kept = self._kept.get(event_id)
            found[event_id] = _Unread.UNREAD
            if kept is None or kept.set_up_in >= look:
                continue
            if kept.advance(sight, changes.get(event_id, ())):
                kept.confirm(sight.at, began)
                found[event_id] = kept
                self._kept.move_to_end(event_id)
                if began >= kept.compare_at and self._comparing is None:
                    self._comparing = asyncio.create_task(self._compare(kept), name="compare a board")
            else:
                self._forget(event_id)
        for event_id in set(event_ids) - sights.keys():
            self._forget(event_id)
        self._drop_oldest()
        return [found.get(event_id) for event_id in event_ids]

    async def _read_changes(self, sights: Mapping[UUID, Sight]) -> Mapping[UUID, Sequence[SeatChange]]:
        """What happened to the boards since; of those that have too much to catch up with, nothing."""
        spans = {}
        for event_id, sight in sights.items():
            kept = self._kept.get(event_id)
            if kept is not None and 0 < sight.state.version - kept.board.state.version <= limits.CHANGES_READ_MAX:
                spans[event_id] = (kept.board.state.version, sight.state.version)
        return await self._store.changes(spans) if spans else {}

    async def _compare(self, kept: Kept) -> None:
        """Once in a while look whether the board is what the database has; if not, that is a defect and is mended."""
        try:
            if not await self._agrees(kept):
                _log.error("board_differs", event_id=str(kept.event_id), version=kept.board.state.version)
                self._forget(kept.event_id)
        except Exception as error:
            _log.warning("board_not_compared", event_id=str(kept.event_id), error=repr(error))
        finally:
            kept.compare_at = self._clock() + limits.BOARD_SECONDS_MAX
            self._comparing = None

    async def _agrees(self, kept: Kept) -> bool:
        """Whether the board is as the house, which is brought to the same version; also when it cannot be told."""
        house = await self._houses.read_alone(kept.event_id)
        for _ in range(limits.RETRIES_MAX):
            if house is None or await self.look(kept.event_id, anew=True) is not kept:
                return True
            span = house.state.version, kept.board.state.version
            changes = await self._store.changes({kept.event_id: span})
            if kept.board.state.version == span[1]:
                try:
                    house.advance(kept.board.state, changes.get(kept.event_id, ()), kept.board.at)
                except FeedBroken:
                    return False
                return house.is_like(kept.board)
        return True

    async def _list(self, event_id: UUID) -> Document | None:
        for _ in range(limits.RETRIES_MAX):
            kept = self._kept.get(event_id)
            if kept is not None and kept.listing is not None:
                try:
                    body = kept.listing.draw()
                except FeedBroken:
                    kept.listing = None
                else:
                    self._listed.move_to_end(event_id)
                    document = kept.documents[MapKind.SEATS] = Document(kept.board.state.tag, body)
                    return document
            found = await self._store.listed(event_id)
            # The board has to come to where the list was read, or beyond.
            kept = await self.look(event_id, anew=True)
            if kept is None or found is None:
                return None
            sight, seats = found
            with contextlib.suppress(FeedBroken):
                kept.listing = await asyncio.to_thread(Listing, kept.board, sight.state, seats)
                self._listed[event_id] = len(seats)
        raise QueueFull(f"the seats of {event_id} change faster than they can be listed")

    async def _chart(self, kept: Kept) -> Document | None:
        key = version, is_draft = kept.chart_key
        if kept.chart is None or kept.chart[0] != key:
            body = await self._store.chart(kept.event_id, version)
            document = None
            if body is not None:
                cache_control = "private, no-cache" if is_draft else _CHART_CACHE_CONTROL
                document = Document(f"{kept.event_id}-{version}", body.encode(), cache_control=cache_control)
            kept.chart = key, document
            self._weigh(kept, len(kept.board) + limits.BOARD_SEATS_AT_LEAST + len(body or "") // limits.SEAT_BYTES)
            return document
        return kept.chart[1]

    def _keep(self, kept: Kept) -> None:
        self._kept[kept.event_id] = kept
        self._weight_kept += kept.weight

    def _weigh(self, kept: Kept, weight: int) -> None:
        if self._kept.get(kept.event_id) is kept:
            self._weight_kept += weight - kept.weight
        kept.weight = weight

    def _forget(self, event_id: UUID) -> None:
        kept = self._kept.pop(event_id, None)
        self._listed.pop(event_id, None)
        if kept is not None:
            self._weight_kept -= kept.weight
            kept.fresh_until = -math.inf

    def _drop_oldest(self) -> None:
        while self._weight_kept > limits.BOARD_SEATS_MAX and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))
        while sum(self._listed.values()) > limits.LISTED_SEATS_MAX and len(self._listed) > 1:
            event_id, _ = self._listed.popitem(last=False)
            kept = self._kept.get(event_id)
            if kept is not None:
                kept.listing = None
                kept.documents.pop(MapKind.SEATS, None)
