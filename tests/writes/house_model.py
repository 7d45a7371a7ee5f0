"""The rules of one event in a page of Python, to compare the database with. Commands come one at a time."""

from dataclasses import dataclass, field
from uuid import UUID

from overbookr.bookings.model import BookHold, BookingRefusal, CancelBooking
from overbookr.holds.model import HoldRefusal, PlaceHold, ReleaseHold
from overbookr.waitlist.model import JoinWaitlist, WaitlistRefusal

Answer = tuple[object, ...]


@dataclass
class ModelHold:
    user_id: UUID
    seat_nos: tuple[str, ...]
    status: str = "active"
    lapsed: bool = False
    booking_id: UUID | None = None


@dataclass
class ModelBooking:
    user_id: UUID
    seat_nos: tuple[str, ...]
    hold_id: UUID | None
    active: bool = True


@dataclass
class Waiter:
    user_id: UUID
    seats: int


@dataclass
class HouseModel:
    """`seats` in natural order, in rows that begin anew where the letters change."""

    seats: dict[str, str]
    share: int
    strict: bool
    capacity: int | None = None
    holds: dict[UUID, ModelHold] = field(default_factory=dict)
    bookings: dict[UUID, ModelBooking] = field(default_factory=dict)
    queue: list[Waiter] = field(default_factory=list)
    promoted: list[ModelBooking] = field(default_factory=list)
    hold_keys: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    booking_keys: dict[tuple[UUID, str], UUID] = field(default_factory=dict)

    def place(self, command: PlaceHold) -> Answer:
        self.settle()
        earlier = self.hold_keys.get((command.user_id, command.idempotency_key or ""))
        if earlier is not None:
            hold = self.holds[earlier]
            if hold.seat_nos != command.seat_nos:
                return (HoldRefusal.KEY_REUSED,)
            if hold.status == "active":
                return ("placed", earlier, hold.seat_nos, True)
            return ("already booked", hold.booking_id) if hold.booking_id else (HoldRefusal.EXPIRED,)
        if missing := [seat for seat in command.seat_nos if seat not in self.seats]:
            return ("not found", *missing)
        kept = self.kept()
        statuses = [(seat, self.seats[seat]) for seat in command.seat_nos]
        if taken := [
            (seat, "held" if was == "available" else was) for seat, was in statuses if was != "available" or kept
        ]:
            return ("taken", *taken)
        if self.owned(command.user_id) + len(command.seat_nos) > self.share:
            return (HoldRefusal.HOLD_LIMIT,)
        if len(command.seat_nos) > self.free():
            return (HoldRefusal.CAPACITY_EXCEEDED,)
        self.holds[command.hold_id] = ModelHold(command.user_id, command.seat_nos)
        if command.idempotency_key:
            self.hold_keys[command.user_id, command.idempotency_key] = command.hold_id
        self.mark(command.seat_nos, "held")
        return ("placed", command.hold_id, command.seat_nos, False)

    def book(self, command: BookHold) -> Answer:
        self.settle()
        hold = self.holds.get(command.hold_id)
        by_key = self.booking_keys.get((command.user_id, command.idempotency_key))
        if by_key is not None:
            booking = self.bookings[by_key]
            if booking.hold_id != command.hold_id:
                return (BookingRefusal.KEY_REUSED,)
            return ("booked", by_key, booking.seat_nos, True)
        if hold is None or hold.user_id != command.user_id:
            return (BookingRefusal.HOLD_NOT_FOUND,)
        if hold.booking_id is not None:
            return ("already booked", hold.booking_id)
        if hold.status != "active":
            return (BookingRefusal.HOLD_EXPIRED,)
        hold.status, hold.booking_id = "converted", command.booking_id
        self.bookings[command.booking_id] = ModelBooking(hold.user_id, hold.seat_nos, command.hold_id)
        self.booking_keys[command.user_id, command.idempotency_key] = command.booking_id
        self.mark(hold.seat_nos, "booked")
        return ("booked", command.booking_id, hold.seat_nos, False)

    def release(self, command: ReleaseHold) -> Answer:
        self.settle()
        hold = self.holds.get(command.hold_id)
        if hold is None or hold.status != "active":
            return (HoldRefusal.OVER,)
        hold.status = "released"
        self.mark(hold.seat_nos, "available")
        self.promote()
        return ("released",)

    def cancel(self, command: CancelBooking) -> Answer:
        self.settle()
        booking = self.bookings.get(command.booking_id)
        if booking is None:
            return (BookingRefusal.NOT_FOUND,)
        if booking.active:
            booking.active = False
            self.mark(booking.seat_nos, "available")
            self.promote()
        return ("cancelled", command.booking_id)

    def join(self, command: JoinWaitlist) -> Answer:
        self.settle()
        if any(waiter.user_id == command.user_id for waiter in self.queue):
            return (WaitlistRefusal.ALREADY_WAITING,)
        if self.owned(command.user_id) + command.requested_seats > self.share:
            return (WaitlistRefusal.HOLD_LIMIT,)
        if command.requested_seats <= self.free() and not self.kept():
            return (WaitlistRefusal.SEATS_AVAILABLE,)
        self.queue.append(Waiter(command.user_id, command.requested_seats))
        return ("waiting", len(self.queue))

    def leave(self, user_id: UUID) -> bool:
        self.settle()
        waits = [waiter for waiter in self.queue if waiter.user_id == user_id]
        self.queue = [waiter for waiter in self.queue if waiter.user_id != user_id]
        if waits:
            self.promote()
        return bool(waits)

    def block(self, seat_no: str, *, block: bool) -> str:
        self.settle()
        if self.seats[seat_no] in ("held", "booked"):
            return "seats_unavailable"
        self.seats[seat_no] = "blocked" if block else "available"
        self.promote()
        return "seats_changed"

    def set_capacity(self, capacity: int | None) -> str:
        self.settle()
        taken = sum(status in ("held", "booked") for status in self.seats.values())
        if capacity is not None and capacity < taken:
            return "capacity_in_use"
        self.capacity = capacity
        self.promote()
        return "event_updated"

    def settle(self) -> None:
        for hold in self.holds.values():
            if hold.status == "active" and hold.lapsed:
                hold.status = "expired"
                self.mark(hold.seat_nos, "available")
        self.promote()

    def promote(self) -> None:
        while waiter := self.next_waiter():
            seat_nos = self.choose(waiter.seats)
            self.queue.remove(waiter)
            self.promoted.append(ModelBooking(waiter.user_id, seat_nos, None))
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
        letters = ""
        for seat_no, status in self.seats.items():
            row = seat_no.rstrip("0123456789")
            if row != letters or status != "available":
                runs.append([])
            letters = row
            if status == "available":
                runs[-1].append(seat_no)
        long_enough = [run for run in runs if len(run) >= count]
        best = min(long_enough, key=len) if long_enough else [seat_no for run in runs for seat_no in run]
        return tuple(best[:count])

    def kept(self) -> bool:
        return self.strict and any(
            waiter.seats <= self.most() and self.owned(waiter.user_id) + waiter.seats <= self.share
            for waiter in self.queue
        )

    def most(self) -> int:
        sellable = sum(status != "blocked" for status in self.seats.values())
        return sellable if self.capacity is None else min(self.capacity, sellable)

    def free(self) -> int:
        return max(self.most() - sum(status in ("held", "booked") for status in self.seats.values()), 0)

    def owned(self, user_id: UUID) -> int:
        held = [hold.seat_nos for hold in self.holds.values() if hold.user_id == user_id and hold.status == "active"]
        made = [*self.bookings.values(), *self.promoted]
        return sum(map(len, held)) + sum(len(one.seat_nos) for one in made if one.user_id == user_id and one.active)

    def mark(self, seat_nos: tuple[str, ...], status: str) -> None:
        for seat_no in seat_nos:
            self.seats[seat_no] = status
