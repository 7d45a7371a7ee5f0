"""The list of an event's seats, kept in pieces: a change costs the seats that changed, not the whole house."""

from array import array
from collections.abc import Sequence
from datetime import datetime

import msgspec

from overbookr.maps.model import STATUSES, Board, FeedBroken, ListedSeat, MapState
from overbookr.seats.model import Seat

_encode = msgspec.json.Encoder().encode
# Quotes inside of a label are escaped, so neither can be part of one.
_STATUS = b'"status":"'
_UPDATED = b'"updated_at":"'


class Listing:
    """Every seat in natural order as JSON, brought up to date from a board.

    `state` is that of the snapshot in which `seats` were read; the board must have come to it before the first draw.
    Raises FeedBroken when board and list are not of the same seats, or not of the same plan.
    """

    def __init__(self, board: Board, state: MapState, seats: Sequence[ListedSeat]) -> None:
        if len(seats) != len(board):
            raise FeedBroken(f"{len(seats)} seats are listed and {len(board)} on the board")
        if state.chart_version != board.state.chart_version:
            raise FeedBroken(f"plan {state.chart_version} is listed and {board.state.chart_version} on the board")
        self._pieces = [_encode(Seat(*msgspec.structs.astuple(seat))) for seat in seats]
        # Where the seat at a place on the board is in the list.
        self._place_of = array("I", bytes(4 * len(seats)))
        for place, seat in enumerate(seats):
            self._place_of[board.find(seat.seat_no, near=place)] = place
        self._board = board
        self._version = state.version
        self._lapses: int | None = None
        self._kept = False

    def __len__(self) -> int:
        return len(self._pieces)

    def draw(self) -> bytes:
        """The list as of the board. Raises FeedBroken when the board has forgotten too much of what happened since."""
        board = self._board
        if board.state.version < self._version:
            raise FeedBroken(f"the board is at version {board.state.version}, the list at {self._version}")
        changed = board.changed_since(self._version, self._lapses)
        if changed is None:
            raise FeedBroken(f"what happened since version {self._version} is forgotten")
        changed_at = board.changed_at(self._version)
        shown, pieces, place_of = board.shown, self._pieces, self._place_of
        # Where free seats begin or cease to be gathered, each looks different.
        for index in range(len(board)) if board.state.kept != self._kept else changed:
            place = place_of[index]
            pieces[place] = _rewritten(pieces[place], STATUSES[shown[index]].encode(), changed_at.get(index))
        self._version, self._lapses, self._kept = board.state.version, board.lapses, board.state.kept
        return b"[" + b",".join(pieces) + b"]"


def _rewritten(piece: bytes, status: bytes, updated_at: datetime | None) -> bytes:
    head, _, rest = piece.partition(_STATUS)
    _, _, tail = rest.partition(b'"')
    if updated_at is not None:
        tail = tail.rpartition(_UPDATED)[0] + b'"updated_at":' + _encode(updated_at) + b"}"
    return head + _STATUS + status + b'"' + tail
