"""Which pages of other sites may read the answers, and what they may ask with: CORS."""

from collections.abc import Iterable
from typing import Final

RawHeaders = list[tuple[bytes, bytes]]

_EXPOSED: Final = b"Date, X-Request-Id, X-Total-Count, Link, Location, Idempotency-Replayed, Retry-After, ETag"
_ALLOWED_HEADERS: Final = (
    b"Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id, Last-Event-ID"
)
_ALLOWED_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_PREFLIGHT_SECONDS: Final = b"600"


class Origins:
    """The sites whose pages may read. `vary` is what every answer has where there are any."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.rstrip("/").encode() for origin in origins)
        self.vary: RawHeaders = [(b"vary", b"Origin")] if self._origins else []

    def known(self, origin: bytes | None) -> bytes | None:
        """The origin, if it is one of them."""
        return origin if origin in self._origins else None


def expose(headers: RawHeaders, origin: bytes) -> None:
    """Let the pages of a known origin read an answer."""
    headers.append((b"access-control-allow-origin", origin))
    headers.append((b"access-control-expose-headers", _EXPOSED))


def preflight_headers() -> RawHeaders:
    return [
        (b"access-control-allow-methods", _ALLOWED_METHODS),
        (b"access-control-allow-headers", _ALLOWED_HEADERS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
    ]
