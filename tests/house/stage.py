"""Events, seats and commands straight on a database, for tests of the write path without HTTP."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from overbookr.audit.store import AuditStore
from overbookr.bookings.model import BookHold, CancelBooking, HoldBooked
from overbookr.database.pool import Pool
from overbookr.holds.model import HoldPlaced, PlaceHold, ReleaseHold
from overbookr.ids import new_id
from overbookr.seats.natural_order import natural_key
from overbookr.waitlist.model import JoinWaitlist
from overbookr.writes.lane import Command, Lane
from overbookr.writes.outcomes import Outcome
from overbookr.writes.writer import Writer

SHARE = 10
TIME_TO_LIVE = timedelta(seconds=300)
_WAITERS = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


def seeded_random() -> random.Random:
    """Random choices that a failing test's report lets one repeat: OVERBOOKR_TEST_SEED."""
    seed = int(os.environ.get("OVERBOOKR_TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"OVERBOOKR_TEST_SEED={seed}")
    return random.Random(seed)


class Stage:
    """What a test needs of a database that has no application in front of it. A user is nothing but an id here."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def event(self, seats: int | list[str] = 0, **columns: Any) -> UUID:
        """A new event on sale, with seats S1..Sn or those named; `columns` of the table to set."""
        event_id = new_id()
        await self.pool.execute(
            """insert into events (event_id, name, venue, start_time)
               values ($1, 'A show', 'A house', now() + interval '30 days')""",
            event_id,
        )
        labels = [f"S{number}" for number in range(1, seats + 1)] if isinstance(seats, int) else seats
        await self.add_seats(event_id, *labels)
        for column, value in columns.items():
            await self.pool.execute(f"update events set {column} = $2 where event_id = $1", event_id, value)
        return event_id

    async def add_seats(self, event_id: UUID, *labels: str) -> None:
        if labels:
            await self.pool.execute(
                "select add_seats_v1($1, $2, $3, $4, $5)",
                event_id,
                [new_id() for _ in labels],
                list(labels),
                [natural_key(label) for label in labels],
                SHARE,
            )

    @asynccontextmanager
    async def writer(
        self,
        *,
        lanes: int = 1,
        time_to_live: timedelta = TIME_TO_LIVE,
        user_seats_max: int = SHARE,
        changed: Callable[[Iterable[UUID]], None] | None = None,
    ) -> AsyncIterator[Writer]:
        writer = Writer(
            self.pool, lanes=lanes, time_to_live=time_to_live, user_seats_max=user_seats_max, changed=changed
        )
        writer.start()
        try:
            yield writer
        finally:
            with contextlib.suppress(Exception):
                await writer.stop()

    async def statuses(self, event_id: UUID) -> dict[str, str]:
        """The seats as the table has them, lapsed holds and all."""
        rows = await self.pool.fetch(
            "select seat_no, status from seats where event_id = $1 order by sort_key", event_id
        )
        return {row["seat_no"]: row["status"] for row in rows}

    async def lapse(self, hold_id: UUID) -> None:
        """Let a hold's time pass at once."""
        await self.pool.execute(
            """with gone as (
                 update holds set created_at = created_at - interval '1 day', expires_at = clock_timestamp()
                  where hold_id = $1 returning event_id, hold_id, expires_at)
               update seats s set hold_expires_at = g.expires_at from gone g
                where s.event_id = g.event_id and s.hold_id = g.hold_id""",
            hold_id,
        )

    async def count(self, query: str, *values: Any) -> int:
        count: int = await self.pool.fetchval(query, *values)
        return count

    async def until_it_waits(self, asking: "asyncio.Task[Any]") -> None:
        """Until what asks waits for somebody's lock."""
        async with asyncio.timeout(10):
            while not await self.count(_WAITERS):
                assert not asking.done(), f"nobody waited for the lock: {await asking}"

    async def assert_lawful(self, *, user_seats_max: int = SHARE, quiescent: bool = False) -> None:
        report = await AuditStore(self.pool).check(user_seats_max, quiescent=quiescent)
        assert report.is_clean, report.violations


def hold(event_id: UUID, user_id: UUID, *seat_nos: str, key: str | None = None) -> PlaceHold:
    return PlaceHold(event_id, new_id(), user_id, seat_nos, key)


def book(placed: PlaceHold, key: str | None = None) -> BookHold:
    """Books what `placed` holds, by its user."""
    return BookHold(placed.event_id, placed.hold_id, placed.user_id, new_id(), key or str(new_id()))


def release(placed: PlaceHold) -> ReleaseHold:
    return ReleaseHold(placed.event_id, placed.hold_id, placed.user_id)


def cancel(booked: BookHold, *, exempt: bool = False) -> CancelBooking:
    return CancelBooking(booked.event_id, booked.booking_id, booked.user_id, exempt)


def join(event_id: UUID, user_id: UUID, seats: int) -> JoinWaitlist:
    return JoinWaitlist(event_id, new_id(), user_id, seats)


async def submit(writer: Writer, command: Command) -> Outcome:
    """The outcome of any command."""
    match command:
        case PlaceHold():
            return await writer.place_hold(command)
        case BookHold():
            return await writer.book_hold(command)
        case ReleaseHold():
            return await writer.release_hold(command)
        case CancelBooking():
            return await writer.cancel_booking(command)
        case JoinWaitlist():
            return await writer.join_waitlist(command)


async def one_batch(pool: Pool, *commands: Command, user_seats_max: int = SHARE) -> list[Outcome | Exception]:
    """What the commands come back as when they meet in one batch, which is one transaction."""
    lane = Lane(pool, name="test", time_to_live=TIME_TO_LIVE, user_seats_max=user_seats_max)
    return await lane._flush(list(commands))


async def held(writer: Writer, event_id: UUID, user_id: UUID, *seat_nos: str) -> PlaceHold:
    """A hold that must succeed."""
    command = hold(event_id, user_id, *seat_nos)
    outcome = await writer.place_hold(command)
    assert isinstance(outcome, HoldPlaced), outcome
    return command


async def booked(writer: Writer, event_id: UUID, user_id: UUID, *seat_nos: str) -> BookHold:
    """A hold and its booking, which must succeed."""
    command = book(await held(writer, event_id, user_id, *seat_nos))
    outcome = await writer.book_hold(command)
    assert isinstance(outcome, HoldBooked), outcome
    return command


async def served(stage: Stage, event_id: UUID) -> list[UUID]:
    """The users whom the queue has served, in the order of the changes."""
    rows = await stage.pool.fetch(
        """select b.user_id from bookings b
            where b.event_id = $1 and b.entry_id is not null
            order by (select min(c.version) from seat_changes c
                       where c.event_id = b.event_id and c.booking_id = b.booking_id)""",
        event_id,
    )
    return [row["user_id"] for row in rows]
