"""What an event of 50,000 seats takes in the memory of a process, by Python's own account."""

import random
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from overbookr.http.documents import Document
from overbookr.http.encoding import ENCODINGS, IDENTITY
from overbookr.ids import new_id
from overbookr.maps.documents import draw_availability, draw_compact
from overbookr.maps.model import Board, MapState, PlacedSeat, SeatChange

pytestmark = pytest.mark.anyio

_Made = TypeVar("_Made")

SEATS = 50_000
BYTES_MAX = 2_000_000
# Of a hundred seats, in the middle of a sale.
SOLD, HELD = 30, 2
COMPACT_BYTES_MAX = 15_000
_AT = datetime(2031, 5, 1, 20, 0, tzinfo=UTC)


def _seats() -> list[PlacedSeat]:
    """Sections of 500 seats with labels as a plan makes them, sold all over the house, which compresses worst."""
    dice = random.Random(1)
    hold_id = new_id()
    seats = []
    for number in range(SEATS):
        label = f"Block {number // 500 + 1}-{number % 500 // 25 + 1}-{number % 25 + 1}"
        place = dice.randrange(100)
        if place < SOLD:
            seats.append(PlacedSeat(label, "booked", None, None))
        elif place < SOLD + HELD:
            if dice.random() < 0.5:
                hold_id = new_id()
            seats.append(PlacedSeat(label, "held", hold_id, _AT + timedelta(seconds=300)))
        else:
            seats.append(PlacedSeat(label, "available", None, None))
    return seats


def _measured(make: Callable[[], _Made]) -> tuple[_Made, int]:
    """What was made, and the bytes that it keeps."""
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


async def test_a_large_event_takes_two_megabytes_at_most_with_all_that_is_drawn_of_it() -> None:
    seats, event_id = _seats(), new_id()
    state = MapState(1_000, 1, SEATS, 0, False, False)
    board, of_board = _measured(lambda: Board(state, seats, _AT))

    async def draw(body: bytes) -> int:
        document = Document(board.state.tag, body)
        bodies = {id(body): body}
        for encoding in (IDENTITY, *ENCODINGS):
            encoded = (await document.rendition(encoding)).body
            bodies[id(encoded)] = encoded
        return sum(map(len, bodies.values()))

    of_documents = await draw(draw_availability(event_id, board)) + await draw(draw_compact(event_id, board))
    assert of_board > SEATS, "nothing was measured"
    assert of_board + of_documents <= BYTES_MAX, f"{of_board:,} of the board, {of_documents:,} of its documents"


async def test_what_changed_is_remembered_within_the_same_bound() -> None:
    seats = _seats()
    free = [seat.seat_no for seat in seats if seat.status == "available"][:10_000]
    board = Board(MapState(0, 1, SEATS, 0, False, False), seats, _AT)

    def sell() -> None:
        version = 0
        for start in range(0, len(free), 100):
            changes = [
                SeatChange(version + place, label, "available", "booked", _AT, None, None)
                for place, label in enumerate(free[start : start + 100], start=1)
            ]
            version += len(changes)
            board.advance(MapState(version, 1, SEATS, 0, False, False), changes, _AT)

    _, grown = _measured(sell)
    assert board.available == SEATS - sum(seat.status != "available" for seat in seats) - len(free)
    assert grown < BYTES_MAX / 4, f"{grown:,} bytes more"


async def test_the_compact_availability_of_a_large_event_is_small_on_the_wire() -> None:
    board = Board(MapState(1_000, 1, SEATS, 0, False, False), _seats(), _AT)
    document = Document(board.state.tag, draw_compact(new_id(), board))
    for encoding in ("zstd", "br", "gzip"):
        rendition = await document.rendition(encoding)
        assert rendition.etag.endswith(f'.{encoding}"')
        assert len(rendition.body) <= COMPACT_BYTES_MAX, f"{len(rendition.body):,} bytes as {encoding}"
