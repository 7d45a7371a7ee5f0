"""HTTP for seats, seating plans and maps."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post, put
from litestar.datastructures import State
from litestar.types import Scope

from overbookr.http.auth import optional_principal_of
from overbookr.http.etag import if_none_match, is_match, make_etag
from overbookr.http.labels import SeatLabels, sound_labels
from overbookr.http.problem import problem
from overbookr.seats.maps import MapKind
from overbookr.seats.model import Availability, PlanReplaced, Seat, SeatMap, SeatRefusal, SeatsRefused
from overbookr.seats.plan import PlanRefused, parse_plan
from overbookr.text import Reason


class SeatsRequest(msgspec.Struct, forbid_unknown_fields=True):
    seat_nos: SeatLabels


class BlockRequest(msgspec.Struct, forbid_unknown_fields=True):
    seat_nos: SeatLabels
    reason: Reason | None = None


class SeatsBlocked(msgspec.Struct):
    event_id: UUID
    seat_nos: list[str]
    status: str


def _refuse(refused: SeatsRefused) -> Response[Any]:
    match refused.reason:
        case SeatRefusal.EVENT_NOT_FOUND:
            return problem("event_not_found")
        case SeatRefusal.NOT_FOUND:
            return problem("seats_not_found", seat_nos=refused.seat_nos)
        case SeatRefusal.UNAVAILABLE:
            pairs = zip(refused.seat_nos, refused.statuses, strict=True)
            return problem(
                "seats_unavailable", conflicts=[{"seat_no": label, "status": status} for label, status in pairs]
            )
        case SeatRefusal.IN_USE:
            return problem("seats_in_use", seat_nos=refused.seat_nos)


def _is_organiser(scope: Scope) -> bool:
    principal = optional_principal_of(scope)
    return principal is not None and principal.is_admin


def _document(body: bytes | str, etag: str, cache_control: str = "no-cache") -> Response[bytes]:
    content = body.encode() if isinstance(body, str) else body
    return Response(content, media_type="application/json", headers={"ETag": etag, "Cache-Control": cache_control})


async def _map(event_id: UUID, kind: MapKind, state: State, scope: Scope) -> Response[Any]:
    found: SeatMap | None = await state.maps.look(event_id, kind, organiser=_is_organiser(scope))
    if found is None:
        return problem("event_not_found")
    etag = make_etag(found.state.tag)
    return _unchanged(etag) if is_match(etag, if_none_match(scope["headers"])) else _document(found.body, etag)


def _unchanged(etag: str) -> Response[Any]:
    return Response(None, status_code=304, headers={"ETag": etag})


@post(
    "/events/{event_id:uuid}/seats",
    opt={"policy": "admin", "refusals": ("event_not_found",)},
    tags=["Seats"],
    summary="Add seats by label",
)
async def add_seats(event_id: UUID, data: SeatsRequest, state: State) -> Response[list[Seat]]:
    outcome = await state.seats.add(event_id, sound_labels(data.seat_nos, repeats=True))
    return _refuse(outcome) if isinstance(outcome, SeatsRefused) else Response(outcome, status_code=201)


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
async def get_availability(event_id: UUID, state: State, scope: Scope) -> Response[Availability]:
    return await _map(event_id, MapKind.AVAILABILITY, state, scope)


@get(
    "/events/{event_id:uuid}/chart",
    opt={"policy": "anyone", "conditional": True, "refusals": ("event_not_found", "chart_not_found")},
    tags=["Seats"],
    summary="The chart: what never moves",
)
async def get_chart(event_id: UUID, state: State, scope: Scope) -> Response[dict[str, Any]]:
    found = await state.seats.chart(event_id, organiser=_is_organiser(scope))
    if found is None:
        return problem("event_not_found")
    chart_version, document = found
    if document is None:
        return problem("chart_not_found", "The event has seats by label only; a seating plan gives it a chart.")
    etag = make_etag(f"{event_id}-{chart_version}")
    if is_match(etag, if_none_match(scope["headers"])):
        return _unchanged(etag)
    return _document(document, etag, "public, max-age=60")  # type: ignore[return-value]


@put(
    "/events/{event_id:uuid}/seating-plan",
    status_code=201,
    opt={
        "policy": "admin",
        "body": {"type": "object", "description": "A seating plan in pretix's JSON format."},
        "refusals": ("invalid_plan", "event_not_found", "seats_in_use"),
    },
    tags=["Seats"],
    summary="Import a seating plan in pretix's format",
)
async def replace_plan(event_id: UUID, request: Request[Any, Any, Any], state: State) -> Response[PlanReplaced]:
    plan = parse_plan(await request.body())
    if isinstance(plan, PlanRefused):
        return problem("invalid_plan", plan.errors[0].message, errors=plan.errors)
    outcome = await state.seats.replace_plan(event_id, plan)
    return _refuse(outcome) if isinstance(outcome, SeatsRefused) else Response(outcome, status_code=201)


@post(
    "/events/{event_id:uuid}/seats/block",
    status_code=200,
    opt={"policy": "admin", "refusals": ("event_not_found", "seats_not_found", "seats_unavailable")},
    tags=["Seats"],
    summary="Take seats off sale",
)
async def block_seats(event_id: UUID, data: BlockRequest, state: State) -> Response[SeatsBlocked]:
    outcome = await state.seats.block(event_id, sound_labels(data.seat_nos), block=True, reason=data.reason)
    if isinstance(outcome, SeatsRefused):
        return _refuse(outcome)
    return Response(SeatsBlocked(event_id, outcome, "blocked"))


@post(
    "/events/{event_id:uuid}/seats/unblock",
    status_code=200,
    opt={"policy": "admin", "refusals": ("event_not_found", "seats_not_found", "seats_unavailable")},
    tags=["Seats"],
    summary="Put seats back on sale",
)
async def unblock_seats(event_id: UUID, data: BlockRequest, state: State) -> Response[SeatsBlocked]:
    outcome = await state.seats.block(event_id, sound_labels(data.seat_nos), block=False, reason=data.reason)
    if isinstance(outcome, SeatsRefused):
        return _refuse(outcome)
    return Response(SeatsBlocked(event_id, outcome, "available"))


routes = [add_seats, list_seats, get_availability, get_chart, replace_plan, block_seats, unblock_seats]
