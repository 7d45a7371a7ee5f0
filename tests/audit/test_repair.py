"""Repairs: from any state to what the facts say, no counter below the truth, under load and twice at once."""

import asyncio
import random
from uuid import uuid4

import asyncpg
import pytest

from overbookr.audit.store import AuditStore
from overbookr.database.pool import Pool
from tests.audit import house
from tests.audit.house import QUEUE, SHARE, SHOW, identifier

pytestmark = pytest.mark.anyio

# A seat of the house in each state that the facts can want, and ways to damage its row.
SEATS = {"held": "A1", "booked": "A3", "available": "A8", "blocked": "A10"}
DAMAGES = {
    "available": "status = 'available', hold_id = null, hold_expires_at = null, booking_id = null",
    "held": f"status = 'held', hold_id = '{identifier('ghost')}', hold_expires_at = now(), booking_id = null",
    "booked": f"status = 'booked', hold_id = null, hold_expires_at = null, booking_id = '{identifier('third')}'",
    "blocked": "status = 'blocked', hold_id = null, hold_expires_at = null, booking_id = null",
}


@pytest.mark.parametrize("state", SEATS)
async def test_a_seat_goes_from_any_state_to_what_the_facts_say(pool: Pool, store: AuditStore, state: str) -> None:
    for damage in DAMAGES:
        await _damage(pool, state, damage)
        done = await store.apply_repairs([SHOW], SHARE)
        assert done.left == []
        await _assert_repaired(pool, state, damage)
        assert (await store.check(SHARE)).violations == {}
        await _block_again(pool, state)


@pytest.mark.parametrize("state", SEATS)
async def test_a_seat_whose_history_went_astray_is_led_back(pool: Pool, store: AuditStore, state: str) -> None:
    """The damage is in the history, too, as if the write path had done it on false facts."""
    await pool.execute("alter table seat_changes drop constraint change_is_legal")
    for damage in DAMAGES:
        await _damage(pool, state, damage)
        await _record(pool, SEATS[state])
        done = await store.apply_repairs([SHOW], SHARE)
        await _assert_repaired(pool, state, damage)
        # A change that contradicts the one before it, or that the house does not allow, stays: nobody rewrites history.
        if state == damage and state in ("held", "booked"):
            assert [step.kind for step in done.left] == ["history_contradicts_itself"]
            return
        assert done.left == []
        assert set((await store.check(SHARE)).violations) <= {"changes_are_legal"}
        await _block_again(pool, state)


async def _damage(pool: Pool, state: str, damage: str) -> None:
    await pool.execute(f"update seats set {DAMAGES[damage]} where event_id = $1 and seat_no = $2", SHOW, SEATS[state])


async def _record(pool: Pool, seat_no: str) -> None:
    """Write the seat's row down as its latest change."""
    await pool.execute(
        """insert into seat_changes (event_id, version, seat_no, from_status, to_status, hold_id, booking_id, at)
           select e.event_id, e.version + 1, s.seat_no, c.to_status, s.status, coalesce(s.hold_id, c.hold_id),
                  coalesce(s.booking_id, c.booking_id), now()
             from events e join seats s using (event_id)
             join lateral (select * from seat_changes k where k.event_id = e.event_id and k.seat_no = s.seat_no
                            order by version desc limit 1) c on true
            where e.event_id = $1 and s.seat_no = $2""",
        SHOW, seat_no,
    )  # fmt: skip
    await pool.execute("update events set version = version + 1 where event_id = $1", SHOW)


async def _assert_repaired(pool: Pool, state: str, damage: str) -> None:
    seat = await pool.fetchrow("select * from seats where event_id = $1 and seat_no = $2", SHOW, SEATS[state])
    assert seat is not None
    # Whether a seat that nobody has is blocked is known from its row alone.
    unclaimed = "blocked" if damage == "blocked" else "available"
    assert seat["status"] == (state if state in ("held", "booked") else unclaimed)
    assert seat["hold_id"] == (identifier("kept") if state == "held" else None)
    assert seat["booking_id"] == (identifier("first") if state == "booked" else None)
    counts = await pool.fetchrow("select held_count, booked_count from events where event_id = $1", SHOW)
    assert counts is not None
    assert tuple(counts) == (2, 4)


async def _block_again(pool: Pool, state: str) -> None:
    """Put a seat that nobody has back as it was, by the door."""
    if state in ("available", "blocked"):
        await pool.execute(
            "select block_seats_v1($1, array[$2], $3, null, $4)", SHOW, SEATS[state], state == "blocked", SHARE
        )


