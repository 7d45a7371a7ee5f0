"""No law cries wolf: whatever the write path does, in whatever order and at whatever instant, nothing is reported."""

import asyncio
import random
from uuid import UUID, uuid4

import pytest

from overbookr.audit.store import AuditStore
from overbookr.database.pool import Pool
from tests.audit import house
from tests.audit.house import SHARE, identifier

pytestmark = pytest.mark.anyio


async def test_whoever_has_used_up_the_share_may_be_passed_over(pool: Pool, store: AuditStore) -> None:
    event_id = uuid4()
    async with pool.acquire() as connection:
        await house.add_event(connection, event_id, 6)
        await house.sell(connection, event_id, "four", "tim", "A1", "A2", "A3", "A4")
        await house.sell(connection, event_id, "two", "ova", "A5", "A6")
        assert await house.join(connection, event_id, "una waits", "una", 4) == "waiting"
        # Two seats come free, too few for una's four, so she may buy them; with four more she would exceed the share.
        assert await house.cancel(connection, event_id, "two") == "booking_cancelled"
        await house.sell(connection, event_id, "hers", "una", "A5", "A6")
        assert await house.join(connection, event_id, "vic waits", "vic", 4) == "waiting"
        assert await house.cancel(connection, event_id, "four") == "booking_cancelled"
    for name, status in (("una waits", "waiting"), ("vic waits", "promoted")):
        entry = await pool.fetchval("select status from waitlist_entries where entry_id = $1", identifier(name))
        assert entry == status
    assert (await store.check(SHARE)).violations == {}
    # Had una had nothing, she would have been wronged.
    await pool.execute("update bookings set user_id = $1 where booking_id = $2", identifier("wes"), identifier("hers"))
    await pool.execute(
        "update holds set user_id = $1 where hold_id = $2", identifier("wes"), identifier("hold of hers")
    )
    report = await store.check(SHARE)
    assert set(report.violations) == {"promotions_in_order"}
    (row,) = report.violations["promotions_in_order"]
    assert (row["passed_entry_id"], row["served_entry_id"]) == (identifier("una waits"), identifier("vic waits"))


async def test_in_a_strict_queue_nobody_but_the_head_is_owed_seats(pool: Pool, store: AuditStore) -> None:
    # One seat is free; ida, who is first, wants two, and kim would take one.
    await pool.execute(
        "update waitlist_entries set requested_seats = 1 where entry_id = $1", identifier("entry of kim")
    )
    await pool.execute("update events set capacity = 5, waitlist_policy = 'strict' where event_id = $1", house.QUEUE)
    assert (await store.check(SHARE, quiescent=True)).violations == {}
    await pool.execute("update events set waitlist_policy = 'first_fit' where event_id = $1", house.QUEUE)
    report = await store.check(SHARE, quiescent=True)
    (row,) = report.violations["quiescent_waiter_left_unserved"]
    assert row["entry_id"] == identifier("entry of kim")


@pytest.mark.parametrize("policy", ["first_fit", "strict"])
async def test_audits_beside_buyers_find_nothing_at_any_instant(pool: Pool, store: AuditStore, policy: str) -> None:
    chance = random.Random(policy)
    event_ids = [uuid4(), uuid4()]
    async with pool.acquire() as connection:
        for event_id in event_ids:
            await house.add_event(connection, event_id, 12, capacity=chance.choice([None, 9]))
            await connection.execute("update events set waitlist_policy = $2 where event_id = $1", event_id, policy)

    async def shop(shopper: str) -> None:
        # A generator of its own, so that what a shopper does next does not depend on who else was quick.
        whim = random.Random(f"{policy} {shopper}")
        mine: list[tuple[UUID, str]] = []
        async with pool.acquire() as connection:
            for turn in range(60):
                event_id, name = whim.choice(event_ids), f"{policy} {shopper} {turn}"
                user = f"user {whim.randint(1, 8)}"
                seats = whim.sample([f"A{number}" for number in range(1, 13)], whim.randint(1, 3))
                match whim.choice(["hold", "hold", "brief", "join", "cancel", "cancel", "release", "block", "leave"]):
                    case "hold":
                        await house.hold(connection, event_id, name, user, *seats)
                        if await house.book(connection, event_id, f"booking {name}", name, user) == "hold_booked":
                            mine.append((event_id, f"booking {name}"))
                    case "brief":
                        await house.hold(connection, event_id, name, user, *seats, seconds=0.02)
                    case "release":
                        await house.hold(connection, event_id, name, user, *seats)
                        await house.release(connection, event_id, name)
                    case "join":
                        await house.join(connection, event_id, name, user, len(seats) + 1)
                    case "cancel" if mine:
                        booked_at, booking = mine.pop(whim.randrange(len(mine)))
                        await house.cancel(connection, booked_at, booking)
                    case "block":
                        await connection.execute(
                            "select block_seats_v1($1, $2, $3, null, $4)", event_id, seats, whim.random() < 0.4, SHARE
                        )
                    case "leave":
                        await connection.execute(
                            "select leave_waitlist_v1($1, $2, $3)", event_id, identifier(user), SHARE
                        )

    # Who is promoted depends on who is quick; days of shopping go on until somebody was, and audits looked on.
    audits = promoted = day = 0
    while (promoted <= 1 or audits <= 2) and day < 20:
        shopping = asyncio.gather(*(shop(f"{day} {number}") for number in range(5)))
        while not shopping.done():
            assert (await store.check(SHARE)).violations == {}
            audits += 1
        await shopping
        promoted = await pool.fetchval("select count(*) from bookings where entry_id is not null")
        day += 1
    assert audits > 2
    assert promoted > 1  # More than the house was built with.
    await pool.execute("select pg_sleep(0.05), settle_due_events_v1(10, $1)", SHARE)
    report = await store.check(SHARE, quiescent=True)
    assert report.violations == {}
    assert (await store.plan_repairs(event_ids)).is_empty
