"""HTTP for bookings."""

from typing import Annotated, assert_never
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.datastructures import State
from litestar.params import QueryParameter
from litestar.types import Scope

from overbookr.bookings.model import (
    BookHold,
    BookHoldOutcome,
    Booking,
    BookingCancelled,
    BookingRefusal,
    BookingSearch,
    CancelBooking,
    CancelBookingOutcome,
    HoldBooked,
    SearchedBooking,
)
from overbookr.holds.model import HoldAlreadyBooked
from overbookr.http.auth import ASKED_BY_COMMAND, principal_of, refuse_token
from overbookr.http.idempotency import required_idempotency_key_of
from overbookr.http.pagination import DEFAULT_LIMIT, PAGE, Limit, Page, page_headers
from overbookr.http.problem import invalid, problem
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
        "standing": ASKED_BY_COMMAND,
        "allowance": "bookings",
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
    key, principal = required_idempotency_key_of(scope), principal_of(scope)
    outcome: BookHoldOutcome = await state.writer.book_hold(
        BookHold(data.event_id, data.hold_token, principal.user_id, new_id(), key, principal.token_version)
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
        case BookingRefusal.UNAUTHORIZED:
            return refuse_token(scope)
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
    "/bookings/search",
    opt={"policy": "admin"},
    tags=["Bookings"],
    summary="Everybody's bookings, newest first",
    description="All of them, or those that fit what is given. `seat_no` finds who has the seat now and needs "
    "`event_id`. There is no count of all; where there is more, `Link` has the next page.",
)
async def search_bookings(
    state: State,
    scope: Scope,
    booking_id: Annotated[UUID | None, QueryParameter(description="Its reference")] = None,
    event_id: Annotated[UUID | None, QueryParameter(description="The event's id")] = None,
    email: Annotated[str | None, QueryParameter(max_length=320, description="The customer's, whole")] = None,
    seat_no: Annotated[str | None, QueryParameter(max_length=256, description="The label of a seat")] = None,
    before: Annotated[UUID | None, QueryParameter(description="The last booking of the page before")] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[list[SearchedBooking]]:
    email, seat_no = _sought(email), _sought(seat_no)
    if seat_no is not None and event_id is None:
        return invalid("event_id", "is needed to look for a seat")
    search = BookingSearch(booking_id, event_id, email and email.lower(), seat_no, before, limit)
    found, next_before = await state.bookings.search(search)
    if next_before is None:
        return Response(found)
    given = {"event_id": event_id, "email": email, "limit": limit, "before": next_before}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    return Response(found, headers={"Link": f'<{scope["path"]}?{query}>; rel="next"'})


def _sought(text: str | None) -> str | None:
    """What PostgreSQL can look for; null for nothing."""
    return (text or "").replace("\x00", "").strip() or None


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


routes = [create_booking, list_bookings, search_bookings, get_booking, cancel_booking]
