"""Bookings: seats sold. Commands, outcomes, and what a booking looks like."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from overbookr.holds.model import HoldAlreadyBooked


class BookHold(msgspec.Struct, frozen=True):
    """Turn a hold into a booking. The key makes it safe to ask again: it lives in the booking that it made.

    `token_version` is what the access token names by which it is asked; None asks nothing of the user.
    """

    event_id: UUID
    hold_id: UUID
    user_id: UUID
    booking_id: UUID
    idempotency_key: str
    token_version: int | None = None

    def keys(self) -> Iterable[Hashable]:
        return ((self.event_id, self.user_id),)


class CancelBooking(msgspec.Struct, frozen=True):
    """`exempt` lets an administrator cancel after the event has begun. `user_id` is the booking's owner."""

    event_id: UUID
    booking_id: UUID
    user_id: UUID
    exempt: bool

    def keys(self) -> Iterable[Hashable]:
        return ((self.event_id, self.user_id),)


class HoldBooked(msgspec.Struct, frozen=True):
    """`replayed`: the key made this booking before, and this is the answer it was given then."""

    booking_id: UUID
    seat_nos: tuple[str, ...]
    created_at: datetime
    replayed: bool


class BookingCancelled(msgspec.Struct, frozen=True):
    """Cancelled now or earlier."""

    booking_id: UUID


class BookingRefusal(StrEnum):
    """Refusals that need no more than their name, which is the stable code of the wire."""

    UNAUTHORIZED = "unauthorized"
    EVENT_NOT_FOUND = "event_not_found"
    HOLD_NOT_FOUND = "hold_not_found"
    HOLD_EVENT_MISMATCH = "hold_event_mismatch"
    HOLD_EXPIRED = "hold_expired"
    KEY_REUSED = "idempotency_key_reused"
    NOT_ON_SALE = "not_on_sale"
    EVENT_STARTED = "event_started"
    NOT_FOUND = "booking_not_found"


BookHoldOutcome = HoldBooked | HoldAlreadyBooked | BookingRefusal
CancelBookingOutcome = BookingCancelled | BookingRefusal


class Booking(msgspec.Struct, frozen=True):
    """A booking as its owner sees it; `seat_numbers` in the order in which they were asked for."""

    id: UUID
    event_id: UUID
    seats_count: int
    seat_numbers: list[str]
    status: str
    created_at: datetime
    updated_at: datetime


class Customer(msgspec.Struct, frozen=True):
    """Whose booking it is; name and e-mail are null when the account is gone."""

    id: UUID
    name: str | None
    email: str | None


class BookedEvent(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    start_time: datetime


class SearchedBooking(msgspec.Struct, frozen=True):
    """A booking as an organiser finds it. `origin` is hold or waitlist."""

    id: UUID
    event: BookedEvent
    customer: Customer
    seats_count: int
    seat_numbers: list[str]
    status: str
    origin: str
    created_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None


class BookingSearch(msgspec.Struct, frozen=True):
    """What is looked for; all that is given must fit. A seat is one of an event, and `before` is where to go on."""

    booking_id: UUID | None
    event_id: UUID | None
    email: str | None
    seat_no: str | None
    before: UUID | None
    limit: int
