"""HTTP for what visitors see of the seats."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import MediaType, Response, get
from litestar.datastructures import State
from litestar.params import Parameter
from litestar.types import Scope

from overbookr.http.auth import optional_principal_of
from overbookr.http.encoding import best_encoding
from overbookr.http.etag import if_none_match, wants_present
from overbookr.http.problem import problem
from overbookr.maps.boards import Boards, Kept, MapKind
from overbookr.maps.model import Availability, CompactAvailability
from overbookr.seats.model import Seat


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
    headers = dict(scope["headers"])
    rendition = await document.rendition(best_encoding(headers.get(b"accept-encoding")))
    if document.is_known(rendition, if_none_match(scope["headers"])):
        return Response(None, status_code=304, headers=_text(rendition.unchanged_headers))
    return Response(rendition.body, media_type=MediaType.JSON, headers=_text(rendition.headers))


def _text(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


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


routes = [list_seats, get_availability, get_chart]
