"""HTTP for holds."""

from typing import Any, assert_never
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.datastructures import State
from litestar.types import Scope

from overbookr.holds.model import (
    Hold,
    HoldAlreadyBooked,
    HoldPlaced,
    HoldRefusal,
    HoldReleased,
    PlaceHold,
    PlaceHoldOutcome,
    ReleaseHold,
    SeatsNotFound,
    SeatsTaken,
)
from overbookr.http.auth import ASKED_BY_COMMAND, principal_of, refuse_token
from overbookr.http.idempotency import idempotency_key_of
from overbookr.http.labels import SeatLabels, sound_labels
from overbookr.http.problem import problem
from overbookr.http.short_cut import Answer, ShortCut
from overbookr.ids import new_id


class HoldRequest(msgspec.Struct, forbid_unknown_fields=True):
    event_id: UUID
    seat_nos: SeatLabels


class HoldAnswer(msgspec.Struct):
    """`expires_at` is by the server's clock."""

    hold_token: UUID
    event_id: UUID
    seat_nos: tuple[str, ...]
    expires_at: Any


@post(
    "/holds",
    middleware=[ShortCut],
    opt={
        "policy": "user",
        "standing": ASKED_BY_COMMAND,
        "allowance": "holds",
        "idempotency_key": "optional",
        "refusals": (
            "event_not_found",
            "seats_not_found",
            "not_on_sale",
            "seats_unavailable",
            "hold_limit",
            "capacity_exceeded",
            "hold_already_booked",
            "hold_expired",
            "idempotency_key_reused",
        ),
    },
    tags=["Holds"],
    summary="Set seats aside for a few minutes",
)
async def place_hold(data: HoldRequest, state: State, scope: Scope) -> Response[HoldAnswer]:
    seat_nos = sound_labels(data.seat_nos)
    if len(seat_nos) > state.hold_max_seats:
        return problem("invalid_request", f"A hold takes at most {state.hold_max_seats} seats.")
    principal, key = principal_of(scope), idempotency_key_of(scope)
    outcome: PlaceHoldOutcome = await state.writer.place_hold(
        PlaceHold(data.event_id, new_id(), principal.user_id, seat_nos, key, principal.token_version)
    )
    match outcome:
        case HoldPlaced():
            return Answer(
                HoldAnswer(outcome.hold_id, data.event_id, outcome.seat_nos, outcome.expires_at),
                status_code=201,
                headers={"Idempotency-Replayed": "true"} if outcome.replayed else None,
            )
        case SeatsTaken(conflicts):
            return problem("seats_unavailable", conflicts=conflicts)
        case SeatsNotFound(missing):
            return problem("seats_not_found", seat_nos=missing)
        case HoldAlreadyBooked(booking_id):
            return problem("hold_already_booked", headers={"Location": f"/bookings/{booking_id}"})
        case HoldRefusal():
            return refuse_token(scope) if outcome is HoldRefusal.UNAUTHORIZED else problem(outcome.value)
        case _:
            assert_never(outcome)


@get(
    "/holds/{hold_token:uuid}",
    opt={"policy": "user", "refusals": ("hold_not_found", "hold_over")},
    tags=["Holds"],
    summary="One of your holds",
)
async def get_hold(hold_token: UUID, state: State, scope: Scope) -> Response[Hold]:
    hold: Hold | None = await state.holds.find(hold_token, principal_of(scope).user_id)
    if hold is None:
        return problem("hold_not_found")
    if hold.status != "active":
        return problem("hold_over", f"The hold is {hold.status}.", hold_status=hold.status)
    return Response(hold)


@delete(
    "/holds/{hold_token:uuid}",
    opt={"policy": "user", "refusals": ("hold_not_found", "hold_over")},
    tags=["Holds"],
    summary="Let go of a hold",
)
async def release_hold(hold_token: UUID, state: State, scope: Scope) -> Response[None]:
    user_id = principal_of(scope).user_id
    hold: Hold | None = await state.holds.find(hold_token, user_id)
    if hold is None:
        return problem("hold_not_found")
    outcome = await state.writer.release_hold(ReleaseHold(hold.event_id, hold_token, user_id))
    if isinstance(outcome, HoldReleased):
        return Response(None, status_code=204)
    return problem("hold_over")


routes = [place_hold, get_hold, release_hold]
