"""Maps as bytes, drawn from a board."""

import re
from base64 import b64encode
from typing import Final
from uuid import UUID

from overbookr.maps.model import BLOCKED, BOOKED, HELD, Board

_RUNS: Final = tuple(re.compile(bytes([code]) + b"+") for code in (HELD, BOOKED, BLOCKED))


def draw_availability(event_id: UUID, board: Board) -> bytes:
    """The seats that are not free, by status, in the order of the board; see maps.model.Availability."""
    state, shown = board.state, board.shown
    lists = b",".join(
        b'"%b":[%b]' % (name, b",".join(board.labels(*run.span()) for run in pattern.finditer(shown)))
        for name, pattern in zip((b"held", b"booked", b"blocked"), _RUNS, strict=True)
    )
    return b'{"event_id":"%b","version":%d,"chart_version":%d,"available":%d,%b}' % (
        str(event_id).encode(), state.version, state.chart_version, board.available, lists,
    )  # fmt: skip


def draw_compact(event_id: UUID, board: Board) -> bytes:
    """Two bits a seat; see maps.model.CompactAvailability."""
    state = board.state
    return b'{"event_id":"%b","version":%d,"chart_version":%d,"available":%d,"seats":%d,"states":"%b"}' % (
        str(event_id).encode(), state.version, state.chart_version, board.available, len(board),
        b64encode(pack(board.shown)),
    )  # fmt: skip


def pack(statuses: bytes) -> bytes:
    """Four statuses a byte, the first in the lowest two bits."""
    size = -(-len(statuses) // 4)
    padded = statuses.ljust(size * 4, b"\0")
    # As long integers, whose bytes do not touch each other, because no status has more than two bits.
    parts = (int.from_bytes(padded[place::4], "little") << 2 * place for place in range(4))
    return sum(parts).to_bytes(size, "little")
