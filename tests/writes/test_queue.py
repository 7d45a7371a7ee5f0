"""The queue: whom it serves, in what order, with which seats."""

import asyncio

import pytest

from overbookr.database.pool import open_pool
from overbookr.holds.model import HoldPlaced, SeatsTaken
from overbookr.ids import new_id
from overbookr.waitlist.model import WaitlistJoined, WaitlistRefusal
from overbookr.writes.duties import EventSettler
from tests.house.stage import SHARE, Stage, booked, cancel, held, hold, join, release, served

pytestmark = pytest.mark.anyio


async def test_a_long_queue_is_served_when_many_seats_come_at_once(stage: Stage, database: str) -> None:
    """However many are owed seats, no transaction outlasts its timeout: it would be tried again for ever, in vain."""
    seats, waiters = 2_000, 900
    event_id = await stage.event([f"S{n}" for n in range(1, seats + 1)], capacity=1)
    await stage.pool.execute(
        """insert into waitlist_entries (entry_id, event_id, user_id, requested_seats, ticket, created_at, updated_at)
           select gen_random_uuid(), $1, gen_random_uuid(), 2, n, now(), now()
             from generate_series(1, $2::integer) n""",
        event_id,
        waiters,
    )
    await stage.pool.execute(
        "update events set waiting_count = $2, waitlist_tickets = $2::integer, capacity = null where event_id = $1",
        event_id,
        waiters,
    )
    deadline = asyncio.get_running_loop().time() + 40
    patient = await open_pool(database, size=1, application_name="test", write=True)
    await patient.execute("set statement_timeout = '2s'")  # five in the product, which more waiters would outlast
    settler = EventSettler(patient, user_seats_max=SHARE)
    try:
        while await stage.count("select count(*) from bookings") < waiters:
            assert asyncio.get_running_loop().time() < deadline
            await settler.run_once()
    finally:
        await patient.close()
    await stage.assert_lawful(quiescent=True)


async def test_seats_are_chosen_side_by_side(stage: Stage) -> None:
    row = "ABC"
    event_id = await stage.event([f"{letter}{n}" for letter in row for n in range(1, 9)])
    async with stage.writer(user_seats_max=100) as writer:
        # Free are A1 to A3, A5 to A8, B2 and B3, B8, C1; B8 and C1 are no neighbours.
        taken = ["A4", "B1", "B4", "B5", "B6", "B7", *(f"C{n}" for n in range(2, 9))]
        await held(writer, event_id, new_id(), *taken)
    choices = {
        1: ["B8"],  # the smallest gap, and the earlier one of those
        2: ["B2", "B3"],
        3: ["A1", "A2", "A3"],
        4: ["A5", "A6", "A7", "A8"],
        5: ["A5", "A6", "A7", "A8", "A1"],
    }
    for count, seats in choices.items():
        chosen = await stage.pool.fetchval(
            "select choose_seats(f.p_seat_nos, f.p_ordinals, $2) from find_free_seats($1) f", event_id, count
        )
        if count <= 4:
            assert chosen == seats
        else:
            assert len(chosen) == len(set(chosen)) == count
            assert set(chosen) <= {"A1", "A2", "A3", "A5", "A6", "A7", "A8", "B2", "B3", "B8", "C1"}


async def test_first_fit_serves_the_first_who_fits(stage: Stage) -> None:
    event_id = await stage.event(4)
    big, small, smaller = new_id(), new_id(), new_id()
    async with stage.writer() as writer:
        one = await held(writer, event_id, new_id(), "S1")
        two = await held(writer, event_id, new_id(), "S2", "S3", "S4")
        for user, seats, position in ((big, 3, 1), (small, 1, 2), (smaller, 1, 3)):
            joined = await writer.join_waitlist(join(event_id, user, seats))
            assert isinstance(joined, WaitlistJoined)
            assert joined.position == position
        await writer.release_hold(release(one))
        assert await served(stage, event_id) == [small]
        await writer.release_hold(release(two))
        assert await served(stage, event_id) == [small, big]
        assert await writer.join_waitlist(join(event_id, smaller, 1)) is WaitlistRefusal.ALREADY_WAITING
    await stage.assert_lawful(quiescent=True)


async def test_a_cancelled_booking_serves_who_waits_in_the_same_transaction(stage: Stage) -> None:
    event_id = await stage.event(2)
    first, second = new_id(), new_id()
    async with stage.writer() as writer:
        sold = await booked(writer, event_id, new_id(), "S1", "S2")
        for user in (first, second):
            assert isinstance(await writer.join_waitlist(join(event_id, user, 1)), WaitlistJoined)
        await writer.cancel_booking(cancel(sold))
    assert await served(stage, event_id) == [first, second]
    assert await stage.statuses(event_id) == {"S1": "booked", "S2": "booked"}
    transactions = "select count(distinct xmin::text) from seat_changes where booking_id is not null and version > 6"
    assert await stage.count(transactions) == 1
    await stage.assert_lawful(quiescent=True)


