"""HTTP for seats and seating plans, as organisers change them; what visitors see of them are maps."""

import asyncio
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response, post, put
from litestar.datastructures import State

from overbookr.http.labels import SeatLabels, sound_labels
from overbookr.http.problem import problem
from overbookr.seats.model import PlanReplaced, Seat, SeatRefusal, SeatsRefused
from overbookr.seats.plan import PlanRefused, chart_document, parse_plan
from overbookr.text import Reason

_PLAN_BODY: Final = {"type": "object", "description": "A seating plan in pretix's JSON format."}


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


@post(
    "/events/{event_id:uuid}/seats",
    opt={"policy": "admin", "refusals": ("event_not_found",)},
    tags=["Seats"],
    summary="Add seats by label",
)
async def add_seats(event_id: UUID, data: SeatsRequest, state: State) -> Response[list[Seat]]:
    outcome = await state.seats.add(event_id, sound_labels(data.seat_nos, repeats=True))
    state.maps.doubt([event_id])
    return _refuse(outcome) if isinstance(outcome, SeatsRefused) else Response(outcome, status_code=201)


@put(
    "/events/{event_id:uuid}/seating-plan",
    status_code=201,
    opt={
        "policy": "admin",
        "body": _PLAN_BODY,
        "refusals": ("invalid_plan", "event_not_found", "seats_in_use"),
    },
    tags=["Seats"],
    summary="Import a seating plan in pretix's format",
)
async def replace_plan(event_id: UUID, request: Request[Any, Any, Any], state: State) -> Response[PlanReplaced]:
    plan = await asyncio.to_thread(parse_plan, await request.body())
    if isinstance(plan, PlanRefused):
        return _refuse_plan(plan)
    outcome = await state.seats.replace_plan(event_id, plan)
    state.maps.doubt([event_id])
    return _refuse(outcome) if isinstance(outcome, SeatsRefused) else Response(outcome, status_code=201)


@post(
    "/seating-plans/preview",
    status_code=200,
    opt={"policy": "admin", "body": _PLAN_BODY, "refusals": ("invalid_plan",)},
    tags=["Seats"],
    summary="What a seating plan looks like",
    description="The chart that an event gets from it, or all that is wrong with it. Nothing is kept.",
)
async def preview_plan(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    chart = await asyncio.to_thread(_chart_of, await request.body())
    return _refuse_plan(chart) if isinstance(chart, PlanRefused) else Response(chart, media_type=MediaType.JSON)


def _chart_of(raw: bytes) -> Any:
    """The document of the chart, or why there is none."""
    plan = parse_plan(raw)
    return plan if isinstance(plan, PlanRefused) else chart_document(plan)


def _refuse_plan(refused: PlanRefused) -> Response[Any]:
    return problem("invalid_plan", refused.errors[0].message, errors=refused.errors)


@post(
    "/events/{event_id:uuid}/seats/block",
    status_code=200,
    opt={"policy": "admin", "refusals": ("event_not_found", "seats_not_found", "seats_unavailable")},
    tags=["Seats"],
    summary="Take seats off sale",
)
async def block_seats(event_id: UUID, data: BlockRequest, state: State) -> Response[SeatsBlocked]:
    outcome = await state.seats.block(event_id, sound_labels(data.seat_nos), block=True, reason=data.reason)
    state.maps.doubt([event_id])
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
    state.maps.doubt([event_id])
    if isinstance(outcome, SeatsRefused):
        return _refuse(outcome)
    return Response(SeatsBlocked(event_id, outcome, "available"))


routes = [add_seats, replace_plan, preview_plan, block_seats, unblock_seats]
