"""A board fed with changes looks as a list of seats that is told the same, whatever happens in whatever order."""

import random
from datetime import datetime
from uuid import uuid4

import msgspec
import pytest

from overbookr import limits
from overbookr.maps.documents import draw_availability, draw_compact, pack
from overbookr.maps.listing import Listing
from overbookr.maps.model import STATUSES, Board, FeedBroken
from tests.house.stage import seeded_random

from .house import EVENT, LABELS, NOON, SECOND, House


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
        house.move(label, "held", uuid4(), NOON + seconds * SECOND)
    board.advance(house.state, house.feed, house.at)
    assert board.next_lapse == NOON + 4 * SECOND
    house.move("Row A, 2", "available")
    board.advance(house.state, house.feed[2:], house.at)
    assert board.next_lapse == NOON + 9 * SECOND


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
        house.move(label, "blocked")
    state, feed = spoil(house.state, house.feed)  # type: ignore[operator]
    with pytest.raises(FeedBroken):
        board.advance(state, feed, house.at)


def test_what_is_forgotten_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHANGES_KEPT_MAX", 4)
    house = House(random.Random(1))
    board = Board(house.state, house.places(), house.at)
    listing = Listing(board, board.state, house.listed())
    for number in range(12):
        house.move(LABELS[0], "blocked" if number % 2 == 0 else "available")
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
        house.move(LABELS[0], "held", uuid4(), NOON + 300 * SECOND)
        house.move(LABELS[0], "available")
        board.advance(house.state, house.feed[-2:], house.at)
    assert len(board._ends) < 100


def test_two_bits_a_seat() -> None:
    dice = seeded_random()
    for size in (0, 1, 3, 4, 5, 1_000):
        statuses = bytes(dice.choices(range(4), k=size))
        packed = pack(statuses)
        assert len(packed) == -(-size // 4)
        assert bytes(packed[place // 4] >> 2 * (place % 4) & 3 for place in range(size)) == statuses
