"""What buyers were told: the bookings that were acknowledged to them, to be compared with what was kept."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Belief(StrEnum):
    """What a buyer believes about a booking of theirs."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    UNSURE = "unsure"


@dataclass(slots=True)
class KnownBooking:
    """`promoted` came from the waitlist, not from a hold."""

    booking_id: UUID
    user_id: UUID
    seat_nos: tuple[str, ...]
    promoted: bool
    belief: Belief = Belief.BOOKED


class Ledger:
    """`abandoned` are holds that their users walked away from; `unsure` are users who got no answer to a request that
    may have taken seats."""

    def __init__(self) -> None:
        self.bookings: dict[UUID, KnownBooking] = {}
        self.abandoned: list[UUID] = []
        self.unsure: set[UUID] = set()

    def acknowledge(self, booking_id: UUID, user_id: UUID, seat_nos: tuple[str, ...], *, promoted: bool) -> bool:
        """False when it is known already."""
        if booking_id in self.bookings:
            return False
        self.bookings[booking_id] = KnownBooking(booking_id, user_id, seat_nos, promoted)
        return True

    def cancel(self, booking_id: UUID, belief: Belief = Belief.CANCELLED) -> None:
        self.bookings[booking_id].belief = belief

    def seats_by_user(self) -> Counter[UUID]:
        """How many seats each user believes to have; a doubtful cancellation counts as had."""
        seats: Counter[UUID] = Counter()
        for known in self.bookings.values():
            if known.belief is not Belief.CANCELLED:
                seats[known.user_id] += len(known.seat_nos)
        return seats
