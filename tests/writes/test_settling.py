"""Expiry is a fact: seats whose hold has run out are to be had, and owed to waiters, with every worker stopped."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from overbookr import limits
from overbookr.bookings.model import BookingRefusal
from overbookr.holds.model import HoldPlaced, HoldRefusal, SeatsTaken
from overbookr.ids import new_id
from overbookr.waitlist.model import WaitlistJoined
from overbookr.writes.duties import EventSettler
from overbookr.writes.lane import Command
from tests.house.stage import (
    SHARE,
    Stage,
    book,
    held,
    hold,
    join,
    one_batch,
    release,
    served,
)

pytestmark = pytest.mark.anyio


async def overdue(stage: Stage, event_id: UUID, *, seats: int, first: int = 1) -> list[UUID]:
    """Holds of a seat each whose time passed two minutes ago, the last seat's first."""
    hold_ids = [new_id() for _ in range(first, seats + 1)]
    async with stage.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local enable_hashjoin = on")
        await connection.execute(
            """with placed as (
                 insert into holds (hold_id, event_id, user_id, seat_nos, created_at, expires_at)
                 select h.id, $1, gen_random_uuid(), array['S' || (h.n + $3 - 1)],
                        clock_timestamp() - interval '1 hour',
                        clock_timestamp() - interval '2 minutes' - h.n * interval '1 ms'
                   from unnest($2::uuid[]) with ordinality h (id, n)
                 returning hold_id, seat_nos, expires_at)
               update seats s set status = 'held', hold_id = p.hold_id, hold_expires_at = p.expires_at
                 from placed p where s.event_id = $1 and s.seat_no = p.seat_nos[1]""",
            event_id,
            hold_ids,
            first,
        )
        await connection.execute(
            "select record_seat_changes('available', 'held', array_fill($1::uuid, array[cardinality($2::uuid[])]),"
            " (select array_agg('S' || (n + $3 - 1) order by n) from generate_series(1, cardinality($2)) n), $2, null,"
            " clock_timestamp() - interval '1 hour')",
            event_id,
            hold_ids,
            first,
        )
    return hold_ids


async def test_a_lapsed_seat_is_sold_with_every_worker_stopped(stage: Stage) -> None:
    event_id = await stage.event(2)
    ada, bob = new_id(), new_id()
    async with stage.writer() as writer:
        lapsed = await held(writer, event_id, ada, "S1", "S2")
        assert isinstance(await writer.place_hold(hold(event_id, bob, "S2")), SeatsTaken)
        await stage.lapse(lapsed.hold_id)
        assert isinstance(await writer.place_hold(hold(event_id, bob, "S2")), HoldPlaced)
        assert await writer.book_hold(book(lapsed)) is BookingRefusal.HOLD_EXPIRED
        assert await writer.release_hold(release(lapsed)) is HoldRefusal.OVER
    assert await stage.statuses(event_id) == {"S1": "available", "S2": "held"}
    assert await stage.pool.fetchval("select status from holds where hold_id = $1", lapsed.hold_id) == "expired"
    await stage.assert_lawful()


async def test_a_hold_is_over_at_its_instant_and_not_before(stage: Stage) -> None:
    """The time to live is a fifth of a second here, and the database's clock says when it is over."""
    event_id = await stage.event(1)
    async with stage.writer(time_to_live=timedelta(milliseconds=200)) as writer:
        first = hold(event_id, new_id(), "S1")
        placed = await writer.place_hold(first)
        assert isinstance(placed, HoldPlaced)
        while True:
            before = await stage.pool.fetchval("select clock_timestamp()")
            outcome = await writer.place_hold(hold(event_id, new_id(), "S1"))
            after = await stage.pool.fetchval("select clock_timestamp()")
            if isinstance(outcome, HoldPlaced):
                assert after > placed.expires_at
                break
            assert before < placed.expires_at
    ended = await stage.pool.fetchval("select ended_at from holds where hold_id = $1", first.hold_id)
    assert ended >= placed.expires_at
    await stage.assert_lawful()


