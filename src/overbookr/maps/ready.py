"""Maps that are answered before anything else looks at the request.

Most of an on-sale's requests are for the same few documents by visitors who are not logged in. When the document lies
ready and is fresh, nothing of routing, tokens or policies has a say in the answer, and it costs less than to turn the
request away. Everything else (another spelling of the path, a token, an encoding nobody has asked for yet) goes the
usual way, which gives the same answer.
"""

from typing import Final
from uuid import UUID

from litestar.types import HTTPScope

from overbookr.http.documents import Document, respond_at_once
from overbookr.http.front import ReadyAnswer
from overbookr.maps.boards import Boards, MapKind

_PREFIX: Final = "/events/"
_SUFFIX_AT: Final = len(_PREFIX) + 36
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
        return None if document is None else respond_at_once(document, scope["headers"], template)

    def _document(self, event_id: str, kind: MapKind) -> Document | None:
        try:
            kept = None if self.boards is None else self.boards.fresh(UUID(event_id))
        except ValueError:
            return None
        return None if kept is None or kept.board.state.is_draft else kept.ready(kind)
