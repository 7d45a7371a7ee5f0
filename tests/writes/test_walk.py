"""A long random walk: every outcome, every seat and every place in the queue as the rules in Python say."""

import random
from uuid import UUID

import pytest

from overbookr.bookings.model import BookHold, BookingCancelled, CancelBooking, HoldBooked
from overbookr.database.sql import load_queries
from overbookr.holds.model import (
    HoldAlreadyBooked,
    HoldPlaced,
    HoldReleased,
    PlaceHold,
    ReleaseHold,
    SeatsNotFound,
    SeatsTaken,
)
from overbookr.ids import new_id
from overbookr.waitlist.model import WaitlistJoined
from overbookr.writes.lane import Command
from overbookr.writes.outcomes import Outcome
from overbookr.writes.writer import Writer
from tests.house.model import Answer, BookingModel, EventModel
from tests.house.stage import Stage, hold, join, seeded_random, submit

pytestmark = pytest.mark.anyio

STEPS = 300
WALK_SHARE = 4
WEIGHTS = {
    "hold": 8, "book": 4, "release": 2, "cancel": 2, "lapse": 2, "join": 5, "leave": 1,
    "block": 1, "unblock": 1, "capacity": 1,
}  # fmt: skip
LABELS = [f"{row}{number}" for row in "AB" for number in range(1, 7)]
_EVENTS, _SEATS, _WAITLIST = (load_queries(f"overbookr.{room}") for room in ("events", "seats", "waitlist"))


def told(outcome: Outcome) -> Answer:
    """An outcome of the product in the words of the model."""
    match outcome:
        case HoldPlaced(hold_id, _, seat_nos, replayed):
            return ("placed", hold_id, seat_nos, replayed)
        case SeatsTaken(conflicts):
            return ("seats_unavailable", *((conflict.seat_no, conflict.status) for conflict in conflicts))
        case SeatsNotFound(seat_nos):
            return ("seats_not_found", *seat_nos)
        case HoldAlreadyBooked(booking_id):
            return ("hold_already_booked", booking_id)
        case HoldReleased():
            return ("released",)
        case HoldBooked(booking_id, seat_nos, _, replayed):
            return ("booked", booking_id, seat_nos, replayed)
        case BookingCancelled(booking_id):
            return ("cancelled", booking_id)
        case WaitlistJoined(_, position):
            return ("waiting", position)
        case _:
            return (outcome,)


