"""How a buyer finds seats: the house as drawn, the house as it is now, and a choice of seats in it."""

import random
from collections.abc import Sequence
from itertools import pairwise
from math import hypot
from typing import Final

import msgspec

from overbookr.seats.plan import PlannedSeat, SeatingPlan

PARTY_MAX: Final = 4
_STAGES: Final = frozenset({"stage", "bühne", "buehne", "scène", "scene", "podium"})


class AvailabilityAnswer(msgspec.Struct):
    """The part of GET /events/{id}/availability that a buyer needs."""

    version: int
    available: int
    held: list[str]
    booked: list[str]
    blocked: list[str]


class HouseView:
    """The house at one moment. `taken` has a bit for each seat, by its place in `House.seat_nos`."""

    __slots__ = ("_free_parties", "booked", "free", "held", "taken", "version")

    def __init__(self, version: int, taken: int, *, seats: int, held: int, booked: int) -> None:
        self.version = version
        self.taken = taken
        self.held = held
        self.booked = booked
        self.free = seats - taken.bit_count()
        self._free_parties: dict[int, list[list[str]]] = {}

    def free_parties(self, size: int, parties: Sequence["Party"]) -> list[list[str]]:
        """Those of the `parties`, all of this size, whose seats are all free. Found once: many buyers ask one view."""
        found = self._free_parties.get(size)
        if found is None:
            taken = self.taken
            found = self._free_parties[size] = [seat_nos for mask, seat_nos in parties if not taken & mask]
        return found


# Neighbours that can be taken together: a bit for each of their seats, and the seats.
Party = tuple[int, list[str]]


class House:
    """What never changes of a plan: its seats from the best to the worst, and every set of neighbours a party can take.

    Seats are the better the nearer they are to the stage, or to the middle of the house where the plan names no stage.
    """

    def __init__(self, plan: SeatingPlan) -> None:
        focus_x, focus_y = _focus(plan)
        ranked = sorted(plan.seats, key=lambda seat: hypot(seat.x - focus_x, seat.y - focus_y))
        self.name = plan.name
        self.seat_nos = [seat.seat_no for seat in ranked]
        self._places = {seat_no: place for place, seat_no in enumerate(self.seat_nos)}
        self._parties = {size: self._neighbours(plan.seats, size) for size in range(1, PARTY_MAX + 1)}

    def view(self, answer: AvailabilityAnswer) -> HouseView:
        """Raises KeyError for a seat that the plan does not have."""
        flags = bytearray(b"0") * len(self.seat_nos)
        for labels in (answer.held, answer.booked, answer.blocked):
            for label in labels:
                flags[-1 - self._places[label]] = ord("1")
        taken = int(flags, 2)
        return HouseView(
            answer.version, taken, seats=len(self.seat_nos), held=len(answer.held), booked=len(answer.booked)
        )

    def choose(
        self, view: HouseView, size: int, reach: float, chance: random.Random, *, apart: bool = True
    ) -> list[str] | None:
        """Free neighbours, near the best ones more often than far; else, if they may sit `apart`, any free seats.

        `reach` is the share of the house in which most choices fall. None when nothing suits.
        """
        found = view.free_parties(size, self._parties.get(size, ()))
        if found:
            passed_over = int(chance.expovariate(1 / max(reach * len(self.seat_nos), 1e-9)))
            return found[passed_over] if passed_over < len(found) else chance.choice(found)
        if not apart or view.free < size:
            return None
        # In the order of the house, as one would write them down.
        chosen = set(chance.sample(self.free_seats(view), size))
        return [label for label in self.seat_nos if label in chosen]

    def free_seats(self, view: HouseView) -> list[str]:
        """All free seats, the best first."""
        return [label for place, label in enumerate(self.seat_nos) if not view.taken >> place & 1]

    def _neighbours(self, seats: Sequence[PlannedSeat], size: int) -> list[Party]:
        in_order = sorted(seats, key=lambda seat: seat.ordinal)
        ranked: list[tuple[int, Party]] = []
        for start in range(len(in_order) - size + 1):
            party = in_order[start : start + size]
            if all(right.ordinal - left.ordinal == 1 for left, right in pairwise(party)):
                places = [self._places[seat.seat_no] for seat in party]
                mask = sum(1 << place for place in places)
                ranked.append((sum(places), (mask, [seat.seat_no for seat in party])))
        return [party for _, party in sorted(ranked)]


def _focus(plan: SeatingPlan) -> tuple[float, float]:
    for placed in plan.areas:
        caption = placed.area.text
        if caption is not None and caption.text.strip().casefold() in _STAGES:
            return placed.x, placed.y
    return (
        sum(seat.x for seat in plan.seats) / len(plan.seats),
        sum(seat.y for seat in plan.seats) / len(plan.seats),
    )
