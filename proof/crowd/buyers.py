"""Clients who hold, book, cancel, look and wait, each one request after the other, many at once."""

import random
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from proof.crowd.caller import FREE, Caller, Person, unpack_map
from proof.crowd.record import Journal, Kind, Operation

# What a client does next, as far as it can. Booking needs a hold, so that what is drawn is not yet what is done.
SELLING: Final[dict[Kind, int]] = {
    "hold": 42, "book": 30, "cancel": 2, "look": 15, "join": 5, "release": 2, "repeat": 3, "leave": 1,
}  # fmt: skip
# Once half of an event's operations are done, those who have seats begin to give them back and others wait for them.
CHURNING: Final[dict[Kind, int]] = SELLING | {"hold": 36, "cancel": 8, "join": 6}
# So many of all holds are for seats that a map showed as free, which is how the last ones are sold.
SEEN_SHARE: Final = 0.25
# A client that has so many open holds lets the oldest lapse.
OPEN_HOLDS_MAX: Final = 3
_ORGANISING: Final = 0.002


@dataclass
class Show:
    """An event on sale. `places` are the places of its seats in the maps that are recorded."""

    event_id: UUID
    seat_nos: list[str]
    hot: int
    places: dict[str, int]
    operations: int
    operations_left: int
    to_add: list[str] = field(default_factory=list)
    seen_free: list[str] = field(default_factory=list)


@dataclass
class _Owned:
    person: Person
    token: UUID
    seat_nos: tuple[str, ...]


@dataclass
class _Booked:
    person: Person
    booking_id: UUID
    hold_token: UUID | None
    key: str


