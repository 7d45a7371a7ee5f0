"""Documents that many ask for: one body, encoded once for all who take the same encoding, and how it is answered."""

import asyncio
import gzip
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import brotli
import msgspec
import zstandard
from litestar import MediaType, Response

from overbookr import limits
from overbookr.http.encoding import ENCODINGS, IDENTITY, best_encoding
from overbookr.http.etag import if_none_match, is_match, make_etag
from overbookr.http.front import ReadyAnswer

_ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    # Made each time, as one compressor must not be used by two threads.
    "zstd": lambda body: zstandard.ZstdCompressor(level=3).compress(body),
    "br": lambda body: brotli.compress(body, quality=4),
    "gzip": lambda body: gzip.compress(body, compresslevel=6, mtime=0),
}
# A body, and whoever wants more than what lies ready.
_UNUSUAL_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding", b"cache-control"})


class Rendition(msgspec.Struct, frozen=True):
    """A document in one encoding. `headers` are its own; `etag` quotes included."""

    etag: str
    body: bytes
    headers: list[tuple[bytes, bytes]]
    unchanged_headers: list[tuple[bytes, bytes]]


class Document:
    """One body that many ask for. `tag` names its content; each encoding of it is made when it is first asked for.

    `headers` are sent with every encoding of it.
    """

    def __init__(
        self, tag: str, body: bytes, cache_control: str = "no-cache", headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        self._tag = tag
        self._body = body
        self._headers = [(b"cache-control", cache_control.encode()), (b"vary", b"Accept-Encoding"), *headers]
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
        common = [(b"etag", etag.encode()), *self._headers]
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


async def respond(document: Document, headers: Iterable[tuple[bytes, bytes]]) -> Response[Any]:
    """The answer to a request with these headers: in the encoding that it likes best, or that nothing has changed."""
    rendition = await document.rendition(best_encoding(dict(headers).get(b"accept-encoding")))
    if document.is_known(rendition, if_none_match(headers)):
        return Response(None, status_code=304, headers=_text(rendition.unchanged_headers))
    return Response(rendition.body, media_type=MediaType.JSON, headers=_text(rendition.headers))


def respond_at_once(document: Document, headers: Iterable[tuple[bytes, bytes]], template: str) -> ReadyAnswer | None:
    """The same, for the front, if it can be had without waiting. `template` is the route's."""
    tags: str | None = None
    accepted: bytes | None = None
    for name, value in headers:
        if name == b"if-none-match":
            tags = value.decode("latin-1") if tags is None else f"{tags}, {value.decode('latin-1')}"
        elif name == b"accept-encoding":
            accepted = value
        elif name in _UNUSUAL_HEADERS:
            return None
    rendition = document.ready(best_encoding(accepted))
    if rendition is None:
        return None
    if document.is_known(rendition, tags):
        return ReadyAnswer(304, rendition.unchanged_headers, b"", template)
    return ReadyAnswer(200, rendition.headers, rendition.body, template)


def _text(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}
