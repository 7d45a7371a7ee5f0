"""HTTP for bookings."""

from typing import assert_never
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.datastructures import State
from litestar.types import Scope

from overbookr.bookings.model import (
    BookHold,
    BookHoldOutcome,
    Booking,
    BookingCancelled,
    BookingRefusal,
    CancelBooking,
    CancelBookingOutcome,
    HoldBooked,
)
from overbookr.holds.model import HoldAlreadyBooked
from overbookr.http.auth import principal_of
from overbookr.http.idempotency import required_idempotency_key_of
from overbookr.http.pagination import PAGE, Page, page_headers
from overbookr.http.problem import problem
from overbookr.http.short_cut import Answer, ShortCut
from overbookr.ids import new_id


class BookingRequest(msgspec.Struct, forbid_unknown_fields=True):
    event_id: UUID
    hold_token: UUID


class CancelledAnswer(msgspec.Struct):
    id: UUID
    status: str


@post(
    "/bookings",
    middleware=[ShortCut],
    opt={
        "policy": "user",
        "idempotency_key": "required",
        "refusals": (
            "idempotency_key_required",
            "hold_not_found",
            "event_not_found",
            "hold_event_mismatch",
            "hold_already_booked",
            "hold_expired",
            "not_on_sale",
            "idempotency_key_reused",
        ),
    },
    tags=["Bookings"],
    summary="Turn a hold into a booking",
    description="Needs an Idempotency-Key of 1 to 255 characters. The same key and body get the same booking.",
)
async def create_booking(data: BookingRequest, state: State, scope: Scope) -> Response[Booking]:
    key = required_idempotency_key_of(scope)
    outcome: BookHoldOutcome = await state.writer.book_hold(
        BookHold(data.event_id, data.hold_token, principal_of(scope).user_id, new_id(), key)
    )
    match outcome:
        case HoldBooked(booking_id, seat_nos, created_at, replayed):
            # A replay answers as the first answer did, whatever became of the booking since.
            booking = Booking(
                booking_id, data.event_id, len(seat_nos), list(seat_nos), "active", created_at, created_at
            )
            headers = {"Location": f"/bookings/{booking_id}"}
            if replayed:
                headers["Idempotency-Replayed"] = "true"
            return Answer(booking, status_code=201, headers=headers)
        case HoldAlreadyBooked(booking_id):
            return problem("hold_already_booked", headers={"Location": f"/bookings/{booking_id}"})
        case BookingRefusal():
            return problem(outcome.value)
        case _:
            assert_never(outcome)


@get("/bookings", dependencies=PAGE, opt={"policy": "user"}, tags=["Bookings"], summary="Your bookings, newest first")
async def list_bookings(
    state: State,
    scope: Scope,
    page: Page,
) -> Response[list[Booking]]:
    bookings, total = await state.bookings.page(principal_of(scope).user_id, limit=page.limit, offset=page.offset)
    return Response(bookings, headers=page_headers(page, total, scope["path"]))


@get(
    "/bookings/{booking_id:uuid}",
    opt={"policy": "user", "refusals": ("booking_not_found",)},
    tags=["Bookings"],
    summary="One booking",
)
async def get_booking(booking_id: UUID, state: State, scope: Scope) -> Response[Booking]:
    principal = principal_of(scope)
    found = await state.bookings.find(booking_id, principal.user_id, organiser=principal.is_admin)
    return problem("booking_not_found") if found is None else Response(found[0])


@delete(
    "/bookings/{booking_id:uuid}",
    status_code=200,
    opt={"policy": "user", "refusals": ("booking_not_found", "event_started")},
    tags=["Bookings"],
    summary="Cancel a booking",
)
async def cancel_booking(booking_id: UUID, state: State, scope: Scope) -> Response[CancelledAnswer]:
    principal = principal_of(scope)
    found: tuple[Booking, UUID] | None = await state.bookings.find(
        booking_id, principal.user_id, organiser=principal.is_admin
    )
    if found is None:
        return problem("booking_not_found")
    booking, owner = found
    outcome: CancelBookingOutcome = await state.writer.cancel_booking(
        CancelBooking(booking.event_id, booking_id, owner, exempt=principal.is_admin)
    )
    match outcome:
        case BookingCancelled():
            return Response(CancelledAnswer(booking_id, "cancelled"))
        case BookingRefusal():
            return problem(outcome.value)
        case _:
            assert_never(outcome)


routes = [create_booking, list_bookings, get_booking, cancel_booking]
