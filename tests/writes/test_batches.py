"""A batch is one transaction and one answer a command; what troubles one command troubles no other."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from overbookr import limits
from overbookr.bookings.model import BookingCancelled, BookingRefusal, HoldBooked
from overbookr.database.pool import Pool, open_pool
from overbookr.holds.model import HoldAlreadyBooked, HoldPlaced, HoldRefusal, HoldReleased, SeatsNotFound, SeatsTaken
from overbookr.ids import new_id
from overbookr.waitlist.model import WaitlistJoined, WaitlistRefusal
from overbookr.writes.lane import Command, LaneBusy
from tests.house.stage import (
    Stage,
    book,
    booked,
    cancel,
    held,
    hold,
    join,
    one_batch,
    release,
)

pytestmark = pytest.mark.anyio

# Raises an error of the given SQLSTATE when the named seat is written, the first `times` times. A sequence counts,
# because it alone remembers what was rolled back.
FAULT = """
create sequence faults;
create function strike() returns trigger language plpgsql as $$
begin
  if new.seat_no = '{seat_no}' and nextval('faults') <= {times} then
    raise exception 'struck' using errcode = '{sqlstate}';
  end if;
  return new;
end $$;
create trigger strike before update on seats for each row execute function strike();
"""


@pytest.fixture
async def hasty(database: str) -> AsyncIterator[Pool]:
    """A single connection that waits a tenth of a second for a lock."""
    pool = await open_pool(database, size=1, application_name="test", write=True)
    await pool.execute("set lock_timeout = '100ms'")
    yield pool
    await pool.close()


async def test_a_mixed_batch_answers_each_command_in_its_place(stage: Stage) -> None:
    event_id, full_event_id = await stage.event(8), await stage.event(1)
    users = [new_id() for _ in range(12)]
    async with stage.writer() as writer:
        await booked(writer, full_event_id, users[0], "S1")
        to_book, to_release, lost = [
            await held(writer, event_id, user, seat) for user, seat in zip(users[1:4], ("S1", "S2", "S3"), strict=True)
        ]
        to_cancel = await booked(writer, event_id, users[4], "S4")
    await stage.lapse(lost.hold_id)
    booking, release_of, cancellation = book(to_book), release(to_release), cancel(to_cancel)
    taken, unknown = hold(event_id, users[5], "S1", "S8"), hold(event_id, users[6], "S7", "nowhere")
    placed, late = hold(event_id, users[7], "S3", "S4"), book(lost)
    waiting, needless = join(full_event_id, users[8], 2), join(event_id, users[9], 1)
    stranger, nowhere = hold(new_id(), users[10], "S1"), cancel(book(to_book))
    commands: list[Command] = [
        taken,
        waiting,
        booking,
        unknown,
        late,
        cancellation,
        placed,
        release_of,
        stranger,
        needless,
        nowhere,
    ]
    outcomes = await one_batch(stage.pool, *commands)

    assert isinstance(outcomes[0], SeatsTaken)
    assert [(conflict.seat_no, conflict.status) for conflict in outcomes[0].conflicts] == [("S1", "booked")]
    assert isinstance(outcomes[1], WaitlistJoined)
    assert (outcomes[1].entry_id, outcomes[1].position) == (waiting.entry_id, 1)
    assert isinstance(outcomes[2], HoldBooked)
    assert (outcomes[2].booking_id, outcomes[2].seat_nos, outcomes[2].replayed) == (booking.booking_id, ("S1",), False)
    assert outcomes[3] == SeatsNotFound(("nowhere",))
    assert outcomes[4] is BookingRefusal.HOLD_EXPIRED
    assert outcomes[5] == BookingCancelled(cancellation.booking_id)
    # Seats that came free in this batch, by lapse and by cancellation, are there for a hold of the same batch.
    assert isinstance(outcomes[6], HoldPlaced)
    assert (outcomes[6].hold_id, outcomes[6].seat_nos) == (placed.hold_id, ("S3", "S4"))
    assert outcomes[7] == HoldReleased()
    assert outcomes[8] is HoldRefusal.EVENT_NOT_FOUND
    assert outcomes[9] is WaitlistRefusal.SEATS_AVAILABLE
    assert outcomes[10] is BookingRefusal.NOT_FOUND
    await stage.assert_lawful()


async def test_a_batch_is_one_transaction(stage: Stage) -> None:
    events = [await stage.event(10) for _ in range(4)]
    commands = [hold(event_id, new_id(), f"S{n}") for n in range(1, 11) for event_id in events]
    assert all(isinstance(outcome, HoldPlaced) for outcome in await one_batch(stage.pool, *commands))
    instants = await stage.pool.fetch("select distinct created_at from holds")
    assert len(instants) == 1
    assert await stage.count("select count(distinct xmin::text) from seat_changes where to_status = 'held'") == 1
    await stage.assert_lawful()


async def test_the_versions_of_an_event_run_without_gap(stage: Stage) -> None:
    event_id = await stage.event(40)
    async with stage.writer(lanes=2) as writer:

        async def come_and_go(number: int) -> None:
            placed = await held(writer, event_id, new_id(), f"S{number}")
            if number % 3 == 0:
                await writer.release_hold(release(placed))
            else:
                booking = book(placed)
                await writer.book_hold(booking)
                if number % 3 == 1:
                    await writer.cancel_booking(cancel(booking))

        await asyncio.gather(*(come_and_go(number) for number in range(1, 41)))
    rows = await stage.pool.fetch("select version from seat_changes where event_id = $1 order by version", event_id)
    # 40 seats came and were held; 13 holds were released; 27 were booked, 14 of them cancelled.
    assert [row["version"] for row in rows] == list(range(1, 40 + 40 + 13 + 27 + 14 + 1))
    assert await stage.count("select version from events where event_id = $1", event_id) == len(rows)
    await stage.assert_lawful()


async def test_refusals_change_nothing(stage: Stage) -> None:
    event_id = await stage.event(3)
    user = new_id()
    async with stage.writer() as writer:
        placed = await held(writer, event_id, user, "S1")
    before = await stage.pool.fetch("select * from events")
    again = book(placed)
    outcomes = await one_batch(
        stage.pool,
        hold(event_id, new_id(), "S1", "S2"),
        hold(event_id, new_id(), "S3", "elsewhere"),
        book(hold(event_id, new_id(), "S2")),
        release(hold(event_id, new_id(), "S3")),
        join(event_id, new_id(), 2),
        cancel(again),
    )
    assert not any(isinstance(outcome, HoldPlaced | HoldBooked | WaitlistJoined) for outcome in outcomes)
    assert await stage.pool.fetch("select * from events") == before
    assert await stage.count("select count(*) from holds") == 1


async def test_a_defect_that_one_command_meets_fails_that_command_only(stage: Stage) -> None:
    event_id = await stage.event(6)
    await stage.pool.execute(FAULT.format(seat_no="S4", times=1000, sqlstate="XX000"))
    users = [new_id() for _ in range(6)]
    outcomes = await one_batch(stage.pool, *(hold(event_id, user, f"S{n}") for n, user in enumerate(users, start=1)))
    assert [type(outcome) for outcome in outcomes] == [HoldPlaced] * 3 + [asyncpg.InternalServerError] + [
        HoldPlaced
    ] * 2
    assert await stage.statuses(event_id) == {f"S{n}": "available" if n == 4 else "held" for n in range(1, 7)}
    await stage.assert_lawful()


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
async def test_a_transaction_that_lost_against_another_is_tried_again(stage: Stage, sqlstate: str) -> None:
    event_id = await stage.event(2)
    await stage.pool.execute(FAULT.format(seat_no="S1", times=limits.RETRIES_MAX, sqlstate=sqlstate))
    outcomes = await one_batch(stage.pool, hold(event_id, new_id(), "S1"), hold(event_id, new_id(), "S2"))
    assert [type(outcome) for outcome in outcomes] == [HoldPlaced, HoldPlaced]
    assert await stage.count("select last_value from faults") == limits.RETRIES_MAX + 1
    await stage.assert_lawful()


async def test_it_is_tried_a_bounded_number_of_times(stage: Stage) -> None:
    event_id = await stage.event(2)
    await stage.pool.execute(FAULT.format(seat_no="S1", times=1000, sqlstate="40P01"))
    outcomes = await one_batch(stage.pool, hold(event_id, new_id(), "S1"), hold(event_id, new_id(), "S2"))
    assert [type(outcome) for outcome in outcomes] == [LaneBusy, LaneBusy]
    assert await stage.count("select last_value from faults") == limits.RETRIES_MAX + 1
    assert set((await stage.statuses(event_id)).values()) == {"available"}


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
async def test_a_lane_that_waits_too_long_is_busy_and_has_changed_nothing(
    stage: Stage, hasty: Pool, connection: "asyncpg.Connection[asyncpg.Record]", setting: str
) -> None:
    event_id, other_event_id = await stage.event(2), await stage.event(2)
    await hasty.execute(f"set lock_timeout = 0; set {setting} = '100ms'")
    async with connection.transaction():
        await connection.execute("select lock_events(array[$1::uuid])", event_id)
        outcomes = await one_batch(hasty, hold(event_id, new_id(), "S1"), hold(event_id, new_id(), "S2"))
        assert [type(outcome) for outcome in outcomes] == [LaneBusy, LaneBusy]
        # An event that nobody locks is served by the same connection meanwhile.
        assert isinstance((await one_batch(hasty, hold(other_event_id, new_id(), "S1")))[0], HoldPlaced)
    assert isinstance((await one_batch(hasty, hold(event_id, new_id(), "S1")))[0], HoldPlaced)
    await stage.assert_lawful()


async def test_a_locked_seat_holds_nobody_for_longer_than_the_lock_timeout(
    stage: Stage, hasty: Pool, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    event_id = await stage.event(2)
    async with connection.transaction():
        await connection.execute("select 1 from seats where event_id = $1 and seat_no = 'S1' for update", event_id)
        outcomes = await one_batch(hasty, hold(event_id, new_id(), "S1"))
        assert type(outcomes[0]) is LaneBusy
        assert isinstance((await one_batch(hasty, hold(event_id, new_id(), "S2")))[0], HoldPlaced)
    await stage.assert_lawful()


async def test_the_share_counts_what_the_batch_itself_gives(stage: Stage) -> None:
    """A promotion in a batch and a hold of the same user in the same batch together stay within the share."""
    event_id = await stage.event(12)
    owner, waiter = new_id(), new_id()
    async with stage.writer(user_seats_max=2) as writer:
        bookings = [await booked(writer, event_id, new_id(), f"S{n}", f"S{n + 1}") for n in range(1, 11, 2)]
        await booked(writer, event_id, owner, "S11", "S12")
        assert isinstance(await writer.join_waitlist(join(event_id, waiter, 2)), WaitlistJoined)
    outcomes = await one_batch(
        stage.pool, cancel(bookings[0]), cancel(bookings[1]), hold(event_id, waiter, "S3"), user_seats_max=2
    )
    assert outcomes[2] is HoldRefusal.HOLD_LIMIT
    await stage.assert_lawful(user_seats_max=2)


async def test_a_cap_is_shared_out_in_the_order_of_arrival(stage: Stage) -> None:
    event_id = await stage.event(10, capacity=4)
    wishes = [("S1", "S2"), ("S3", "S4", "S5"), ("S6",), ("S7", "S8"), ("S9",)]
    outcomes = await one_batch(stage.pool, *(hold(event_id, new_id(), *seats) for seats in wishes))
    refused = HoldRefusal.CAPACITY_EXCEEDED
    assert [outcome if outcome is refused else type(outcome) for outcome in outcomes] == [
        HoldPlaced,
        refused,
        HoldPlaced,
        refused,
        HoldPlaced,
    ]
    await stage.assert_lawful()


async def test_keys_of_holds_in_one_batch(stage: Stage) -> None:
    event_id = await stage.event(9)
    users = [new_id() for _ in range(4)]
    async with stage.writer() as writer:
        first = [hold(event_id, user, f"S{n}", key="k") for n, user in enumerate(users, start=1)]
        placed = [await writer.place_hold(command) for command in first]
        booking = await writer.book_hold(book(first[1]))
        await writer.release_hold(release(first[2]))
    assert isinstance(booking, HoldBooked)
    outcomes = await one_batch(
        stage.pool,
        hold(event_id, users[0], "S1", key="k"),
        hold(event_id, users[1], "S2", key="k"),
        hold(event_id, users[2], "S3", key="k"),
        hold(event_id, users[3], "S9", key="k"),
    )
    assert isinstance(placed[0], HoldPlaced)
    assert outcomes[0] == HoldPlaced(first[0].hold_id, placed[0].expires_at, ("S1",), replayed=True)
    assert outcomes[1] == HoldAlreadyBooked(booking.booking_id)
    assert outcomes[2] is HoldRefusal.EXPIRED
    assert outcomes[3] is HoldRefusal.KEY_REUSED
    assert await stage.count("select count(*) from holds") == 4


async def test_keys_of_bookings(stage: Stage) -> None:
    event_id, other_event_id = await stage.event(4), await stage.event(1)
    ada, bob = new_id(), new_id()
    async with stage.writer() as writer:
        one, two = await held(writer, event_id, ada, "S1"), await held(writer, event_id, ada, "S2")
        first = book(one, "k")
        made = await writer.book_hold(first)
        assert isinstance(made, HoldBooked)
        replayed = await writer.book_hold(book(one, "k"))
        assert replayed == HoldBooked(made.booking_id, ("S1",), made.created_at, replayed=True)
        assert await writer.book_hold(book(two, "k")) is BookingRefusal.KEY_REUSED
        assert await writer.book_hold(book(one, "other")) == HoldAlreadyBooked(made.booking_id)
        elsewhere = book(two)
        mismatched = type(elsewhere)(other_event_id, two.hold_id, ada, new_id(), "k2")
        assert await writer.book_hold(mismatched) is BookingRefusal.HOLD_EVENT_MISMATCH
        foreign = type(elsewhere)(event_id, two.hold_id, bob, new_id(), "k")
        assert await writer.book_hold(foreign) is BookingRefusal.HOLD_NOT_FOUND
        # The key is a user's own: another user's same key is another key.
        bobs = await held(writer, event_id, bob, "S3")
        assert isinstance(await writer.book_hold(book(bobs, "k")), HoldBooked)
        # Even a cancelled booking answers to its key, and only to its key.
        assert await writer.cancel_booking(cancel(first)) == BookingCancelled(first.booking_id)
        assert await writer.book_hold(book(one, "k")) == replayed
        assert await writer.cancel_booking(cancel(first)) == BookingCancelled(first.booking_id)
    await stage.assert_lawful()


async def test_an_event_has_one_lane(stage: Stage) -> None:
    """Which lane an event is in follows from its id alone, so that its commands meet instead of waiting for locks."""
    async with stage.writer(lanes=3) as writer:
        for number in range(9):
            command = hold(UUID(int=number), new_id(), "S1")
            lane = writer._lanes[number % 3].batcher
            task = asyncio.create_task(writer.place_hold(command))
            await asyncio.sleep(0)
            assert lane.depth == 1
            assert writer.depth == 1
            assert await task is HoldRefusal.EVENT_NOT_FOUND
