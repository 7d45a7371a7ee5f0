"""Holds: seats set aside for one user for a few minutes. Commands, outcomes, and what a hold looks like."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class PlaceHold(msgspec.Struct, frozen=True):
    """Set these seats aside, all or none. `hold_id` is made by the application and becomes the token.

    `token_version` is what the access token names by which it is asked; None asks nothing of the user.
    """

    event_id: UUID
    hold_id: UUID
    user_id: UUID
    seat_nos: tuple[str, ...]
    idempotency_key: str | None = None
    token_version: int | None = None

    def keys(self) -> Iterable[Hashable]:
        """What the command needs to itself in a batch: its seats, and its user's share of the event."""
        event_id = self.event_id
        return [(event_id, self.user_id), *[(event_id, seat_no) for seat_no in self.seat_nos]]


class ReleaseHold(msgspec.Struct, frozen=True):
    event_id: UUID
    hold_id: UUID
    user_id: UUID

    def keys(self) -> Iterable[Hashable]:
        return ((self.event_id, self.user_id),)


class HoldPlaced(msgspec.Struct, frozen=True):
    hold_id: UUID
    expires_at: datetime
    seat_nos: tuple[str, ...]
    replayed: bool = False


class SeatConflict(msgspec.Struct, frozen=True):
    seat_no: str
    status: str


class SeatsTaken(msgspec.Struct, frozen=True):
    """Every wanted seat that somebody else holds, has booked, or that is blocked or kept for a waiter."""

    conflicts: tuple[SeatConflict, ...]


class SeatsNotFound(msgspec.Struct, frozen=True):
    seat_nos: tuple[str, ...]


class HoldAlreadyBooked(msgspec.Struct, frozen=True):
    booking_id: UUID


class HoldReleased(msgspec.Struct, frozen=True):
    """The seats are free again, or went to waiters."""


class HoldRefusal(StrEnum):
    """Refusals that need no more than their name, which is the stable code of the wire."""

    UNAUTHORIZED = "unauthorized"
    EVENT_NOT_FOUND = "event_not_found"
    NOT_ON_SALE = "not_on_sale"
    HOLD_LIMIT = "hold_limit"
    CAPACITY_EXCEEDED = "capacity_exceeded"
    KEY_REUSED = "idempotency_key_reused"
    EXPIRED = "hold_expired"
    OVER = "hold_over"


PlaceHoldOutcome = HoldPlaced | SeatsTaken | SeatsNotFound | HoldAlreadyBooked | HoldRefusal
ReleaseHoldOutcome = HoldReleased | HoldRefusal


class Hold(msgspec.Struct, frozen=True):
    """A hold as its user sees it. `status` is active, converted, released or expired, by the database clock."""

    hold_token: UUID
    event_id: UUID
    seat_nos: list[str]
    status: str
    created_at: datetime
    expires_at: datetime
