"""Pages of the event list from memory: read once for all who ask for the same page at about the same time.

The list is what an on-sale begins with, and everybody who is not an organiser is shown the same. A page is served for
as long as `EVENT_PAGE_AGE_SECONDS_MAX` after its reading began, and not at all after this process has changed an event.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
from litestar.types import HTTPScope

from overbookr import limits
from overbookr.events.model import Event
from overbookr.http.documents import Document, respond_at_once
from overbookr.http.front import ReadyAnswer

PATH: Final = "/events"
# Path and query as they were sent; whoever spells a query otherwise has a page of their own.
Address = tuple[str, bytes]
Draw = Callable[[], Awaitable[Document]]
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Kept:
    began: float
    drawing: "asyncio.Task[Document]"


class EventPages:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Address, _Kept] = {}

    async def page(self, address: Address, draw: Draw, *, anew: bool) -> Document:
        """The page at an address, drawn by `draw` unless there is one that is fresh; `anew` for one that is not
        older than the request. Raises what `draw` raises."""
        kept = None if anew else self._fresh(address)
        if kept is None:
            kept = _Kept(self._clock(), asyncio.ensure_future(draw()))
            kept.drawing.add_done_callback(_look_at_error)
            self._kept.pop(address, None)
            self._kept[address] = kept
            if len(self._kept) > limits.EVENT_PAGES_KEPT_MAX:
                del self._kept[next(iter(self._kept))]
        # Who leaves does not take the page away from those who wait for it too.
        return await asyncio.shield(kept.drawing)

    def forget(self) -> None:
        """Events have changed: nothing that was read before is shown to whoever asks from now on."""
        self._kept.clear()

    def ready(self, scope: HTTPScope) -> ReadyAnswer | None:
        """The page if it lies ready, for those who say nothing of who they are."""
        if scope["path"] != PATH:
            return None
        kept = self._fresh((PATH, scope["query_string"]))
        if kept is None or not kept.drawing.done() or any(name == b"authorization" for name, _ in scope["headers"]):
            return None
        return respond_at_once(kept.drawing.result(), scope["headers"], PATH)

    def _fresh(self, address: Address) -> _Kept | None:
        kept = self._kept.get(address)
        if kept is None or self._clock() - kept.began >= limits.EVENT_PAGE_AGE_SECONDS_MAX:
            return None
        if kept.drawing.done() and (kept.drawing.cancelled() or kept.drawing.exception() is not None):
            return None
        return kept


def draw_page(events: Iterable[Event], headers: dict[str, str]) -> Document:
    """A page as a document, with the headers that say where it is in the list."""
    body = _encode(list(events))
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    # How many there are in all shows in the headers only.
    tag = hashlib.blake2b(body + repr(raw).encode(), digest_size=12).hexdigest()
    return Document(tag, body, headers=raw)


def _look_at_error(drawing: "asyncio.Task[Document]") -> None:
    # Where everybody who waited has left, nobody else does, and asyncio would complain.
    if not drawing.cancelled():
        drawing.exception()
