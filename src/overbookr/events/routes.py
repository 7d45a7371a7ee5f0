"""HTTP for events."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.params import QueryParameter
from litestar.types import Scope
from msgspec import UNSET, Meta, UnsetType

from overbookr import limits
from overbookr.events.model import CreateEvent, Event, EventRefusal, EventStatus, WaitlistPolicy
from overbookr.events.pages import EventPages, draw_page
from overbookr.http.auth import optional_principal_of
from overbookr.http.documents import Document, respond
from overbookr.http.etag import wants_present
from overbookr.http.pagination import PAGE, Page, page_headers
from overbookr.http.problem import Refused, problem
from overbookr.ids import new_id
from overbookr.text import Name, has_null_character

Capacity = Annotated[int, Meta(ge=1, le=10_000_000)]
Moment = Annotated[datetime, Meta(tz=True)]
# Offers are not served yet, so asking for them is refused rather than ignored.
WaitlistMode = Literal["auto"]


class EventCreation(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    venue: Name
    start_time: Moment
    capacity: Capacity | None = None
    metadata: dict[str, Any] | None = None
    status: EventStatus = EventStatus.ON_SALE
    sales_open_at: Moment | None = None
    sales_close_at: Moment | None = None
    waitlist_mode: WaitlistMode = "auto"
    waitlist_policy: WaitlistPolicy = WaitlistPolicy.FIRST_FIT


class EventChange(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: Name | UnsetType = UNSET
    venue: Name | UnsetType = UNSET
    start_time: Moment | UnsetType = UNSET
    capacity: Capacity | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    status: EventStatus | UnsetType = UNSET
    sales_open_at: Moment | UnsetType | None = UNSET
    sales_close_at: Moment | UnsetType | None = UNSET
    waitlist_mode: WaitlistMode | UnsetType = UNSET
    waitlist_policy: WaitlistPolicy | UnsetType = UNSET


class EventDeleted(msgspec.Struct):
    id: UUID
    deleted: bool


def _trimmed(field: str, text: str) -> str:
    trimmed = text.strip()
    if not trimmed:
        raise Refused("invalid_request", f"{field} must not be empty")
    return trimmed


def _checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(msgspec.json.encode(metadata)) > limits.METADATA_BYTES_MAX:
        raise Refused("invalid_request", f"metadata is larger than {limits.METADATA_BYTES_MAX} bytes")
    if has_null_character(metadata):
        raise Refused("invalid_request", "metadata must not hold NUL characters")
    return metadata


def _checked_year(field: str, moment: datetime | UnsetType | None) -> None:
    # Wide enough for any show, and far from the edges where time zones overflow.
    if isinstance(moment, datetime) and not 1900 <= moment.year <= 9000:
        raise Refused("invalid_request", f"{field} must lie between the years 1900 and 9000")


def _refuse(refusal: EventRefusal) -> Response[Any]:
    match refusal:
        case EventRefusal.NOT_FOUND:
            return problem("event_not_found")
        case EventRefusal.IN_USE:
            return problem("event_in_use", "The event has live holds, bookings or waiters.")
        case EventRefusal.CAPACITY_IN_USE:
            return problem("capacity_in_use", "More seats are held or booked than this capacity allows.")
        case EventRefusal.SALE_WINDOW_INVALID:
            return problem("invalid_request", "sales_open_at must be before sales_close_at")


@post("/events", opt={"policy": "admin"}, tags=["Events"], summary="Create an event")
async def create_event(data: EventCreation, state: State) -> Response[Event]:
    for field in ("start_time", "sales_open_at", "sales_close_at"):
        _checked_year(field, getattr(data, field))
    if data.sales_open_at and data.sales_close_at and data.sales_open_at >= data.sales_close_at:
        return _refuse(EventRefusal.SALE_WINDOW_INVALID)
    event = await state.events.create(
        CreateEvent(
            event_id=new_id(),
            name=_trimmed("name", data.name),
            venue=_trimmed("venue", data.venue),
            start_time=data.start_time.astimezone(UTC),
            capacity=data.capacity,
            status=data.status.value,
            waitlist_policy=data.waitlist_policy.value,
            sales_open_at=data.sales_open_at,
            sales_close_at=data.sales_close_at,
            metadata=_checked_metadata(data.metadata or {}),
        )
    )
    state.event_pages.forget()
    return Response(event, status_code=201, headers={"Location": f"/events/{event.id}"})


@get(
    "/events",
    dependencies=PAGE,
    opt={"policy": "anyone", "conditional": True},
    tags=["Events"],
    summary="List events in order of their start",
)
async def list_events(
    state: State,
    scope: Scope,
    page: Page,
    search: Annotated[str | None, QueryParameter(name="q", description="Text in name or venue")] = None,
    include_past: Annotated[bool, QueryParameter(description="Events that have begun, too")] = False,
) -> Response[list[Event]]:
    principal = optional_principal_of(scope)
    organiser = principal is not None and principal.is_admin
    sought = (search or "").replace("\x00", "").strip()[:200]

    async def draw() -> Document:
        events, total = await state.events.page(
            organiser=organiser, search=sought, include_past=include_past, limit=page.limit, offset=page.offset
        )
        query = {"q": sought or None, "include_past": include_past or None}
        return draw_page(events, page_headers(page, total, scope["path"], query))

    if organiser:
        return await respond(await draw(), scope["headers"])
    pages: EventPages = state.event_pages
    address = (scope["path"], scope["query_string"])
    document = await pages.page(address, draw, anew=wants_present(scope["headers"]))
    return await respond(document, scope["headers"])


@get(
    "/events/{event_id:uuid}",
    opt={"policy": "anyone", "refusals": ("event_not_found",)},
    tags=["Events"],
    summary="One event with its counts",
)
async def get_event(event_id: UUID, state: State, scope: Scope) -> Response[Event]:
    principal = optional_principal_of(scope)
    event = await state.events.find(event_id, organiser=principal is not None and principal.is_admin)
    return problem("event_not_found") if event is None else Response(event)


@patch(
    "/events/{event_id:uuid}",
    opt={"policy": "admin", "refusals": ("event_not_found", "capacity_in_use")},
    tags=["Events"],
    summary="Change an event",
)
async def update_event(event_id: UUID, data: EventChange, state: State) -> Response[Event]:
    for field in ("start_time", "sales_open_at", "sales_close_at"):
        _checked_year(field, getattr(data, field))
    changes = msgspec.to_builtins(data, builtin_types=(datetime,))
    for field in ("name", "venue"):
        if field in changes:
            changes[field] = _trimmed(field, changes[field])
    if "metadata" in changes:
        changes["metadata"] = _checked_metadata(changes["metadata"])
    outcome = await state.events.update(event_id, changes)
    state.maps.doubt([event_id])
    state.event_pages.forget()
    return _refuse(outcome) if isinstance(outcome, EventRefusal) else Response(outcome)


@delete(
    "/events/{event_id:uuid}",
    status_code=200,
    opt={"policy": "admin", "refusals": ("event_not_found", "event_in_use")},
    tags=["Events"],
    summary="Delete an event",
)
async def delete_event(event_id: UUID, state: State) -> Response[EventDeleted]:
    refusal = await state.events.delete(event_id)
    state.maps.doubt([event_id])
    state.event_pages.forget()
    return _refuse(refusal) if refusal is not None else Response(EventDeleted(event_id, True))


routes = [create_event, list_events, get_event, update_event, delete_event]
