"""Seats of an event: what they look like to clients, and how an organiser's changes to them can end."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Seat(msgspec.Struct, frozen=True):
    """A seat as anyone may see it: nothing in it tells who holds or has booked it.

    `status` is available, held, booked or blocked *now*: a hold whose time has passed is available.
    """

    id: UUID
    seat_no: str
    status: str
    section: str | None
    row: str | None
    category: str | None
    created_at: datetime
    updated_at: datetime


class SeatRefusal(StrEnum):
    """Why a change to seats was refused; the value is the stable code of the wire."""

    EVENT_NOT_FOUND = "event_not_found"
    NOT_FOUND = "seats_not_found"
    UNAVAILABLE = "seats_unavailable"
    IN_USE = "seats_in_use"


class SeatsRefused(msgspec.Struct, frozen=True):
    """`seat_nos` are the seats in the way, `statuses` theirs where that is the reason."""

    reason: SeatRefusal
    seat_nos: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()


class PlanReplaced(msgspec.Struct, frozen=True):
    chart_version: int
    seats: int
