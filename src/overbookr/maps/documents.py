"""Maps as bytes: drawn from a board once a change, encoded once for all who take the same encoding."""

import asyncio
import gzip
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import brotli
import msgspec
import zstandard

from overbookr import limits
from overbookr.http.encoding import ENCODINGS, IDENTITY
from overbookr.http.etag import is_match, make_etag
from overbookr.maps.model import BLOCKED, BOOKED, HELD, Board

_ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    # Made each time, as one compressor must not be used by two threads.
    "zstd": lambda body: zstandard.ZstdCompressor(level=3).compress(body),
    "br": lambda body: brotli.compress(body, quality=4),
    "gzip": lambda body: gzip.compress(body, compresslevel=6, mtime=0),
}
_RUNS: Final = tuple(re.compile(bytes([code]) + b"+") for code in (HELD, BOOKED, BLOCKED))


class Rendition(msgspec.Struct, frozen=True):
    """A document in one encoding. `headers` are its own; `etag` quotes included."""

    etag: str
    body: bytes
    headers: list[tuple[bytes, bytes]]
    unchanged_headers: list[tuple[bytes, bytes]]


class Document:
    """One body that many ask for. `tag` names its content; each encoding of it is made when it is first asked for."""

    def __init__(self, tag: str, body: bytes, cache_control: str = "no-cache") -> None:
        self._tag = tag
        self._body = body
        self._cache_control = cache_control.encode()
        self._renditions: dict[str, Rendition] = {}
        self._lock = asyncio.Lock()

    def ready(self, encoding: str) -> Rendition | None:
        """The rendition if it has been made already."""
        return self._renditions.get(encoding)

    async def rendition(self, encoding: str) -> Rendition:
        found = self._renditions.get(encoding)
        if found is not None:
            return found
        if encoding == IDENTITY or len(self._body) < limits.ENCODED_BYTES_MIN:
            return self._add(encoding, IDENTITY, self._body)
        encode = _ENCODERS[encoding]
        if len(self._body) < limits.ENCODED_AT_ONCE_BYTES_MAX:
            return self._add(encoding, encoding, encode(self._body))
        async with self._lock:
            found = self._renditions.get(encoding)
            if found is not None:
                return found
            # The event loop goes on meanwhile: encoders let go of the interpreter.
            return self._add(encoding, encoding, await asyncio.to_thread(encode, self._body))

    def is_known(self, rendition: Rendition, tags: str | None) -> bool:
        """Whether a client that has `tags` (an If-None-Match) has this content, in whatever encoding."""
        if tags is None:
            return False
        return tags == rendition.etag or any(
            is_match(etag_of(self._tag, encoding), tags) for encoding in (IDENTITY, *ENCODINGS)
        )

    def _add(self, asked: str, encoding: str, body: bytes) -> Rendition:
        etag = etag_of(self._tag, encoding)
        common = [
            (b"etag", etag.encode()),
            (b"cache-control", self._cache_control),
            (b"vary", b"Accept-Encoding"),
        ]
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *common,
        ]
        if encoding != IDENTITY:
            headers.append((b"content-encoding", encoding.encode()))
        rendition = Rendition(etag, body, headers, common)
        self._renditions[asked] = rendition
        return rendition


def etag_of(tag: str, encoding: str) -> str:
    """A strong tag is of bytes, so each encoding has its own."""
    return make_etag(tag if encoding == IDENTITY else f"{tag}.{encoding}")


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
