"""HTTP for what visitors see of the seats."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, get
from litestar.datastructures import State
from litestar.params import Parameter
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from overbookr.http.auth import optional_principal_of
from overbookr.http.documents import respond
from overbookr.http.etag import wants_present
from overbookr.http.problem import problem
from overbookr.maps.boards import Boards, Kept, MapKind
from overbookr.maps.model import Availability, CompactAvailability
from overbookr.maps.streams import Since, Streams, Tell, read_since
from overbookr.seats.model import Seat


class _Watching(Response[str]):
    """An answer that goes on for as long as its client listens, or the stream does."""

    def __init__(self, streams: Streams, kept: Kept, since: Since | None) -> None:
        super().__init__("")
        self._tell_client = partial(streams.watch, kept, since)

    def to_asgi_response(self, *_: Any, is_head_response: bool = False, **__: Any) -> ASGIResponse:
        return _EventStream(self._tell_client)


class _EventStream(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, tell_client: Callable[[Tell], Awaitable[None]]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(media_type="text/event-stream", status_code=200, headers=headers)
        self._tell_client = tell_client

    async def send_body(self, send: Send, receive: Receive) -> None:
        async def tell(text: bytes) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": True})

        telling = asyncio.ensure_future(self._tell_client(tell))
        leaving = asyncio.ensure_future(_wait_until_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                await telling
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # Whoever takes nothing any more is let go: the answer ends in the middle, which closes the connection.
            pass
        finally:
            telling.cancel()
            leaving.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)


async def _wait_until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_organiser(scope: Scope) -> bool:
    principal = optional_principal_of(scope)
    return principal is not None and principal.is_admin


async def look(boards: Boards, event_id: UUID, scope: Scope) -> Kept | None:
    """The event's board; None when there is no such event, or it is a draft and not for these eyes."""
    kept = await boards.look(event_id, anew=wants_present(scope["headers"]))
    return None if kept is None or (kept.board.state.is_draft and not _is_organiser(scope)) else kept


async def _map(event_id: UUID, kind: MapKind, state: State, scope: Scope) -> Response[Any]:
    boards: Boards = state.maps
    kept = await look(boards, event_id, scope)
    if kept is None:
        return problem("event_not_found")
    document = await boards.document(kept, kind)
    if document is None:
        if kind is MapKind.CHART:
            return problem("chart_not_found", "The event has seats by label only; a seating plan gives it a chart.")
        return problem("event_not_found")
    return await respond(document, scope["headers"])


@get(
    "/events/{event_id:uuid}/seats",
    opt={"policy": "anyone", "conditional": True, "refusals": ("event_not_found",)},
    tags=["Seats"],
    summary="Every seat in natural order",
)
async def list_seats(event_id: UUID, state: State, scope: Scope) -> Response[list[Seat]]:
    return await _map(event_id, MapKind.SEATS, state, scope)


@get(
    "/events/{event_id:uuid}/availability",
    opt={"policy": "anyone", "conditional": True, "refusals": ("event_not_found",)},
    tags=["Seats"],
    summary="The seats that are not free",
)
async def get_availability(
    event_id: UUID,
    state: State,
    scope: Scope,
    form: Annotated[
        Literal["sparse", "compact"],
        Parameter(description="Only the seats that are not free, or two bits for every seat."),
    ] = "sparse",
) -> Response[Availability | CompactAvailability]:
    return await _map(event_id, MapKind.COMPACT if form == "compact" else MapKind.AVAILABILITY, state, scope)


@get(
    "/events/{event_id:uuid}/chart",
    opt={"policy": "anyone", "conditional": True, "refusals": ("event_not_found", "chart_not_found")},
    tags=["Seats"],
    summary="The chart: what never moves",
)
async def get_chart(event_id: UUID, state: State, scope: Scope) -> Response[dict[str, Any]]:
    return await _map(event_id, MapKind.CHART, state, scope)


@get(
    "/events/{event_id:uuid}/stream",
    media_type="text/event-stream",
    opt={"policy": "anyone", "refusals": ("event_not_found",)},
    tags=["Seats"],
    summary="Changes of the seats as they happen, as server-sent events",
)
async def watch_seats(
    event_id: UUID,
    state: State,
    scope: Scope,
    since: Annotated[
        str | None,
        Parameter(description="The version of the map that is known, where a client cannot send Last-Event-ID."),
    ] = None,
) -> Response[str]:
    # The header is what a browser sends when it comes back, and newer than the address it was given at first.
    last = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"last-event-id"), since)
    known = None if last is None else read_since(last)
    kept = await look(state.maps, event_id, scope)
    if kept is not None and known is not None and known.version > kept.board.state.version:
        # Another process was a moment ahead of this one; nobody is to be told what was before that.
        kept = await state.maps.look(event_id, anew=True)
    if kept is None:
        return problem("event_not_found")
    return _Watching(state.streams, kept, known)


routes = [list_seats, get_availability, get_chart, watch_seats]
