"""HTTP for tickets: the code that a mail brings, for whoever has the page open instead."""

from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.datastructures import State
from litestar.types import Scope

from overbookr.http.auth import principal_of
from overbookr.http.problem import problem
from overbookr.mail.ticket import qr_svg, sign_reference

_SVG = "image/svg+xml"


@get(
    "/bookings/{booking_id:uuid}/ticket",
    media_type=_SVG,
    opt={"policy": "user", "refusals": ("booking_not_found", "ticket_not_found")},
    tags=["Bookings"],
    summary="The ticket of a booking, as a drawing of its QR code",
)
async def get_ticket(booking_id: UUID, state: State, scope: Scope) -> Response[bytes]:
    principal = principal_of(scope)
    found: Any = await state.bookings.find(booking_id, principal.user_id, organiser=principal.is_admin)
    if found is None:
        return problem("booking_not_found")
    booking = found[0]
    if booking.status != "active":
        return problem("ticket_not_found", "The booking is cancelled.")
    drawing = qr_svg(sign_reference(state.ticket_key, booking.id, booking.event_id))
    # Whoever has the code has the seats, so it is kept nowhere.
    return Response(drawing, media_type=_SVG, headers={"Cache-Control": "no-store"})


routes = [get_ticket]
