"""What a map of the seats is drawn from, and the seats of one event in memory."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import accumulate
from typing import Final
from uuid import UUID

import msgspec

from overbookr import limits

_encode = msgspec.json.Encoder().encode

# What the byte of a seat says. LAPSED is held by a hold whose time is over and which nobody has ended yet.
AVAILABLE, HELD, BOOKED, BLOCKED, LAPSED = range(5)
STATUSES: Final = ("available", "held", "booked", "blocked")
_CODE_OF: Final = {name: code for code, name in enumerate(STATUSES)}
_SHOWN: Final = bytes([AVAILABLE, HELD, BOOKED, BLOCKED, AVAILABLE]) + bytes(range(5, 256))
# Free seats that are gathered for the head of a strict queue can be had by nobody else.
_SHOWN_KEPT: Final = bytes([HELD, HELD, BOOKED, BLOCKED, HELD]) + bytes(range(5, 256))
_ENDS_SPARE: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class MapState(msgspec.Struct, frozen=True):
    """What a map was drawn from; two equal states mean two equal maps.

    A hold that lapses changes the map without a change of version, so the number of lapsed holds is part of it; `kept`
    tells that free seats are gathered for the head of a strict queue.
    """

    version: int
    chart_version: int
    seats_count: int
    lapsed_holds: int
    kept: bool
    is_draft: bool

    @property
    def tag(self) -> str:
        # Repairs may change the count of seats without a change of version.
        counts = f"{self.version}-{self.chart_version}-{self.seats_count}-{self.lapsed_holds}"
        return f"{counts}-kept" if self.kept else counts


class PlacedSeat(msgspec.Struct, frozen=True, gc=False):
    """A seat as the board is set up with it."""

    seat_no: str
    status: str
    hold_id: UUID | None
    hold_expires_at: datetime | None


class SeatChange(msgspec.Struct, frozen=True, gc=False):
    """One record of the feed; `hold_expires_at` when the seat was held by it. None as a status: no such seat."""

    version: int
    seat_no: str
    from_status: str | None
    to_status: str | None
    at: datetime
    hold_id: UUID | None
    hold_expires_at: datetime | None


class ListedSeat(msgspec.Struct, frozen=True, gc=False):
    """A seat as its list is set up with it. `status` is as it was written down, whatever the time has done since."""

    seat_id: UUID
    seat_no: str
    status: str
    section: str | None
    row: str | None
    category: str | None
    created_at: datetime
    updated_at: datetime


class Availability(msgspec.Struct, frozen=True):
    """Only the seats that are not free, by status; everything else on the chart can be had."""

    event_id: UUID
    version: int
    chart_version: int
    available: int
    held: list[str]
    booked: list[str]
    blocked: list[str]


class CompactAvailability(msgspec.Struct, frozen=True):
    """Two bits a seat: 0 available, 1 held, 2 booked, 3 blocked.

    `states` is base64 of a byte for each four seats, the first of them in its lowest two bits. Seats are in the order
    of the chart, those that are not on it behind them in natural order; without a chart, all are in natural order.
    """

    event_id: UUID
    version: int
    chart_version: int
    available: int
    seats: int
    states: str


class _Hold:
    __slots__ = ("is_lapsed", "seats")

    def __init__(self) -> None:
        self.seats: list[int] = []
        self.is_lapsed = False


class FeedBroken(Exception):
    """The changes do not follow on what the board knows; it has to be set up anew."""


class Board:
    """The seats of one event: a byte each for the status, and the labels in one piece, so that 50,000 take 1.2 MB.

    Seats are in the order of the chart, those without a place on it behind them in natural order. Fed with every change
    in the order of its version, and with the database's clock, which alone decides when a hold is over.
    """

    def __init__(self, state: MapState, seats: Sequence[PlacedSeat], at: datetime) -> None:
        self.state = state
        self.at = at
        encoded = [_encode(seat.seat_no) + b"," for seat in seats]
        self._labels = b"".join(encoded)
        self._starts = array("I", accumulate(map(len, encoded), initial=0))
        self._by_label = array("I", sorted(range(len(encoded)), key=encoded.__getitem__))
        self._statuses = bytearray(_CODE_OF[seat.status] for seat in seats)
        self._held: dict[int, _Hold] = {}
        # Entries of holds that ended otherwise are left in here until they are the most.
        self._ends: list[tuple[datetime, int, _Hold]] = []
        self._holds = self._lapsed_holds = 0
        self._ends_noted = 0
        # The seats of the latest changes, the last of which belongs to the version of `state`, and when they were (in
        # microseconds since 1970); and the seats that were seen to lapse latest, with how many there have been.
        self._changed = array("I")
        self._changed_at = array("q")
        self._lapsed = array("I")
        self.lapses = 0
        self._shown: bytes | None = None
        self._take({index: (seat.hold_id, seat.hold_expires_at) for index, seat in enumerate(seats) if seat.hold_id})
        self._lapse(at)
        # None, unless the database is at odds with itself; that is shown as it is.
        self._lapses_unexplained = state.lapsed_holds - self._lapsed_holds

    def __len__(self) -> int:
        return len(self._statuses)

    @property
    def next_lapse(self) -> datetime | None:
        """When the time of the next hold is over; None when there is none that could lapse."""
        return self._ends[0][0] if self._ends else None

    @property
    def shown(self) -> bytes:
        """The status of each seat as anyone sees it: AVAILABLE, HELD, BOOKED or BLOCKED."""
        if self._shown is None:
            self._shown = bytes(self._statuses).translate(_SHOWN_KEPT if self.state.kept else _SHOWN)
        return self._shown

    @property
    def available(self) -> int:
        """How many seats can be had; blocked ones are no part of the house."""
        return self.state.seats_count - self.shown.count(HELD) - self.shown.count(BOOKED)

    def labels(self, first: int, end: int) -> bytes:
        """The labels of neighbours on the board as JSON strings with commas between them."""
        return self._labels[self._starts[first] : self._starts[end] - 1]

    def find(self, seat_no: str, near: int = 0) -> int:
        """The place of a seat on the board, looked for at `near` first. Raises FeedBroken for one that is not there."""
        wanted = _encode(seat_no) + b","
        labels, starts, by_label = self._labels, self._starts, self._by_label
        if labels.startswith(wanted, starts[near]):
            return near
        place = bisect_left(by_label, wanted, key=lambda index: labels[starts[index] : starts[index + 1]])
        if place < len(by_label):
            index = by_label[place]
            if labels[starts[index] : starts[index + 1]] == wanted:
                return index
        raise FeedBroken(f"no seat {seat_no}")

    def is_like(self, other: "Board") -> bool:
        """Whether the same seats are in the same state on both."""
        return self._labels == other._labels and self._statuses == other._statuses

    def advance(self, state: MapState, changes: Iterable[SeatChange], at: datetime) -> None:
        """Bring the board to `state`, by every change since its own version, and to the instant `at`.

        Raises FeedBroken when the changes have a gap, seats came or went, or the time of another hold is over than the
        board would say; the board is half changed then and must not be used again.
        """
        version, index = self.state.version, -1
        # A seat may have been held, freed and held again since the last time: its last hold counts.
        held: dict[int, tuple[UUID | None, datetime | None]] = {}
        for change in changes:
            version += 1
            if change.version != version or change.from_status is None or change.to_status is None:
                raise FeedBroken(f"version {change.version} does not follow on {version - 1}")
            # The seats of one hold are neighbours most of the time.
            index = self.find(change.seat_no, near=index + 1)
            self._let_go(index)
            held.pop(index, None)
            if change.to_status == "held":
                held[index] = change.hold_id, change.hold_expires_at
            self._statuses[index] = _CODE_OF[change.to_status]
            self._changed.append(index)
            self._changed_at.append((change.at - _EPOCH) // _MICROSECOND)
        if version != state.version or state.chart_version != self.state.chart_version:
            raise FeedBroken(f"version {version} is not {state.version}")
        self._take(held)
        self._lapse(at)
        if state.lapsed_holds != self._lapsed_holds + self._lapses_unexplained:
            raise FeedBroken(f"{state.lapsed_holds} holds have lapsed, and {self._lapsed_holds} should have")
        self.state, self.at = state, at
        self._shown = None
        for latest in (self._changed, self._changed_at, self._lapsed):
            if len(latest) > 2 * limits.CHANGES_KEPT_MAX:
                del latest[: -limits.CHANGES_KEPT_MAX]

    def changed_since(self, version: int, lapses: int | None) -> set[int] | None:
        """Places of the seats that look different since then; None when that is longer ago than is remembered.

        `lapses`: how many there had been; None when that is not known: then all that are lapsed may be news.
        """
        changes = self.state.version - version
        if not 0 <= changes <= len(self._changed):
            return None
        found = set(self._changed[len(self._changed) - changes :])
        if lapses is None:
            return found | {index for hold in set(self._held.values()) if hold.is_lapsed for index in hold.seats}
        if self.lapses - lapses > len(self._lapsed):
            return None
        return found | set(self._lapsed[len(self._lapsed) - (self.lapses - lapses) :])

    def changed_at(self, version: int) -> dict[int, datetime]:
        """When the seats that changed after this version, which is remembered, were changed last."""
        changes = self.state.version - version
        first = len(self._changed) - changes
        return {
            index: _EPOCH + at * _MICROSECOND
            for index, at in zip(self._changed[first:], self._changed_at[first:], strict=True)
        }

    def _take(self, held: Mapping[int, tuple[UUID | None, datetime | None]]) -> None:
        """Note until when seats are held."""
        holds: dict[UUID, _Hold] = {}
        for index, (hold_id, expires_at) in held.items():
            if hold_id is None or expires_at is None:
                raise FeedBroken("held by no hold")
            hold = holds.get(hold_id)
            if hold is None:
                hold = holds[hold_id] = _Hold()
                self._holds += 1
                self._ends_noted += 1
                heappush(self._ends, (expires_at, self._ends_noted, hold))
            hold.seats.append(index)
            self._held[index] = hold

    def _let_go(self, index: int) -> None:
        hold = self._held.pop(index, None)
        if hold is None:
            return
        hold.seats.remove(index)
        if not hold.seats:
            self._holds -= 1
            self._lapsed_holds -= hold.is_lapsed

    def _lapse(self, at: datetime) -> None:
        ends = self._ends
        while ends and (ends[0][0] <= at or not ends[0][2].seats):
            _, _, hold = heappop(ends)
            if not hold.seats:
                continue
            hold.is_lapsed = True
            self._lapsed_holds += 1
            for index in hold.seats:
                self._statuses[index] = LAPSED
            self._lapsed.extend(hold.seats)
            self.lapses += len(hold.seats)
        if len(ends) > 2 * self._holds + _ENDS_SPARE:
            ends[:] = [entry for entry in ends if entry[2].seats]
            heapify(ends)