async def test_a_counter_that_is_set_right_is_not_moved_as_well(pool: Pool, store: AuditStore) -> None:
    """A booked seat that nobody booked and a wrong counter at once: the count of the truth, not one below it."""
    await pool.execute(
        f"update seats set {DAMAGES['booked']} where event_id = $1 and seat_no = any ($2)", SHOW, ["A8", "A9"]
    )
    for drift in (-3, 0, 2):
        await pool.execute("update events set booked_count = 4 + $2 where event_id = $1", SHOW, drift)
        await store.apply_repairs([SHOW], SHARE)
        assert await pool.fetchval("select booked_count from events where event_id = $1", SHOW) == 4
        assert (await store.check(SHARE)).is_clean


async def test_a_hold_that_lost_a_seat_ends_whole_and_frees_the_rest(pool: Pool, store: AuditStore) -> None:
    async with pool.acquire() as connection:
        assert await house.hold(connection, SHOW, "younger", "eve", "A8", "A9") == "hold_placed"
    # The younger hold takes a seat of the older one, and the seat says so.
    await pool.execute("update holds set seat_nos = '{A8,A9,A2}' where hold_id = $1", identifier("younger"))
    await pool.execute(
        "update seats set hold_id = $1, hold_expires_at = (select expires_at from holds where hold_id = $1)"
        " where event_id = $2 and seat_no = 'A2'",
        identifier("younger"), SHOW,
    )  # fmt: skip
    done = await store.apply_repairs([SHOW], SHARE)
    assert [step.parameters["hold_id"] for step in done.steps if step.kind == "end_hold"] == [str(identifier("kept"))]
    assert (await store.check(SHARE)).is_clean
    older = await pool.fetch("select seat_no, status from seats where event_id = $1 and seat_no in ('A1', 'A2')", SHOW)
    assert {row["seat_no"]: row["status"] for row in older} == {"A1": "available", "A2": "held"}
    async with pool.acquire() as connection:
        assert await house.book(connection, SHOW, "late", "younger", "eve") == "hold_booked"
    assert (await store.check(SHARE)).is_clean


async def test_seats_that_a_repair_frees_go_to_waiters_in_the_same_transaction(pool: Pool, store: AuditStore) -> None:
    # A single seat is thought to be taken, by the row and by the counter alike; kim and ida wait for two.
    await pool.execute(
        "update bookings set status = 'cancelled', cancelled_at = now() where booking_id = $1", identifier("pair")
    )
    await store.apply_repairs([QUEUE], SHARE)
    assert (await store.check(SHARE)).is_clean
    status = await pool.fetchval("select status from waitlist_entries where entry_id = $1", identifier("entry of ida"))
    assert status == "promoted"


async def test_a_lost_booking_is_not_sold_again(pool: Pool, store: AuditStore) -> None:
    await pool.execute("delete from mails where booking_id = $1", identifier("first"))
    await pool.execute("delete from booking_seats where booking_id = $1", identifier("first"))
    await pool.execute("delete from bookings where booking_id = $1", identifier("first"))
    before = await house.checksums(pool)
    done = await store.apply_repairs([SHOW], SHARE)
    assert {step.kind for step in done.left} == {"booking_is_lost", "hold_lost_its_booking"}
    assert done.steps == []
    assert await house.checksums(pool) == before


async def test_a_seat_that_is_sold_twice_is_left_to_people(pool: Pool, store: AuditStore) -> None:
    await pool.execute("drop index one_live_booking_per_seat")
    await pool.execute("insert into booking_seats values ($1, $2, 'A3')", SHOW, identifier("second"))
    await pool.execute(
        "update seats set booking_id = $2 where event_id = $1 and seat_no = 'A3'", SHOW, identifier("second")
    )
    before = await house.checksums(pool)
    done = await store.apply_repairs([SHOW], SHARE)
    assert ([step.kind for step in done.left], done.steps) == (["seat_is_sold_twice"], [])
    assert await house.checksums(pool) == before


async def test_nothing_is_repaired_while_more_is_sold_than_the_capacity(pool: Pool, store: AuditStore) -> None:
    await pool.execute("alter table events drop constraint never_taken_beyond_capacity")
    await pool.execute("update events set capacity = 3, booked_count = 1 where event_id = $1", SHOW)
    done = await store.apply_repairs([SHOW], SHARE)
    assert ([step.kind for step in done.left], done.steps) == (["capacity_is_exceeded"], [])
    await pool.execute("update events set capacity = 6 where event_id = $1", SHOW)
    done = await store.apply_repairs([SHOW], SHARE)
    assert ([step.kind for step in done.steps], done.left) == (["set_booked_count"], [])
    assert (await store.check(SHARE)).is_clean


