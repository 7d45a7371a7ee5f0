"""Reads the rows that write_batch_v1 answers with into the outcomes of the rooms' models."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from overbookr.bookings.model import (
    BookHold,
    BookHoldOutcome,
    BookingCancelled,
    BookingRefusal,
    CancelBooking,
    CancelBookingOutcome,
    HoldBooked,
)
from overbookr.holds.model import (
    HoldAlreadyBooked,
    HoldPlaced,
    HoldRefusal,
    HoldReleased,
    PlaceHold,
    PlaceHoldOutcome,
    ReleaseHold,
    ReleaseHoldOutcome,
    SeatConflict,
    SeatsNotFound,
    SeatsTaken,
)
from overbookr.waitlist.model import JoinWaitlist, JoinWaitlistOutcome, WaitlistJoined, WaitlistRefusal

Outcome = PlaceHoldOutcome | ReleaseHoldOutcome | BookHoldOutcome | CancelBookingOutcome | JoinWaitlistOutcome


def read_hold(
    command: PlaceHold,
    outcome: str,
    row_id: UUID,
    at: datetime,
    until: datetime,
    seat_nos: list[str] | None,
    statuses: list[str] | None,
) -> PlaceHoldOutcome:
    match outcome:
        case "hold_placed":
            return HoldPlaced(row_id, until, command.seat_nos)
        case "hold_replayed":
            # Without a key it was not the client who asked again, but we, after a lost connection.
            return HoldPlaced(row_id, until, tuple(seat_nos or ()), replayed=command.idempotency_key is not None)
        case "seats_unavailable":
            pairs = zip(seat_nos or (), statuses or (), strict=True)
            return SeatsTaken(tuple(SeatConflict(seat_no, status) for seat_no, status in pairs))
        case "seats_not_found":
            return SeatsNotFound(tuple(seat_nos or ()))
        case "hold_already_booked":
            return HoldAlreadyBooked(row_id)
        case _:
            return HoldRefusal(outcome)


def read_release(command: ReleaseHold, outcome: str, *_: Any) -> ReleaseHoldOutcome:
    return HoldReleased() if outcome == "hold_released" else HoldRefusal(outcome)


def read_book(
    command: BookHold, outcome: str, row_id: UUID, at: datetime, until: None, seat_nos: list[str] | None, statuses: None
) -> BookHoldOutcome:
    match outcome:
        case "hold_booked" | "booking_replayed":
            return HoldBooked(row_id, tuple(seat_nos or ()), at, replayed=outcome == "booking_replayed")
        case "hold_already_booked":
            return HoldAlreadyBooked(row_id)
        case _:
            return BookingRefusal(outcome)


def read_cancel(command: CancelBooking, outcome: str, row_id: UUID, *_: Any) -> CancelBookingOutcome:
    return BookingCancelled(row_id) if outcome == "booking_cancelled" else BookingRefusal(outcome)


def read_join(
    command: JoinWaitlist,
    outcome: str,
    row_id: UUID,
    at: datetime,
    until: None,
    seat_nos: None,
    statuses: list[str] | None,
) -> JoinWaitlistOutcome:
    if outcome == "waiting" and statuses is not None:
        return WaitlistJoined(row_id, int(statuses[0]), at)
    return WaitlistRefusal(outcome)


READERS: dict[str, Callable[..., Outcome]] = {
    "hold": read_hold,
    "release": read_release,
    "book": read_book,
    "cancel": read_cancel,
    "join": read_join,
}
