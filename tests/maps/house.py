"""A house as the database would tell of it: seats by label, their feed, and a clock that only steps move."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from overbookr.maps.model import ListedSeat, MapState, PlacedSeat, SeatChange
from overbookr.seats.natural_order import natural_key

NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)
EVENT = UUID(int=1)
# Quotes, commas and what reads like a part of the list: no label may disturb its neighbours.
LABELS = [f"Row {row}, {number}" for row in "AB" for number in range(1, 8)] + ['"status":"held"', "Ü\\1", ","]
SECOND = timedelta(seconds=1)


class _Seat:
    def __init__(self) -> None:
        self.status = "available"
        self.hold: UUID | None = None
        self.ends: datetime | None = None
        self.updated_at = NOON

    def shown(self, at: datetime, kept: bool) -> str:
        status = "available" if self.ends is not None and self.ends <= at else self.status
        return "held" if kept and status == "available" else status


class House:
    """What the database would say: seats by label, and the feed."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.at = NOON
        self.seats = {label: _Seat() for label in LABELS}
        self.feed: list[SeatChange] = []
        self.kept = False

    @property
    def state(self) -> MapState:
        lapsed = {seat.hold for seat in self.seats.values() if seat.ends is not None and seat.ends <= self.at}
        blocked = sum(seat.status == "blocked" for seat in self.seats.values())
        return MapState(len(self.feed), 1, len(self.seats) - blocked, len(lapsed), self.kept, is_draft=False)

    def places(self) -> list[PlacedSeat]:
        return [PlacedSeat(label, seat.status, seat.hold, seat.ends) for label, seat in self.seats.items()]

    def listed(self) -> list[ListedSeat]:
        return sorted(
            (
                ListedSeat(UUID(int=place), label, seat.status, None, None, "C", NOON, seat.updated_at)
                for place, (label, seat) in enumerate(self.seats.items())
            ),
            key=lambda seat: (natural_key(seat.seat_no), seat.seat_no),
        )

    def shown(self) -> dict[str, str]:
        return {label: seat.shown(self.at, self.kept) for label, seat in self.seats.items()}

    def step(self) -> None:
        """Somebody does something, or time passes."""
        self.at += timedelta(milliseconds=self.dice.randrange(1, 400))
        kind = self.dice.choice(["hold", "hold", "end", "end", "book", "cancel", "block", "kept", "time"])
        free = [label for label, seat in self.seats.items() if seat.status == "available"]
        holds = sorted({seat.hold for seat in self.seats.values() if seat.hold is not None}, key=str)
        if kind == "hold" and free:
            hold, ends = UUID(int=self.dice.getrandbits(128)), self.at + self.dice.randrange(1, 5) * SECOND
            for label in self.dice.sample(free, min(len(free), self.dice.randrange(1, 4))):
                self.move(label, "held", hold, ends)
        elif kind in ("end", "book") and holds:
            hold = self.dice.choice(holds)
            for label in [label for label, seat in self.seats.items() if seat.hold == hold]:
                self.move(label, "available" if kind == "end" else "booked")
        elif kind == "cancel":
            for label in [label for label, seat in self.seats.items() if seat.status == "booked"][:2]:
                self.move(label, "available")
        elif kind == "block":
            label = self.dice.choice(LABELS)
            opposite = {"available": "blocked", "blocked": "available"}.get(self.seats[label].status)
            if opposite is not None:
                self.move(label, opposite)
        elif kind == "kept":
            self.kept = self.dice.random() < 0.2
        elif kind == "time":
            self.at += 2 * SECOND

    def move(self, label: str, to: str, hold: UUID | None = None, ends: datetime | None = None) -> None:
        seat = self.seats[label]
        change = SeatChange(len(self.feed) + 1, label, seat.status, to, self.at, hold or seat.hold, ends)
        self.feed.append(change)
        seat.status, seat.hold, seat.ends, seat.updated_at = to, hold, ends, self.at
