"""Coming and going on a fixed set of events, by the product's own write path, for as long as is wanted: the same rows
are written over and over."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from bench.stage import seats_of
from overbookr.batching import DeadlinePassed
from overbookr.bookings.model import BookHold, CancelBooking, HoldBooked
from overbookr.holds.model import HoldPlaced, PlaceHold, ReleaseHold
from overbookr.ids import new_id
from overbookr.waitlist.model import JoinWaitlist, WaitlistJoined
from overbookr.writes.lane import LaneBusy
from overbookr.writes.writer import Writer

# Of the holds, these shares are let go and left to lapse; the others are booked.
_RELEASED, _LAPSED = 0.25, 0.10
# Where everything is booked visitors queue, or bookings are given back, until this share of the seats is booked still.
_QUEUED = 0.4
_BOOKED_LEAST = 0.9


@dataclass
class Show:
    """An event, and its bookings with their users and seats as far as they are known; `shown` are seats that a map
    shows as booked."""

    event_id: UUID
    booked: dict[UUID, UUID] = field(default_factory=dict)
    seats: dict[UUID, tuple[str, ...]] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    is_sold_out: bool = False

    def add(self, booking_id: UUID, user_id: UUID, seat_nos: tuple[str, ...]) -> None:
        self.booked[booking_id], self.seats[booking_id] = user_id, seat_nos
        self.shown.update(seat_nos)

    def remove(self, booking_id: UUID) -> UUID:
        self.shown.difference_update(self.seats.pop(booking_id))
        return self.booked.pop(booking_id)


class Churn:
    """`took` are milliseconds and `done` what was done in them, emptied by who looks at them."""

    def __init__(self, writer: Writer, event_ids: Sequence[UUID], user_ids: Sequence[UUID], pairs: int) -> None:
        self._writer, self._user_ids, self._pairs = writer, user_ids, pairs
        self._shows = {event_id: Show(event_id) for event_id in event_ids}
        self._order = list(self._shows.values())
        self._given_back: set[UUID] = set()
        self._dice = random.Random(1)
        self.took: list[float] = []
        self.done: Counter[str] = Counter()
        self.stopping = False

    def adopt(self, promoted: Iterable[tuple[UUID, UUID, UUID, list[str]]]) -> None:
        """Bookings that waiters were given: the event, the booking, the user, the seats. They may be told again."""
        for event_id, booking_id, user_id, seat_nos in promoted:
            show = self._shows[event_id]
            if booking_id not in show.booked and booking_id not in self._given_back:
                show.add(booking_id, user_id, tuple(seat_nos))
                self.done["promoted"] += 1

    async def go_on(self) -> None:
        """One visitor after the other, until it is to stop."""
        while not self.stopping:
            show = self._dice.choice(self._order)
            show.is_sold_out = len(show.booked) > (_BOOKED_LEAST if show.is_sold_out else 0.99) * self._pairs
            started = time.perf_counter()
            try:
                what = await self._come(show)
            except (DeadlinePassed, LaneBusy):
                what = "found it busy"  # On a machine that stands still for seconds; nothing was changed.
            self.took.append((time.perf_counter() - started) * 1000)
            self.done[what] += 1

    async def _come(self, show: Show) -> str:
        if not show.is_sold_out:
            return await self._visit(show)
        if self._dice.random() < _QUEUED:
            user_id = self._dice.choice(self._user_ids)
            outcome = await self._writer.join_waitlist(JoinWaitlist(show.event_id, new_id(), user_id, 2))
            return "queued" if isinstance(outcome, WaitlistJoined) else "not queued"
        booking_id = self._dice.choice(list(show.booked))
        user_id = show.remove(booking_id)
        self._given_back.add(booking_id)
        await self._writer.cancel_booking(CancelBooking(show.event_id, booking_id, user_id, False))
        return "cancelled"

    def _choose(self, show: Show) -> tuple[str, str]:
        """A pair of seats, of those that the map shows as free if one is found soon."""
        chosen = seats_of(self._dice.randrange(self._pairs))
        for _ in range(self._pairs):
            if show.shown.isdisjoint(chosen):
                break
            chosen = seats_of(self._dice.randrange(self._pairs))
        return chosen

    async def _visit(self, show: Show) -> str:
        event_id, user_id = show.event_id, self._dice.choice(self._user_ids)
        wanted = PlaceHold(event_id, new_id(), user_id, self._choose(show))
        held = await self._writer.place_hold(wanted)
        if not isinstance(held, HoldPlaced):
            return "refused"
        fate = self._dice.random()
        if fate < _LAPSED:
            return "left to lapse"
        if fate < _LAPSED + _RELEASED:
            await self._writer.release_hold(ReleaseHold(event_id, held.hold_id, user_id))
            return "released"
        command = BookHold(event_id, held.hold_id, user_id, new_id(), str(held.hold_id))
        booked = await self._writer.book_hold(command)
        if isinstance(booked, HoldBooked):
            show.add(booked.booking_id, user_id, wanted.seat_nos)
            return "booked"
        return "lapsed"


async def run_churn(churn: Churn, tasks: int) -> None:
    """As many visitors at a time; ends when the churn is to stop. Raises what any of them met."""
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(churn.go_on())
