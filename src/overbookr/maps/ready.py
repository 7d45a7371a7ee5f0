"""Maps that are answered before anything else looks at the request.

Most of an on-sale's requests are for the same few documents by visitors who are not logged in. When the document lies
ready and is fresh, nothing of routing, tokens or policies has a say in the answer, and it costs less than to turn the
request away. Everything else (another spelling of the path, a token, an encoding nobody has asked for yet) goes the
usual way, which gives the same answer.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from litestar.types import HTTPScope

from overbookr.http.encoding import best_encoding
from overbookr.http.front import ReadyAnswer
from overbookr.maps.boards import Boards, MapKind
from overbookr.maps.documents import Document

_PREFIX: Final = "/events/"
_SUFFIX_AT: Final = len(_PREFIX) + 36
# A body, and whoever wants more than what lies ready.
_UNUSUAL_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding", b"cache-control"})
_KINDS: Final = {
    ("/availability", b""): (MapKind.AVAILABILITY, "/events/{event_id}/availability"),
    ("/availability", b"form=compact"): (MapKind.COMPACT, "/events/{event_id}/availability"),
    ("/seats", b""): (MapKind.SEATS, "/events/{event_id}/seats"),
    ("/chart", b""): (MapKind.CHART, "/events/{event_id}/chart"),
}


class ReadyMaps:
    """Looks up what lies ready. `boards` come when the process has its database; before that nothing does."""

    def __init__(self) -> None:
        self.boards: Boards | None = None

    def __call__(self, scope: HTTPScope) -> ReadyAnswer | None:
        path = scope["path"]
        known = _KINDS.get((path[_SUFFIX_AT:], scope["query_string"])) if path.startswith(_PREFIX) else None
        if known is None:
            return None
        kind, template = known
        document = self._document(path[len(_PREFIX) : _SUFFIX_AT], kind)
        return None if document is None else _answer(document, scope["headers"], template)

    def _document(self, event_id: str, kind: MapKind) -> Document | None:
        try:
            kept = None if self.boards is None else self.boards.fresh(UUID(event_id))
        except ValueError:
            return None
        return None if kept is None or kept.board.state.is_draft else kept.ready(kind)


def _answer(document: Document, headers: Iterable[tuple[bytes, bytes]], template: str) -> ReadyAnswer | None:
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