class Client:
    """One of the crowd, with some accounts of its own, so that nobody else acts for these."""

    def __init__(
        self,
        number: int,
        people: list[Person],
        organiser: Person,
        caller: Caller,
        journal: Journal,
        chance: random.Random,
        hot_share: float,
    ) -> None:
        self._number = number
        self._people = people
        self._organiser = organiser
        self._caller = caller
        self._journal = journal
        self._chance = chance
        self._hot_share = hot_share
        self._holds: dict[UUID, list[_Owned]] = {}
        self._bookings: dict[UUID, list[_Booked]] = {}
        self._waiting: dict[UUID, list[Person]] = {}
        self._blocked: dict[UUID, list[str]] = {}
        self.acknowledged_bookings = 0

    async def act(self, show: Show) -> Operation:
        """One operation on this event."""
        if self._chance.random() < _ORGANISING:
            return await self._organise(show)
        weights = CHURNING if show.operations_left < show.operations / 2 else SELLING
        kind = self._chance.choices(tuple(weights), tuple(weights.values()))[0]
        holds = self._holds.setdefault(show.event_id, [])
        bookings = self._bookings.setdefault(show.event_id, [])
        waiting = self._waiting.setdefault(show.event_id, [])
        match kind:
            case "book" if holds:
                return await self._book(show, holds.pop(self._chance.randrange(len(holds))), bookings)
            case "release" if holds:
                return await self._release(show, holds.pop(0))
            case "cancel" if bookings:
                return await self._cancel(show, bookings.pop(self._chance.randrange(len(bookings))))
            case "repeat" if any(booked.hold_token for booked in bookings):
                return await self._repeat(show, [booked for booked in bookings if booked.hold_token])
            case "look":
                return await self._look(show)
            case "join":
                return await self._join(show, waiting)
            case "leave" if waiting:
                return await self._leave(show, waiting.pop(0))
            case _:
                return await self._hold(show, holds)

    def forget(self, event_id: UUID) -> None:
        for memory in (self._holds, self._bookings, self._waiting, self._blocked):
            memory.pop(event_id, None)

    def _new(self, kind: Kind, show: Show, person: Person) -> Operation:
        return Operation(self._journal.new_number(), self._number, kind, show.event_id, person.user_id, 0.0)

    async def _hold(self, show: Show, holds: list[_Owned]) -> Operation:
        person = self._chance.choice(self._people)
        operation = self._new("hold", show, person)
        seats = self._wished_for(show)
        count = min(self._chance.choice((1, 1, 2, 2, 2, 3, 4)), len(seats))
        operation.seat_nos = tuple(self._chance.sample(seats, count))
        operation.key = f"h{operation.number}"
        body = {"event_id": show.event_id, "seat_nos": operation.seat_nos}
        await self._caller.operate(operation, "POST", "/holds", person, body)
        if operation.result is not None:
            if len(holds) >= OPEN_HOLDS_MAX:
                holds.pop(0)
            holds.append(_Owned(person, operation.result, operation.result_seats))
        return operation

    def _wished_for(self, show: Show) -> list[str]:
        """The seats to choose from: the best, or those that a map showed as free, or any at all."""
        drawn = self._chance.random()
        if drawn < self._hot_share:
            return show.seat_nos[: show.hot]
        return show.seen_free if drawn < self._hot_share + SEEN_SHARE and show.seen_free else show.seat_nos

    async def _book(self, show: Show, owned: _Owned, bookings: list[_Booked]) -> Operation:
        operation = self._new("book", show, owned.person)
        operation.about, operation.seat_nos, operation.key = owned.token, owned.seat_nos, f"b{operation.number}"
        body = {"event_id": show.event_id, "hold_token": owned.token}
        await self._caller.operate(operation, "POST", "/bookings", owned.person, body)
        if operation.result is not None:
            self.acknowledged_bookings += 1
            bookings.append(_Booked(owned.person, operation.result, owned.token, operation.key))
        return operation

    async def _repeat(self, show: Show, bookings: list[_Booked]) -> Operation:
        """The same request under the same key once more, which must be answered by the same bytes."""
        booked = self._chance.choice(bookings)
        operation = self._new("repeat", show, booked.person)
        operation.about, operation.key = booked.hold_token, booked.key
        body = {"event_id": show.event_id, "hold_token": booked.hold_token}
        return await self._caller.operate(operation, "POST", "/bookings", booked.person, body)

    async def _release(self, show: Show, owned: _Owned) -> Operation:
        operation = self._new("release", show, owned.person)
        operation.about, operation.seat_nos = owned.token, owned.seat_nos
        return await self._caller.operate(operation, "DELETE", f"/holds/{owned.token}", owned.person)

    async def _cancel(self, show: Show, booked: _Booked) -> Operation:
        operation = self._new("cancel", show, booked.person)
        operation.about = booked.booking_id
        return await self._caller.operate(operation, "DELETE", f"/bookings/{booked.booking_id}", booked.person)

    async def _look(self, show: Show) -> Operation:
        operation = self._new("look", show, self._people[0])
        path = f"/events/{show.event_id}/availability"
        await self._caller.operate(operation, "GET", path, None, places=show.places)
        if operation.succeeded:
            letters = unpack_map(operation.map)
            show.seen_free = [seat_no for seat_no in show.seat_nos if letters[show.places[seat_no]] == FREE]
        return operation

    async def _join(self, show: Show, waiting: list[Person]) -> Operation:
        person = self._chance.choice(self._people)
        operation = self._new("join", show, person)
        operation.size = self._chance.choice((1, 1, 2, 2, 3))
        body = {"requested_seats": operation.size}
        await self._caller.operate(operation, "POST", f"/events/{show.event_id}/waitlist", person, body)
        if operation.result is not None and len(waiting) < 20:
            waiting.append(person)
        return operation

    async def _leave(self, show: Show, person: Person) -> Operation:
        operation = self._new("leave", show, person)
        return await self._caller.operate(operation, "DELETE", f"/events/{show.event_id}/waitlist/me", person)

    async def _organise(self, show: Show) -> Operation:
        """Block a seat, put one back on sale, or add one."""
        blocked = self._blocked.setdefault(show.event_id, [])
        if show.to_add and self._chance.random() < 0.3:
            operation = self._new("add", show, self._organiser)
            operation.seat_nos = (show.to_add.pop(),)
            path = f"/events/{show.event_id}/seats"
        elif blocked and self._chance.random() < 0.6:
            operation = self._new("unblock", show, self._organiser)
            operation.seat_nos = (blocked.pop(),)
            path = f"/events/{show.event_id}/seats/unblock"
        else:
            operation = self._new("block", show, self._organiser)
            operation.seat_nos = (self._chance.choice(show.seat_nos),)
            path = f"/events/{show.event_id}/seats/block"
        body = {"seat_nos": operation.seat_nos}
        await self._caller.operate(operation, "POST", path, self._organiser, body)
        if operation.kind == "block" and operation.succeeded:
            blocked.extend(operation.seat_nos)
        return operation
