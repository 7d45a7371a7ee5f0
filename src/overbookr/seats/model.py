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


class SeatMapState(msgspec.Struct, frozen=True):
    """What a map was drawn from; two equal states mean two equal maps.

    A hold that lapses changes the map without a change of version, so the number of lapsed holds is part of it; `kept`
    tells that free seats are gathered for the head of a strict queue.
    """

    version: int
    chart_version: int
    seats_count: int
    lapsed_holds: int
    kept: bool
    is_draft: bool

    @property
    def tag(self) -> str:
        return f"{self.version}-{self.chart_version}-{self.lapsed_holds}{'-kept' if self.kept else ''}"


class SeatMap(msgspec.Struct, frozen=True):
    """A map as JSON, with what it was drawn from."""

    state: SeatMapState
    body: bytes


class Availability(msgspec.Struct, frozen=True):
    """Only the seats that are not free, by status; everything else on the chart can be had."""

    event_id: UUID
    version: int
    chart_version: int
    available: int
    held: list[str]
    booked: list[str]
    blocked: list[str]


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