async def test_the_clock_is_read_after_the_lock(stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Who waits for the lock until a hold is over finds it over: to book it is too late, to have its seat it is not."""
    event_id = await stage.event(2)
    async with stage.writer(time_to_live=timedelta(seconds=1)) as writer:
        mine, other = await held(writer, event_id, new_id(), "S1"), await held(writer, event_id, new_id(), "S2")
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("select lock_events(array[$1::uuid])", event_id)
        active = "select exists (select 1 from holds where expires_at > clock_timestamp())"
        assert await stage.pool.fetchval(active), "this machine was too slow to ask in time"
        asking = [
            asyncio.create_task(one_batch(stage.pool, command))
            for command in (book(mine), hold(event_id, new_id(), "S2"), release(other))
        ]
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        while await stage.pool.fetchval(active) or await stage.count(waiting) < 3:
            assert not any(task.done() for task in asking)
        await transaction.rollback()
        outcomes = [(await task)[0] for task in asking]
    assert outcomes[0] is BookingRefusal.HOLD_EXPIRED
    assert isinstance(outcomes[1], HoldPlaced)
    assert outcomes[2] is HoldRefusal.OVER
    await stage.assert_lawful()


async def test_a_waiter_has_what_lapsed_before_whoever_asks(stage: Stage) -> None:
    event_id = await stage.event(2)
    waiter = new_id()
    async with stage.writer() as writer:
        lapsed = await held(writer, event_id, new_id(), "S1", "S2")
        assert isinstance(await writer.join_waitlist(join(event_id, waiter, 1)), WaitlistJoined)
        await stage.lapse(lapsed.hold_id)
        outcome = await writer.place_hold(hold(event_id, new_id(), "S1"))
    assert isinstance(outcome, SeatsTaken)
    assert [(conflict.seat_no, conflict.status) for conflict in outcome.conflicts] == [("S1", "booked")]
    assert await stage.count("select count(*) from bookings where user_id = $1", waiter) == 1
    assert await stage.statuses(event_id) == {"S1": "booked", "S2": "available"}
    await stage.assert_lawful(quiescent=True)


async def test_two_thousand_overdue_holds_are_settled_at_once(stage: Stage) -> None:
    event_id = await stage.event([f"S{n}" for n in range(1, 2001)])
    hold_ids = await overdue(stage, event_id, seats=2000)
    # One buyer is enough, well within the five seconds that a statement may take.
    async with stage.writer() as writer:
        outcome = await asyncio.wait_for(writer.place_hold(hold(event_id, new_id(), "S1", "S2000")), 4)
        assert isinstance(outcome, HoldPlaced)
    assert (
        await stage.count("select count(*) from holds where hold_id = any ($1) and status = 'expired'", hold_ids)
        == 2000
    )
    await stage.assert_lawful(quiescent=True)


async def test_the_worker_settles_whatever_many_events_have(stage: Stage) -> None:
    count = limits.SETTLE_EVENTS_PER_ROUND_MAX * 2 + 5
    async with stage.writer(lanes=4) as writer:
        events = [await stage.event(1) for _ in range(count)]
        placed = await asyncio.gather(*(held(writer, event_id, new_id(), "S1") for event_id in events))
    await stage.pool.execute(
        """update holds set created_at = created_at - interval '1 day',
                            expires_at = clock_timestamp() - interval '1 minute'"""
    )
    await stage.pool.execute(
        "update seats s set hold_expires_at = h.expires_at from holds h where h.hold_id = s.hold_id"
    )
    settler = EventSettler(stage.pool, user_seats_max=SHARE)
    assert await settler.run_once() > 0
    assert await settler.run_once() > 0
    assert await settler.run_once() == 0, "five are fewer than a round's worth, so nothing is left"
    rows = await stage.pool.fetch("select hold_id from holds where status = 'expired'")
    assert {row["hold_id"] for row in rows} == {command.hold_id for command in placed}
    await stage.assert_lawful(quiescent=True)


async def test_waiters_whom_nothing_fits_starve_no_other_event(stage: Stage) -> None:
    """Events that stay unsettled, as their free seats are too few for who waits, come back in every round."""
    async with stage.writer() as writer:
        for _ in range(3):
            stuck = await stage.event(2)
            owner = await held(writer, stuck, new_id(), "S1")
            await held(writer, stuck, new_id(), "S2")
            assert isinstance(await writer.join_waitlist(join(stuck, new_id(), 2)), WaitlistJoined)
            await writer.release_hold(release(owner))
        later = await stage.event(1)
        lapsed = await held(writer, later, new_id(), "S1")
    await stage.lapse(lapsed.hold_id)
    for _ in range(6):
        await stage.pool.fetchval("select settle_due_events_v1(2, $1)", SHARE)
    assert await stage.pool.fetchval("select status from holds where hold_id = $1", lapsed.hold_id) == "expired"


async def test_two_workers_at_once_do_everything_once(stage: Stage) -> None:
    events = [await stage.event(4) for _ in range(20)]
    async with stage.writer(lanes=2) as writer:
        placed = [await held(writer, event_id, new_id(), "S1", "S2", "S3", "S4") for event_id in events]
        for event_id in events:
            for _ in range(3):
                assert isinstance(await writer.join_waitlist(join(event_id, new_id(), 2)), WaitlistJoined)
    for command in placed:
        await stage.lapse(command.hold_id)
    settle = "select settle_due_events_v1(7, $1)"
    while any(await asyncio.gather(*(stage.pool.fetchval(settle, SHARE) for _ in range(4)))):
        pass
    assert await stage.count("select count(*) from bookings") == 40
    assert await stage.count("select count(*) from mails where kind = 'waitlist_promoted'") == 40
    await stage.assert_lawful(quiescent=True)


class TestBacklog:
    """Everything was down for long: more holds are overdue at one event than one transaction ends."""

    @pytest.fixture(autouse=True)
    async def _limit(self, stage: Stage) -> None:
        """The product's limit is 5,000; one makes a backlog of two."""
        definition = await stage.pool.fetchval("select pg_get_functiondef('settle_events'::regproc)")
        limited = definition.replace("constant integer := 5000", "constant integer := 1")
        assert limited != definition
        await stage.pool.execute(limited)

    async def test_a_seat_of_the_backlog_can_be_had_at_once(self, stage: Stage) -> None:
        event_id = await stage.event(6)
        await overdue(stage, event_id, seats=6)
        # One of the overdue holds ends in each transaction, and nothing is decided before the last has ended.
        outcomes = await one_batch(stage.pool, hold(event_id, new_id(), "S1"), hold(event_id, new_id(), "S6"))
        assert [type(outcome) for outcome in outcomes] == [HoldPlaced, HoldPlaced]
        assert await stage.count("select count(*) from holds where status = 'active'") == 2
        assert await stage.count("select count(*) from holds where status = 'expired'") == 6
        await stage.assert_lawful(quiescent=True)

    async def test_the_worker_goes_on_until_the_backlog_is_gone(self, stage: Stage) -> None:
        event_id = await stage.event(6)
        await overdue(stage, event_id, seats=6)
        settler = EventSettler(stage.pool, user_seats_max=SHARE)
        assert [await settler.run_once() > 0 for _ in range(5)] == [True] * 5
        await settler.run_once()
        assert set((await stage.statuses(event_id)).values()) == {"available"}

    async def test_a_waiter_has_a_seat_of_the_backlog_before_whoever_asks(self, stage: Stage) -> None:
        event_id = await stage.event(3)
        waiter = new_id()
        async with stage.writer() as writer:
            lapsing = [await held(writer, event_id, new_id(), f"S{n}") for n in (3, 1, 2)]
            assert isinstance(await writer.join_waitlist(join(event_id, waiter, 2)), WaitlistJoined)
        for command in lapsing:
            await stage.lapse(command.hold_id)
        # The round frees S3, which is not enough for the waiter; S1, which the buyer wants, makes it enough.
        outcome = (await one_batch(stage.pool, hold(event_id, new_id(), "S1")))[0]
        assert isinstance(outcome, SeatsTaken), f"a buyer had a seat that was owed to the queue: {outcome}"
        assert await served(stage, event_id) == [waiter]
        await stage.assert_lawful()

    async def test_a_hold_of_the_backlog_is_over_for_its_user(self, stage: Stage) -> None:
        event_id = await stage.event(6)
        users = [new_id() for _ in range(3)]
        async with stage.writer() as writer:
            mine = [await held(writer, event_id, user, f"S{n}") for n, user in enumerate(users[:2], start=1)]
            keyed = hold(event_id, users[2], "S3", key="k")
            assert isinstance(await writer.place_hold(keyed), HoldPlaced)
        for command in (*mine, keyed):
            await stage.lapse(command.hold_id)
        await overdue(stage, event_id, seats=6, first=4)
        commands: list[Command] = [release(mine[0]), book(mine[1]), hold(event_id, users[2], "S3", key="k")]
        outcomes = await one_batch(stage.pool, *commands)
        await stage.assert_lawful()
        assert outcomes == [HoldRefusal.OVER, BookingRefusal.HOLD_EXPIRED, HoldRefusal.EXPIRED]

    async def test_what_lapsed_counts_against_nobody(self, stage: Stage) -> None:
        """A user whose own holds are part of the backlog has the whole share again, and the event its capacity."""
        event_id = await stage.event(8, capacity=4)
        user = new_id()
        async with stage.writer(user_seats_max=2) as writer:
            lapsing = [await held(writer, event_id, user, f"S{n}") for n in (1, 2)]
            lapsing += [await held(writer, event_id, new_id(), f"S{n}") for n in (3, 4)]
        for command in lapsing:
            await stage.lapse(command.hold_id)
        (outcome,) = await one_batch(stage.pool, hold(event_id, user, "S5", "S6"), user_seats_max=2)
        assert isinstance(outcome, HoldPlaced), outcome
        await stage.assert_lawful(user_seats_max=2)
