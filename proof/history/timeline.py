"""An event's changes as something one can ask: how a seat stood at a version, and how many seats somebody owned."""

from bisect import bisect_right
from collections import defaultdict
from typing import Final, Generic, TypeVar
from uuid import UUID

from proof.crowd.caller import letter_of
from proof.history.facts import Facts

ABSENT: Final = "absent"
Value = TypeVar("Value")


class Steps(Generic[Value]):
    """A value that changes at versions: before the first it is the `initial` one."""

    __slots__ = ("values", "versions")

    def __init__(self, initial: Value) -> None:
        self.versions: list[int] = [0]
        self.values: list[Value] = [initial]

    def set(self, version: int, value: Value) -> None:
        self.versions.append(version)
        self.values.append(value)

    def at(self, version: int) -> Value:
        return self.values[bisect_right(self.versions, version) - 1]

    def next_version(self, version: int) -> int | None:
        """The first version after this one at which the value changes."""
        place = bisect_right(self.versions, version)
        return self.versions[place] if place < len(self.versions) else None


class Timeline:
    """Built from what the database says; `faults` are those of the changes themselves."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.faults: list[str] = []
        self.seats: dict[str, Steps[str]] = {}
        self._free = Steps(0)
        self._owned: dict[UUID, Steps[int]] = {}
        # By (from, to) and the hold or booking: the versions and seats of those changes.
        self.moves: dict[tuple[str | None, str | None, UUID | None], list[tuple[int, str]]] = defaultdict(list)
        self.instants: list[float] = [0.0]
        self._owners = {hold.hold_id: hold.user_id for hold in facts.holds}
        self._owners |= {booking.booking_id: booking.user_id for booking in facts.bookings}
        self._replay()

    @property
    def last_version(self) -> int:
        return len(self.facts.changes)

    def status(self, seat_no: str, version: int) -> str:
        steps = self.seats.get(seat_no)
        return ABSENT if steps is None else steps.at(version)

    def free_at(self, version: int) -> int:
        return self._free.at(version)

    def owned_by(self, user_id: UUID, version: int) -> int:
        steps = self._owned.get(user_id)
        return 0 if steps is None else steps.at(version)

    def _replay(self) -> None:
        free = 0
        carried: dict[str, UUID | None] = {}
        owned: dict[UUID, int] = defaultdict(int)
        for expected, change in enumerate(self.facts.changes, start=1):
            if change.version != expected:
                self.faults.append(f"gap: version {expected} is missing, {change.version} follows")
                return
            steps = self.seats.setdefault(change.seat_no, Steps(ABSENT))
            was = steps.values[-1]
            came_from, goes_to = change.from_status or ABSENT, change.to_status or ABSENT
            if was != came_from:
                self.faults.append(
                    f"double hold: {change.seat_no} was {was} when version {expected} took it from {came_from}"
                )
            held_by = carried.get(change.seat_no)
            named = change.hold_id if came_from == "held" else change.booking_id if came_from == "booked" else None
            if named != held_by:
                self.faults.append(
                    f"double hold: {change.seat_no} belonged to {held_by} when version {expected} took it from {named}"
                )
            owner = change.hold_id if goes_to == "held" else change.booking_id if goes_to == "booked" else None
            carried[change.seat_no] = owner
            steps.set(expected, goes_to)
            free += (goes_to == "available") - (came_from == "available")
            self._free.set(expected, free)
            for who, step in ((named, -1), (owner, 1)):
                user_id = self._owners.get(who) if who is not None else None
                if user_id is not None:
                    owned[user_id] += step
                    self._owned.setdefault(user_id, Steps(0)).set(expected, owned[user_id])
            subject = change.booking_id if "booked" in (came_from, goes_to) else change.hold_id
            self.moves[change.from_status, change.to_status, subject].append((expected, change.seat_no))
            self.instants.append(change.at)
        if self.facts.version != self.last_version:
            end = self.last_version
            self.faults.append(f"gap: the event is at version {self.facts.version}, the changes end at {end}")


class Replay:
    """Goes through the versions once, forwards, and knows the whole map at each."""

    def __init__(self, timeline: Timeline, places: dict[str, int]) -> None:
        self._changes = timeline.facts.changes
        self._places = places
        self._expiries = {hold.hold_id: hold.expires_at for hold in timeline.facts.holds}
        self.version = 0
        self.letters = bytearray([letter_of(None)]) * len(places)
        # Seats that are held now, with the instant at which the hold lapses.
        self.held: dict[int, float] = {}

    def go_to(self, version: int) -> None:
        for change in self._changes[self.version : version]:
            place = self._places[change.seat_no]
            self.letters[place] = letter_of(change.to_status)
            if change.to_status == "held" and change.hold_id is not None:
                self.held[place] = self._expiries.get(change.hold_id, float("inf"))
            else:
                self.held.pop(place, None)
        self.version = version
