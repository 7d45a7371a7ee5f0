"""Events: a show at a venue, with what can be sold of it and when."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class EventStatus(StrEnum):
    DRAFT = "draft"
    ON_SALE = "on_sale"
    PAUSED = "paused"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class WaitlistPolicy(StrEnum):
    """`first_fit`: the first waiter in order who fits is served. `strict`: seats gather for the head of the queue."""

    FIRST_FIT = "first_fit"
    STRICT = "strict"


class Event(msgspec.Struct, frozen=True):
    """An event as clients see it; the counts are in seats and count a hold whose time has passed as free.

    `capacity` is what can be sold at most: the explicit cap, or every seat that is not blocked.
    """

    id: UUID
    name: str
    venue: str
    start_time: datetime
    status: str
    capacity: int
    seats_count: int
    booked_count: int
    held_count: int
    available: int
    waiting_count: int
    waitlist_mode: str
    waitlist_policy: str
    sales_open_at: datetime | None
    sales_close_at: datetime | None
    metadata: dict[str, Any]
    version: int
    chart_version: int
    created_at: datetime
    updated_at: datetime


class CreateEvent(msgspec.Struct, frozen=True):
    event_id: UUID
    name: str
    venue: str
    start_time: datetime
    capacity: int | None
    status: str
    waitlist_policy: str
    sales_open_at: datetime | None
    sales_close_at: datetime | None
    metadata: dict[str, Any]


class EventRefusal(StrEnum):
    """Why a command on an event was refused; the value is the stable code of the wire."""

    NOT_FOUND = "event_not_found"
    IN_USE = "event_in_use"
    CAPACITY_IN_USE = "capacity_in_use"
    SALE_WINDOW_INVALID = "sale_window_invalid"
