"""A board fed with changes looks as a list of seats that is told the same, whatever happens in whatever order."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from overbookr import limits
from overbookr.maps.documents import draw_availability, draw_compact, pack
from overbookr.maps.listing import Listing
from overbookr.maps.model import STATUSES, Board, FeedBroken, ListedSeat, MapState, PlacedSeat, SeatChange
from overbookr.seats.natural_order import natural_key
from tests.house.stage import seeded_random

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
EVENT = UUID(int=1)
# Quotes, commas and what reads like a part of the list: no label may disturb its neighbours.
LABELS = [f"Row {row}, {number}" for row in "AB" for number in range(1, 8)] + ['"status":"held"', "Ü\\1", ","]
_SECOND = timedelta(seconds=1)


class _Seat:
    def __init__(self) -> None:
        self.status = "available"
        self.hold: UUID | None = None
        self.ends: datetime | None = None
        self.updated_at = NOON

    def shown(self, at: datetime, kept: bool) -> str:
        status = "available" if self.ends is not None and self.ends <= at else self.status
        return "held" if kept and status == "available" else status


class House:
    """What the database would say: seats by label, and the feed."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.at = NOON
        self.seats = {label: _Seat() for label in LABELS}
        self.feed: list[SeatChange] = []
        self.kept = False

    @property
    def state(self) -> MapState:
        lapsed = {seat.hold for seat in self.seats.values() if seat.ends is not None and seat.ends <= self.at}
        blocked = sum(seat.status == "blocked" for seat in self.seats.values())
        return MapState(len(self.feed), 1, len(self.seats) - blocked, len(lapsed), self.kept, is_draft=False)

    def places(self) -> list[PlacedSeat]:
        return [PlacedSeat(label, seat.status, seat.hold, seat.ends) for label, seat in self.seats.items()]

    def listed(self) -> list[ListedSeat]:
        return sorted(
            (
                ListedSeat(UUID(int=place), label, seat.status, None, None, "C", NOON, seat.updated_at)
                for place, (label, seat) in enumerate(self.seats.items())
            ),
            key=lambda seat: (natural_key(seat.seat_no), seat.seat_no),
        )

    def shown(self) -> dict[str, str]:
        return {label: seat.shown(self.at, self.kept) for label, seat in self.seats.items()}

    def step(self) -> None:
        """Somebody does something, or time passes."""
        self.at += timedelta(milliseconds=self.dice.randrange(1, 400))
        kind = self.dice.choice(["hold", "hold", "end", "end", "book", "cancel", "block", "kept", "time"])
        free = [label for label, seat in self.seats.items() if seat.status == "available"]
        holds = sorted({seat.hold for seat in self.seats.values() if seat.hold is not None}, key=str)
        if kind == "hold" and free:
            hold, ends = uuid4(), self.at + self.dice.randrange(1, 5) * _SECOND
            for label in self.dice.sample(free, min(len(free), self.dice.randrange(1, 4))):
                self._move(label, "held", hold, ends)
        elif kind in ("end", "book") and holds:
            hold = self.dice.choice(holds)
            for label in [label for label, seat in self.seats.items() if seat.hold == hold]:
                self._move(label, "available" if kind == "end" else "booked")
        elif kind == "cancel":
            for label in [label for label, seat in self.seats.items() if seat.status == "booked"][:2]:
                self._move(label, "available")
        elif kind == "block":
            label = self.dice.choice(LABELS)
            opposite = {"available": "blocked", "blocked": "available"}.get(self.seats[label].status)
            if opposite is not None:
                self._move(label, opposite)
        elif kind == "kept":
            self.kept = self.dice.random() < 0.2
        elif kind == "time":
            self.at += 2 * _SECOND

    def _move(self, label: str, to: str, hold: UUID | None = None, ends: datetime | None = None) -> None:
        seat = self.seats[label]
        change = SeatChange(len(self.feed) + 1, label, seat.status, to, self.at, hold or seat.hold, ends)
        self.feed.append(change)
        seat.status, seat.hold, seat.ends, seat.updated_at = to, hold, ends, self.at


def shown_by(board: Board) -> dict[str, str]:
    return {label: STATUSES[code] for label, code in zip(LABELS, board.shown, strict=True)}