class Walk:
    def __init__(self, stage: Stage, event_id: UUID, model: EventModel, dice: random.Random, writer: Writer) -> None:
        self.stage, self.event_id, self.model, self.dice, self.writer = stage, event_id, model, dice, writer
        self.users = [new_id() for _ in range(8)]
        self.holds: list[PlaceHold] = []
        self.cancellations: list[CancelBooking] = []
        self.keys = 0
        self.seen: dict[str, int] = {}

    def wish(self) -> PlaceHold:
        free = [seat_no for seat_no, status in self.model.seats.items() if status == "available"]
        labels = free if len(free) >= 5 and self.dice.random() < 0.6 else [*LABELS, "Z1"]
        seat_nos = self.dice.sample(labels, self.dice.choice([1, 2, 2, 3, 3, 5][: len(labels)]))
        if self.holds and self.dice.random() < 0.1:
            seat_nos = list(self.dice.choice(self.holds).seat_nos)
        key = f"key {self.dice.randrange(4)}" if self.dice.random() < 0.3 else None
        return hold(self.event_id, self.dice.choice(self.users), *seat_nos, key=key)

    def some_hold(self) -> PlaceHold | None:
        """Mostly one that is active."""
        active = [placed for placed in self.holds if self.model.holds[placed.hold_id].status == "active"]
        choices = active if active and self.dice.random() < 0.8 else self.holds
        return self.dice.choice(choices) if choices else None

    def some_cancellation(self) -> CancelBooking | None:
        bookings = self.model.bookings
        active = [one for one in self.cancellations if one.booking_id in bookings and bookings[one.booking_id].active]
        choices = active if active and self.dice.random() < 0.8 else self.cancellations
        return self.dice.choice(choices) if choices else None

    def booking_of(self, placed: PlaceHold) -> BookHold:
        self.keys += 1
        key = f"key {self.dice.randrange(self.keys)}" if self.dice.random() < 0.3 else f"new {self.keys}"
        user_id = placed.user_id if self.dice.random() < 0.9 else self.dice.choice(self.users)
        return BookHold(self.event_id, placed.hold_id, user_id, new_id(), key)

    async def step(self) -> None:
        kind = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        placed, cancellation = self.some_hold(), self.some_cancellation()
        if kind == "hold":
            command = self.wish()
            said = self.model.place(command.hold_id, command.user_id, command.seat_nos, command.idempotency_key)
            answer = await self.compare(command, said)
            if answer[0] == "placed" and not answer[-1]:  # A replay is an answer about a hold known already.
                self.holds.append(command)
        elif kind == "book" and placed:
            booking = self.booking_of(placed)
            said = self.model.book(booking.booking_id, booking.hold_id, booking.user_id, booking.idempotency_key)
            answer = await self.compare(booking, said)
            if answer[0] == "booked" and not answer[-1]:  # A replay is an answer about a booking known already.
                self.cancellations.append(CancelBooking(self.event_id, booking.booking_id, booking.user_id, False))
        elif kind == "release" and placed:
            gone = ReleaseHold(self.event_id, placed.hold_id, placed.user_id)
            await self.compare(gone, self.model.release(gone.hold_id))
        elif kind == "cancel" and cancellation:
            await self.compare(cancellation, self.model.cancel(cancellation.booking_id))
        elif kind == "join":
            entry = join(self.event_id, self.dice.choice(self.users), self.dice.choice([1, 2, 2, 3, 3, 4]))
            await self.compare(entry, self.model.join(entry.user_id, entry.requested_seats))
        else:
            await self.turn(kind, placed)

    async def turn(self, kind: str, placed: PlaceHold | None) -> None:
        """What goes past the lanes: time, the organiser, and leaving."""
        pool = self.stage.pool
        if kind == "lapse" and placed and self.model.holds[placed.hold_id].status == "active":
            await self.stage.lapse(placed.hold_id)
            self.model.holds[placed.hold_id].lapsed = True
        elif kind == "leave":
            user_id = self.dice.choice(self.users)
            left = await pool.fetchval(_WAITLIST.leave_waitlist, self.event_id, user_id, WALK_SHARE)
            self.same(kind, left, self.model.leave(user_id) == ("left",))
        elif kind in ("block", "unblock"):
            seat_no, block = self.dice.choice(LABELS), kind == "block"
            row = await pool.fetchrow(_SEATS.block_seats, self.event_id, [seat_no], block, None, WALK_SHARE)
            assert row is not None
            self.same(kind, row["outcome"], self.model.block((seat_no,), block=block)[0])
        elif kind == "capacity":
            capacity = self.dice.choice([None, 4, 5, 6, 7, 8])
            outcome = await pool.fetchval(_EVENTS.update_event, self.event_id, {"capacity": capacity}, WALK_SHARE)
            self.same(kind, (outcome,), self.model.update(capacity=capacity))

    async def compare(self, command: Command, expected: Answer) -> Answer:
        answer = told(await submit(self.writer, command))
        self.same(f"{type(command).__name__} {answer[0]}", answer, expected, command)
        return answer

    def same(self, what: str, found: object, expected: object, command: object = "") -> None:
        self.seen[what] = self.seen.get(what, 0) + 1
        assert found == expected, f"step {sum(self.seen.values())}, {what} {command}"

    async def look(self) -> None:
        """The seats, the queue and what was promoted are the same; a lapsed hold is overdue in both or in neither."""
        assert await self.stage.statuses(self.event_id) == self.model.seats
        queue = await self.stage.pool.fetch(
            """select user_id, requested_seats from waitlist_entries
                where event_id = $1 and status = 'waiting' order by ticket""",
            self.event_id,
        )
        assert [tuple(row) for row in queue] == [(waiter.user_id, waiter.seats) for waiter in self.model.queue]

    async def adopt_promotions(self, known: int) -> int:
        """The ids of bookings that the queue was given are the database's; from then on they can be cancelled."""
        rows = await self.stage.pool.fetch(
            """select b.booking_id, b.user_id, b.seat_nos from bookings b
                where b.event_id = $1 and b.entry_id is not null
                order by (select min(c.version) from seat_changes c
                           where c.event_id = b.event_id and c.booking_id = b.booking_id)""",
            self.event_id,
        )
        made = [(row["user_id"], tuple(row["seat_nos"])) for row in rows[known:]]
        assert made == [(one.user_id, one.seat_nos) for one in self.model.promoted]
        for row, one in zip(rows[known:], self.model.promoted, strict=True):
            self.model.bookings[row["booking_id"]] = BookingModel(one.user_id, one.seat_nos, None)
            self.cancellations.append(CancelBooking(self.event_id, row["booking_id"], row["user_id"], False))
        self.model.promoted.clear()
        return len(rows)


@pytest.mark.parametrize("policy", ["first_fit", "strict"])
async def test_three_hundred_steps_go_as_the_rules_say(stage: Stage, policy: str) -> None:
    dice = seeded_random()
    event_id = await stage.event(LABELS, waitlist_policy=policy)
    model = EventModel(dict.fromkeys(LABELS, "available"), WALK_SHARE, policy == "strict")
    async with stage.writer(user_seats_max=WALK_SHARE) as writer:
        walk = Walk(stage, event_id, model, dice, writer)
        known = steps = 0
        # A walk that meets no queue proves little of it, and goes on.
        while steps < STEPS or known < 3:
            steps += 1
            assert steps < STEPS * 10
            await walk.step()
            await walk.look()
            known = await walk.adopt_promotions(known)
    print(steps, "steps", dict(sorted(walk.seen.items())), "promoted", known)
    assert len(walk.seen) > 15
    await stage.assert_lawful(user_seats_max=WALK_SHARE)


async def test_a_wrong_rule_is_noticed(stage: Stage) -> None:
    """The walk is a check that can fail: here the queue is served last come first."""
    definition = await stage.pool.fetchval("select pg_get_functiondef('next_waiter'::regproc)")
    await stage.pool.execute(definition.replace("order by w.ticket", "order by w.ticket desc"))
    event_id = await stage.event(LABELS)
    model = EventModel(dict.fromkeys(LABELS, "available"), WALK_SHARE, False)
    async with stage.writer(user_seats_max=WALK_SHARE) as writer:
        walk = Walk(stage, event_id, model, random.Random(7), writer)

        async def go_on() -> None:
            known = 0
            for _ in range(STEPS * 2):
                await walk.step()
                await walk.look()
                known = await walk.adopt_promotions(known)

        with pytest.raises(AssertionError):
            await go_on()