async def test_a_strict_queue_gathers_seats_for_its_head(stage: Stage) -> None:
    event_id = await stage.event(3, waitlist_policy="strict")
    head, second, stranger = new_id(), new_id(), new_id()
    async with stage.writer() as writer:
        holds = [await held(writer, event_id, new_id(), f"S{n}") for n in (1, 2, 3)]
        await writer.join_waitlist(join(event_id, head, 2))
        await writer.join_waitlist(join(event_id, second, 1))
        await writer.release_hold(release(holds[0]))
        assert await served(stage, event_id) == [], "S1 is kept for the head, whom it is not enough for"
        kept = await writer.place_hold(hold(event_id, stranger, "S1"))
        assert isinstance(kept, SeatsTaken)
        assert [(conflict.seat_no, conflict.status) for conflict in kept.conflicts] == [("S1", "held")]
        queued = await writer.join_waitlist(join(event_id, stranger, 1))
        assert isinstance(queued, WaitlistJoined)
        assert queued.position == 3
        await writer.release_hold(release(holds[1]))
        assert await served(stage, event_id) == [head]
        await writer.release_hold(release(holds[2]))
        assert await served(stage, event_id) == [head, second]
    await stage.assert_lawful(quiescent=True)


async def test_a_strict_queue_passes_over_who_can_never_be_served(stage: Stage) -> None:
    """Who asks for more than the event can have keeps the place in the queue, but keeps no seats from others."""
    event_id = await stage.event(2, waitlist_policy="strict")
    giant, second, stranger = new_id(), new_id(), new_id()
    async with stage.writer() as writer:
        joined = await writer.join_waitlist(join(event_id, giant, 3))
        assert isinstance(joined, WaitlistJoined)
        first = hold(event_id, stranger, "S1")
        assert isinstance(await writer.place_hold(first), HoldPlaced)
        both = await held(writer, event_id, new_id(), "S2")
        await writer.join_waitlist(join(event_id, second, 1))
        await writer.release_hold(release(both))
        assert await served(stage, event_id) == [second]
    await stage.add_seats(event_id, "S3", "S4")
    async with stage.writer() as writer:
        await writer.release_hold(release(first))
        assert await served(stage, event_id) == [second, giant]
    await stage.assert_lawful(quiescent=True)


async def test_who_has_used_up_the_share_is_passed_over_and_served_later(stage: Stage) -> None:
    event_id = await stage.event(4)
    full, second = new_id(), new_id()
    async with stage.writer(user_seats_max=2) as writer:
        a, b = [await held(writer, event_id, new_id(), f"S{n}") for n in (1, 2)]
        others = [await booked(writer, event_id, new_id(), f"S{n}") for n in (3, 4)]
        await writer.join_waitlist(join(event_id, full, 2))
        await writer.join_waitlist(join(event_id, second, 1))
        await writer.release_hold(release(a))
        assert await served(stage, event_id) == [second]
        await writer.release_hold(release(b))
        assert await served(stage, event_id) == [second]
        # The waiter takes the seat that is free meanwhile; the share is now too small for the two asked for.
        own = await held(writer, event_id, full, "S2")
        await writer.release_hold(release(own))
        assert await served(stage, event_id) == [second]
        assert len(others) == 2
    await stage.assert_lawful(user_seats_max=2)


async def test_nobody_is_served_beyond_the_share(stage: Stage) -> None:
    event_id = await stage.event(4)
    shopper, second = new_id(), new_id()
    async with stage.writer(user_seats_max=2) as writer:
        holds = [await held(writer, event_id, new_id(), f"S{n}") for n in (1, 2, 3, 4)]
        assert isinstance(await writer.join_waitlist(join(event_id, shopper, 2)), WaitlistJoined)
        await writer.release_hold(release(holds[0]))
        await booked(writer, event_id, shopper, "S1")
        assert isinstance(await writer.join_waitlist(join(event_id, second, 1)), WaitlistJoined)
        for command in holds[1:]:
            await writer.release_hold(release(command))
    # Two seats are free, which is what the shopper waits for, but with the one that was bought it would be three.
    assert await served(stage, event_id) == [second]
    assert await stage.statuses(event_id) == {"S1": "booked", "S2": "booked", "S3": "available", "S4": "available"}
    await stage.assert_lawful(user_seats_max=2, quiescent=True)


async def test_a_strict_queue_passes_over_whose_share_is_too_small(stage: Stage) -> None:
    """The share was lowered since the head joined: it keeps its place, and no seats from those behind."""
    event_id = await stage.event(2, waitlist_policy="strict")
    head, second = new_id(), new_id()
    async with stage.writer(user_seats_max=2) as writer:
        first, _ = [await held(writer, event_id, new_id(), f"S{n}") for n in (1, 2)]
        assert isinstance(await writer.join_waitlist(join(event_id, head, 2)), WaitlistJoined)
    async with stage.writer(user_seats_max=1) as writer:
        assert isinstance(await writer.join_waitlist(join(event_id, second, 1)), WaitlistJoined)
        await writer.release_hold(release(first))
    assert await served(stage, event_id) == [second]
    await stage.assert_lawful(user_seats_max=1, quiescent=True)
