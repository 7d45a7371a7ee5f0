"""HTTP for the waitlist."""

from datetime import datetime
from typing import Annotated, assert_never
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.datastructures import State
from litestar.types import Scope

from overbookr.http.auth import principal_of
from overbookr.http.pagination import PAGE, Page, page_headers
from overbookr.http.problem import problem
from overbookr.ids import new_id
from overbookr.waitlist.model import (
    JoinWaitlist,
    JoinWaitlistOutcome,
    QueuedUser,
    WaitlistEntry,
    WaitlistJoined,
    WaitlistRefusal,
)


class JoinRequest(msgspec.Struct, forbid_unknown_fields=True):
    requested_seats: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class JoinAnswer(msgspec.Struct):
    id: UUID
    position: int
    requested_seats: int
    status: str
    created_at: datetime


@post(
    "/events/{event_id:uuid}/waitlist",
    status_code=202,
    opt={
        "policy": "user",
        "allowance": "waitlist joins",
        "refusals": ("event_not_found", "not_on_sale", "already_waiting", "hold_limit", "seats_available"),
    },
    tags=["Waitlist"],
    summary="Join the waitlist",
)
async def join_waitlist(event_id: UUID, data: JoinRequest, state: State, scope: Scope) -> Response[JoinAnswer]:
    if data.requested_seats > state.user_seats_max:
        return problem("invalid_request", f"One may wait for at most {state.user_seats_max} seats.")
    outcome: JoinWaitlistOutcome = await state.writer.join_waitlist(
        JoinWaitlist(event_id, new_id(), principal_of(scope).user_id, data.requested_seats)
    )
    match outcome:
        case WaitlistJoined(entry_id, position, created_at):
            answer = JoinAnswer(entry_id, position, data.requested_seats, "waiting", created_at)
            return Response(answer, status_code=202)
        case WaitlistRefusal():
            return problem(outcome.value)
        case _:
            assert_never(outcome)


@get(
    "/events/{event_id:uuid}/waitlist/me",
    opt={"policy": "user", "refusals": ("waitlist_entry_not_found",)},
    tags=["Waitlist"],
    summary="Your place in the queue",
)
async def get_place(event_id: UUID, state: State, scope: Scope) -> Response[WaitlistEntry]:
    entry = await state.waitlist.find(event_id, principal_of(scope).user_id)
    return problem("waitlist_entry_not_found") if entry is None else Response(entry)


@delete(
    "/events/{event_id:uuid}/waitlist/me",
    opt={"policy": "user", "refusals": ("waitlist_entry_not_found",)},
    tags=["Waitlist"],
    summary="Leave the queue",
)
async def leave_waitlist(event_id: UUID, state: State, scope: Scope) -> Response[None]:
    has_left = await state.waitlist.leave(event_id, principal_of(scope).user_id)
    state.maps.doubt([event_id])
    if has_left:
        return Response(None, status_code=204)
    return problem("waitlist_entry_not_found")


@get(
    "/events/{event_id:uuid}/waitlist",
    dependencies=PAGE,
    opt={"policy": "admin", "refusals": ("event_not_found",)},
    tags=["Waitlist"],
    summary="The queue",
)
async def list_waiting(
    event_id: UUID,
    state: State,
    scope: Scope,
    page: Page,
) -> Response[list[QueuedUser]]:
    found = await state.waitlist.page(event_id, limit=page.limit, offset=page.offset)
    if found is None:
        return problem("event_not_found")
    waiting, total = found
    return Response(waiting, headers=page_headers(page, total, scope["path"]))


routes = [join_waitlist, get_place, leave_waitlist, list_waiting]