async def test_a_sold_seat_that_is_gone_is_left_to_people(pool: Pool, store: AuditStore) -> None:
    await pool.execute("alter table seats disable trigger all")
    await pool.execute("delete from seats where event_id = $1 and seat_no = 'A3'", SHOW)
    done = await store.apply_repairs([SHOW], SHARE)
    assert [step.kind for step in done.left] == ["sold_seat_is_missing"]
    assert await pool.fetchval("select status from bookings where booking_id = $1", identifier("first")) == "active"


async def test_a_repair_that_the_database_refuses_changes_nothing(pool: Pool, store: AuditStore) -> None:
    await pool.execute("update events set booked_count = booked_count - 1 where event_id = any ($1)", [SHOW, QUEUE])
    await pool.execute(f"alter table events add constraint contrary check (event_id <> '{SHOW}' or booked_count < 4)")
    done = await store.apply_repairs([SHOW, QUEUE], SHARE)
    assert [(step.event_id, step.kind) for step in done.left] == [(SHOW, "repair_was_refused")]
    assert [(step.event_id, step.kind) for step in done.steps] == [(QUEUE, "set_booked_count")]
    assert set((await store.check(SHARE)).violations) == {"booked_count_is_true"}


async def test_an_event_that_is_not_there_is_left_to_people(store: AuditStore) -> None:
    event_id = uuid4()
    assert [step.kind for step in (await store.plan_repairs([event_id])).left] == ["event_is_missing"]
    assert [step.kind for step in (await store.apply_repairs([event_id], SHARE)).left] == ["event_is_missing"]


@pytest.mark.parametrize("seed", range(4))
async def test_random_damage_is_repaired_while_people_buy(pool: Pool, store: AuditStore, seed: int) -> None:
    """Rows of seats and counters damaged at random, then two repairs at once beside buyers; in the end all is true."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 8)):
        damage = chance.choice([damage for name, damage in DAMAGES.items() if name != "blocked"])
        await pool.execute(
            f"update seats set {damage} where event_id = $1 and seat_no = $2", SHOW, f"A{chance.randint(1, 9)}"
        )
    await pool.execute(
        "update events set booked_count = $2, held_count = $3, version = version - $4 where event_id = $1",
        SHOW, chance.randint(0, 4), chance.randint(0, 4), chance.randint(0, 2),
    )  # fmt: skip

    async def buy(buyer: int) -> None:
        async with pool.acquire() as connection:
            for turn in range(4):
                name = f"{seed} {buyer} {turn}"
                try:
                    if (
                        await house.hold(connection, SHOW, name, f"buyer {buyer}", f"A{1 + (buyer + turn) % 9}")
                        == "hold_placed"
                    ):
                        await house.book(connection, SHOW, f"booking {name}", name, f"buyer {buyer}")
                except asyncpg.PostgresError:
                    # A damaged event may refuse; the transaction that tried has changed nothing.
                    continue

    await asyncio.gather(buy(1), buy(2), store.apply_repairs([SHOW], SHARE), store.apply_repairs([SHOW], SHARE), buy(3))
    last = await store.apply_repairs([SHOW], SHARE)
    assert last.left == []
    assert (await store.check(SHARE)).violations == {}


async def test_repairs_wait_for_the_event_and_plan_on_what_was_committed_meanwhile(
    pool: Pool, store: AuditStore
) -> None:
    await pool.execute("update events set booked_count = booked_count - 2 where event_id = $1", SHOW)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await house.hold(connection, SHOW, "meanwhile", "eve", "A8") == "hold_placed"
        assert await house.book(connection, SHOW, "meanwhile", "meanwhile", "eve") == "hold_booked"
        repairing = asyncio.create_task(store.apply_repairs([SHOW], SHARE))
        await _until_somebody_waits(pool)
        await transaction.commit()
    done = await repairing
    assert [step.parameters for step in done.steps] == [{"booked_count": "5"}]
    assert (await store.check(SHARE)).is_clean


async def _until_somebody_waits(pool: Pool) -> None:
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not await pool.fetchval(waiting):
            await asyncio.sleep(0.01)
