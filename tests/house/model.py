"""The rules of one event in plain Python, to compare the product with. Commands come one at a time.

An answer is a tuple: the wire's code of a refusal or a word for a success, and what comes with it. Ids are whatever the
one who compares uses as ids. Times are years, and it is the year NOW: a thing is in the past, or it is not.
"""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

Answer = tuple[object, ...]
Id = Hashable
NOW = 2050
TAKEN = ("held", "booked")


@dataclass
class HoldModel:
    user_id: Id
    seat_nos: tuple[str, ...]
    status: str = "active"
    lapsed: bool = False
    booking_id: Id | None = None


@dataclass
class BookingModel:
    user_id: Id
    seat_nos: tuple[str, ...]
    hold_id: Id | None
    active: bool = True


@dataclass
class Waiter:
    user_id: Id
    seats: int


def row_of(seat_no: str) -> str:
    return seat_no.rstrip("0123456789")


def natural(seat_no: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", seat_no)]


@dataclass
class EventModel:
    """`seats` in natural order. `placed` are those of the seating plan with their places on it, before all others.

    `promoted` are the bookings that the queue was given and that have no id yet.
    """

    seats: dict[str, str]
    share: int
    strict: bool
    capacity: int | None = None
    status: str = "on_sale"
    starts: int = NOW + 1
    sale_opens: int | None = None
    sale_closes: int | None = None
    is_deleted: bool = False
    version: int = 0
    chart_version: int = 0
    placed: dict[str, int] = field(default_factory=dict)
    holds: dict[Id, HoldModel] = field(default_factory=dict)
    bookings: dict[Id, BookingModel] = field(default_factory=dict)
    queue: list[Waiter] = field(default_factory=list)
    promoted: list[BookingModel] = field(default_factory=list)
    hold_keys: dict[tuple[Id, str], Id] = field(default_factory=dict)
    booking_keys: dict[tuple[Id, str], Id] = field(default_factory=dict)

    # What users ask for.

    def place(self, hold_id: Id, user_id: Id, seat_nos: tuple[str, ...], key: str | None) -> Answer:
        self.settle()
        if key is not None and (user_id, key) in self.hold_keys:
            return self.place_again(self.hold_keys[user_id, key], seat_nos)
        if refusal := self.refusal():
            return (refusal,)
        if missing := [seat for seat in seat_nos if seat not in self.seats]:
            return ("seats_not_found", *missing)
        is_kept = self.kept()
        statuses = [(seat, self.seats[seat]) for seat in seat_nos]
        if taken := [(seat, "held" if was == "available" else was) for seat, was in statuses
                     if was != "available" or is_kept]:  # fmt: skip
            return ("seats_unavailable", *taken)
        if self.owned(user_id) + len(seat_nos) > self.share:
            return ("hold_limit",)
        if len(seat_nos) > self.free():
            return ("capacity_exceeded",)
        self.holds[hold_id] = HoldModel(user_id, seat_nos)
        if key is not None:
            self.hold_keys[user_id, key] = hold_id
        self.mark(seat_nos, "held")
        return ("placed", hold_id, seat_nos, False)

    def place_again(self, earlier: Id, seat_nos: tuple[str, ...]) -> Answer:
        hold = self.holds[earlier]
        if hold.seat_nos != seat_nos:
            return ("idempotency_key_reused",)
        if hold.status == "active":
            return ("placed", earlier, hold.seat_nos, True)
        return ("hold_already_booked", hold.booking_id) if hold.booking_id is not None else ("hold_expired",)

    def book(self, booking_id: Id, hold_id: Id, user_id: Id, key: str, elsewhere: HoldModel | None = None) -> Answer:
        """`elsewhere`: the hold, when it is one of another event."""
        self.settle()
        by_key = self.booking_keys.get((user_id, key))
        if by_key is not None:
            booking = self.bookings[by_key]
            return (
                ("booked", by_key, booking.seat_nos, True)
                if booking.hold_id == hold_id
                else ("idempotency_key_reused",)
            )
        hold = self.holds.get(hold_id, elsewhere)
        if hold is None or hold.user_id != user_id:
            return ("hold_not_found",)
        if hold is elsewhere:
            return ("hold_event_mismatch",)
        if hold.booking_id is not None:
            return ("hold_already_booked", hold.booking_id)
        if hold.status != "active":
            return ("hold_expired",)
        if self.status in ("draft", "cancelled") or self.starts <= NOW:
            return ("not_on_sale",)
        hold.status, hold.booking_id = "converted", booking_id
        self.bookings[booking_id] = BookingModel(user_id, hold.seat_nos, hold_id)
        self.booking_keys[user_id, key] = booking_id
        self.mark(hold.seat_nos, "booked")
        return ("booked", booking_id, hold.seat_nos, False)

    def release(self, hold_id: Id) -> Answer:
        self.settle()
        hold = self.holds[hold_id]
        if hold.status != "active":
            return ("hold_over",)
        hold.status = "released"
        self.mark(hold.seat_nos, "available")
        self.promote()
        return ("released",)

    def cancel(self, booking_id: Id, *, exempt: bool = False) -> Answer:
        self.settle()
        booking = self.bookings[booking_id]
        if booking.active and self.starts <= NOW and not exempt:
            return ("event_started",)
        if booking.active:
            booking.active = False
            self.mark(booking.seat_nos, "available")
            self.promote()
        return ("cancelled", booking_id)

    def join(self, user_id: Id, seats: int) -> Answer:
        self.settle()
        if refusal := self.refusal():
            return (refusal,)
        if self.place_in_queue(user_id) is not None:
            return ("already_waiting",)
        if self.owned(user_id) + seats > self.share:
            return ("hold_limit",)
        if seats <= self.free() and not self.kept():
            return ("seats_available",)
        self.queue.append(Waiter(user_id, seats))
        return ("waiting", len(self.queue))

    def leave(self, user_id: Id) -> Answer:
        self.settle()
        if (place := self.place_in_queue(user_id)) is None:
            return ("waitlist_entry_not_found",)
        del self.queue[place]
        self.promote()
        return ("left",)

    # What the organiser asks for.

    def block(self, seat_nos: tuple[str, ...], *, block: bool) -> Answer:
        if self.is_deleted:
            return ("event_not_found",)
        self.settle()
        if missing := [seat for seat in seat_nos if seat not in self.seats]:
            return ("seats_not_found", *missing)
        if taken := [(seat, self.seats[seat]) for seat in seat_nos if self.seats[seat] in TAKEN]:
            return ("seats_unavailable", *taken)
        status = "blocked" if block else "available"
        self.mark([seat for seat in seat_nos if self.seats[seat] != status], status)
        self.promote()
        return ("seats_changed", seat_nos, status)

    def add(self, seat_nos: Iterable[str]) -> Answer:
        if self.is_deleted:
            return ("event_not_found",)
        self.settle()
        if added := sorted({seat for seat in seat_nos if seat not in self.seats}, key=natural):
            self.mark(added, "available")
            self.promote()
        return ("seats_added", *((seat, self.seats[seat]) for seat in added))

    def replace_plan(self, seat_nos: list[str]) -> Answer:
        if self.is_deleted:
            return ("event_not_found",)
        self.settle()
        gone = [seat for seat in self.seats if seat not in seat_nos]
        if in_use := [seat for seat in gone if self.seats[seat] in TAKEN]:
            return ("seats_in_use", *in_use)
        self.version += len(gone)
        self.seats = {seat: status for seat, status in self.seats.items() if seat not in gone}
        self.mark([seat for seat in seat_nos if seat not in self.seats], "available")
        self.placed = {seat_no: place for place, seat_no in enumerate(seat_nos)}
        self.chart_version += 1
        self.promote()
        return ("plan_replaced", self.chart_version, len(seat_nos))

    def update(self, **changes: Any) -> Answer:
        if self.is_deleted:
            return ("event_not_found",)
        self.settle()
        capacity = changes.get("capacity")
        if capacity is not None and capacity < self.count(*TAKEN):
            return ("capacity_in_use",)
        opens, closes = (changes.get(name, getattr(self, name)) for name in ("sale_opens", "sale_closes"))
        if opens is not None and closes is not None and opens >= closes:
            return ("invalid_request",)
        for name, value in changes.items():
            setattr(self, name, value)
        self.promote()
        return ("event_updated",)

    def delete(self) -> Answer:
        self.settle()
        if self.is_deleted:
            return ("event_not_found",)
        if self.queue or self.count(*TAKEN):
            return ("event_in_use",)
        self.is_deleted = True
        return ("event_deleted",)

    # What the house does by itself.

    def settle(self) -> None:
        for hold in self.holds.values():
            if hold.status == "active" and hold.lapsed:
                hold.status = "expired"
                self.mark(hold.seat_nos, "available")
        self.promote()

    def promote(self) -> None:
        while not self.refusal() and (waiter := self.next_waiter()):
            seat_nos = self.choose(waiter.seats)
            self.queue.remove(waiter)
            self.promoted.append(BookingModel(waiter.user_id, seat_nos, None))
            self.mark(seat_nos, "booked")

    def next_waiter(self) -> Waiter | None:
        servable = [waiter for waiter in self.queue if self.owned(waiter.user_id) + waiter.seats <= self.share]
        if self.strict:
            head = next((waiter for waiter in servable if waiter.seats <= self.most()), None)
            return head if head and head.seats <= self.free() else None
        return next((waiter for waiter in servable if waiter.seats <= self.free()), None)

    def choose(self, count: int) -> tuple[str, ...]:
        """The shortest run of neighbours that is long enough, the first of those; else the first seats of all."""
        runs: list[list[str]] = [[]]
        row: object = None
        for seat_no in sorted(self.seats, key=lambda seat: self.placed.get(seat, len(self.placed))):
            if (row_of(seat_no), seat_no in self.placed) != row or self.seats[seat_no] != "available":
                runs.append([])
            row = (row_of(seat_no), seat_no in self.placed)
            if self.seats[seat_no] == "available":
                runs[-1].append(seat_no)
        long_enough = [run for run in runs if len(run) >= count]
        best = min(long_enough, key=len) if long_enough else [seat_no for run in runs for seat_no in run]
        return tuple(best[:count])

    # What can be seen of it.

    def shown(self) -> dict[str, str]:
        """The map: a lapsed hold is over, and what gathers for the head of a strict queue is nobody else's."""
        kept, over = self.seems_kept(), self.overdue()
        statuses = {seat: "available" if seat in over else status for seat, status in self.seats.items()}
        return {seat: "held" if kept and status == "available" else status for seat, status in statuses.items()}

    def counts(self) -> dict[str, int]:
        held, booked, seats = self.count("held") - len(self.overdue()), self.count("booked"), self.sellable()
        return {
            "capacity": seats if self.capacity is None else self.capacity,
            "seats_count": seats,
            "booked_count": booked,
            "held_count": held,
            "available": 0 if self.seems_kept() else max(self.most() - booked - held, 0),
            "waiting_count": len(self.queue),
            "version": self.version,
            "chart_version": self.chart_version,
        }

    def refusal(self) -> str | None:
        is_open = (self.sale_opens or 0) <= NOW < (self.sale_closes or NOW + 1) and self.starts > NOW
        return "event_not_found" if self.is_deleted else None if is_open and self.status == "on_sale" else "not_on_sale"

    def seems_kept(self) -> bool:
        return self.strict and any(waiter.seats <= self.most() for waiter in self.queue)

    def kept(self) -> bool:
        fits = (waiter for waiter in self.queue if self.owned(waiter.user_id) + waiter.seats <= self.share)
        return self.strict and any(waiter.seats <= self.most() for waiter in fits)

    def overdue(self) -> set[str]:
        over = [hold.seat_nos for hold in self.holds.values() if hold.status == "active" and hold.lapsed]
        return {seat for seat_nos in over for seat in seat_nos}

    def place_in_queue(self, user_id: Id) -> int | None:
        return next((place for place, waiter in enumerate(self.queue) if waiter.user_id == user_id), None)

    def count(self, *statuses: str) -> int:
        return sum(status in statuses for status in self.seats.values())

    def sellable(self) -> int:
        return len(self.seats) - self.count("blocked")

    def most(self) -> int:
        return self.sellable() if self.capacity is None else min(self.capacity, self.sellable())

    def free(self) -> int:
        return max(self.most() - self.count(*TAKEN), 0)

    def owned(self, user_id: Id) -> int:
        held = [hold.seat_nos for hold in self.holds.values() if hold.user_id == user_id and hold.status == "active"]
        made = [*self.bookings.values(), *self.promoted]
        return sum(map(len, held)) + sum(len(one.seat_nos) for one in made if one.user_id == user_id and one.active)

    def mark(self, seat_nos: Iterable[str], status: str) -> None:
        for seat_no in seat_nos:
            self.seats[seat_no] = status
            self.version += 1
        self.seats = dict(sorted(self.seats.items(), key=lambda seat: natural(seat[0])))