def test_a_board_follows_the_feed() -> None:
    """Some steps at a time: board, list, both documents and what is told to viewers are as the house is."""
    dice = seeded_random()
    house = House(dice)
    board = Board(house.state, house.places(), house.at)
    listing = Listing(board, board.state, house.listed())
    seen = shown_by(board), board.state.version, board.lapses, board.state.kept
    compared = 0
    for _ in range(400):
        for _ in range(dice.randrange(1, 5)):
            house.step()
        version = board.state.version
        board.advance(house.state, house.feed[version:], house.at)
        shown = house.shown()
        assert shown_by(board) == shown
        sparse = msgspec.json.decode(draw_availability(EVENT, board))
        assert {name: sparse[name] for name in ("held", "booked", "blocked")} == {
            name: [label for label in LABELS if shown[label] == name] for name in ("held", "booked", "blocked")
        }
        assert (sparse["version"], sparse["available"]) == (len(house.feed), list(shown.values()).count("available"))
        assert msgspec.json.decode(draw_compact(EVENT, board))["seats"] == len(LABELS)
        listed = msgspec.json.decode(listing.draw())
        assert [(seat["seat_no"], seat["status"]) for seat in listed] == [
            (seat.seat_no, shown[seat.seat_no]) for seat in house.listed()
        ]
        assert [datetime.fromisoformat(seat["updated_at"]) for seat in listed] == [
            seat.updated_at for seat in house.listed()
        ]
        if seen[3] == board.state.kept:
            changed = board.changed_since(seen[1], dice.choice([seen[2], None]))
            assert changed is not None
            assert {label for label in LABELS if seen[0][label] != shown[label]} <= {LABELS[place] for place in changed}
            compared += len(changed)
        if dice.random() < 0.5:
            seen = shown, board.state.version, board.lapses, board.state.kept
        assert board.is_like(Board(house.state, house.places(), house.at))
    assert compared > 100
    assert any(change.from_status == "held" for change in house.feed)


def test_a_board_says_when_a_hold_lapses_next() -> None:
    house = House(random.Random(1))
    board = Board(house.state, house.places(), house.at)
    assert board.next_lapse is None
    for label, seconds in (("Row A, 1", 9), ("Row A, 2", 4)):
        house._move(label, "held", uuid4(), NOON + seconds * _SECOND)
    board.advance(house.state, house.feed, house.at)
    assert board.next_lapse == NOON + 4 * _SECOND
    house._move("Row A, 2", "available")
    board.advance(house.state, house.feed[2:], house.at)
    assert board.next_lapse == NOON + 9 * _SECOND


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda state, feed: (state, feed[1:]), id="the first is missing"),
        pytest.param(lambda state, feed: (state, feed[:-1]), id="the last is missing"),
        pytest.param(lambda state, feed: (state, [feed[0], *feed[2:]]), id="one in the middle is missing"),
        pytest.param(lambda state, feed: (state, [*feed, feed[-1]]), id="one is twice there"),
        pytest.param(lambda state, feed: (state, [feed[0], feed[2], feed[2]]), id="one in the place of another"),
        pytest.param(
            lambda state, feed: (state, [*feed[:-1], msgspec.structs.replace(feed[-1], seat_no="Z9")]),
            id="unknown seat",
        ),
        pytest.param(
            lambda state, feed: (state, [*feed[:-1], msgspec.structs.replace(feed[-1], from_status=None)]),
            id="new seat",
        ),
        pytest.param(
            lambda state, feed: (state, [*feed[:-1], msgspec.structs.replace(feed[-1], to_status=None)]), id="gone seat"
        ),
        pytest.param(lambda state, feed: (msgspec.structs.replace(state, chart_version=2), feed), id="another chart"),
        pytest.param(lambda state, feed: (msgspec.structs.replace(state, lapsed_holds=1), feed), id="another lapse"),
    ],
)
def test_a_feed_that_does_not_follow_is_refused(spoil: object) -> None:
    house = House(random.Random(1))
    board = Board(house.state, house.places(), house.at)
    for label in LABELS[:3]:
        house._move(label, "blocked")
    state, feed = spoil(house.state, house.feed)  # type: ignore[operator]
    with pytest.raises(FeedBroken):
        board.advance(state, feed, house.at)


def test_what_is_forgotten_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHANGES_KEPT_MAX", 4)
    house = House(random.Random(1))
    board = Board(house.state, house.places(), house.at)
    listing = Listing(board, board.state, house.listed())
    for number in range(12):
        house._move(LABELS[0], "blocked" if number % 2 == 0 else "available")
        board.advance(house.state, house.feed[-1:], house.at)
    assert board.changed_since(12, 0) == set()
    assert board.changed_since(9, 0) == {0}
    assert board.changed_since(1, 0) is None
    assert board.changed_since(13, 0) is None
    with pytest.raises(FeedBroken):
        listing.draw()


def test_ended_holds_do_not_pile_up() -> None:
    house = House(random.Random(1))
    board = Board(house.state, house.places(), house.at)
    for _ in range(500):
        house._move(LABELS[0], "held", uuid4(), NOON + 300 * _SECOND)
        house._move(LABELS[0], "available")
        board.advance(house.state, house.feed[-2:], house.at)
    assert len(board._ends) < 100


def test_two_bits_a_seat() -> None:
    dice = seeded_random()
    for size in (0, 1, 3, 4, 5, 1_000):
        statuses = bytes(dice.choices(range(4), k=size))
        packed = pack(statuses)
        assert len(packed) == -(-size // 4)
        assert bytes(packed[place // 4] >> 2 * (place % 4) & 3 for place in range(size)) == statuses
