"""Mails are claimed by one worker at a time, quickly, and what is another's is left alone."""

from __future__ import annotations

import asyncio

import pytest

from overbookr.database.pool import Pool
from overbookr.database.sql import load_queries
from overbookr.mail.store import MailStore

from .world import World

pytestmark = pytest.mark.anyio


async def test_concurrent_claims_share_nothing(world: World, pool: Pool) -> None:
    bookings = await world.bookings(12)
    store = MailStore(pool)
    claims = await asyncio.gather(*(store.claim_next(60.0) for _ in range(20)))
    claimed = [mail.booking_id for mail in claims if mail is not None]
    assert len(claimed) == len(set(claimed))
    while mail := await store.claim_next(60.0):
        claimed.append(mail.booking_id)
    assert sorted(claimed) == sorted(bookings)


async def test_a_claim_waits_for_nobody(world: World, pool: Pool) -> None:
    first, second = await world.bookings(2)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select 1 from mails where booking_id = $1 for update", first)
        async with asyncio.timeout(10):
            claimed = await MailStore(pool).claim_next(60.0)
    assert claimed is not None
    assert claimed.booking_id == second


async def test_claiming_does_not_slow_down_with_what_was_sent(world: World, pool: Pool) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(
                "insert into mails (booking_id, event_id, kind, next_attempt_at, created_at, sent_at)"
                " select gen_random_uuid(), $1, 'booking_confirmed', t, t, case when n > 300 then t end"
                " from generate_series(1, 20000) n, clock_timestamp() t",
                world.event_id,
            )
            for statement in ("analyze mails", "set local plan_cache_mode = force_generic_plan"):
                await connection.execute(statement)
            claim = load_queries("overbookr.mail").claim_next_mail
            await connection.execute(f"prepare claim (float8) as {claim}")
            plan = "\n".join(row[0] for row in await connection.fetch("explain (costs off) execute claim (60)"))
            await connection.execute("deallocate claim")
        finally:
            await transaction.rollback()
    assert "Index Scan using mails_due" in plan, plan
    assert "Index Cond: (next_attempt_at <= statement_timestamp())" in plan, plan
    assert "Seq Scan on mails" not in plan, plan


async def test_what_another_worker_has_claimed_since_is_not_touched(world: World, pool: Pool) -> None:
    (booking_id,) = await world.bookings(1)
    store = MailStore(pool)
    mine = await store.claim_next(60.0)
    await world.make_all_due()
    theirs = await store.claim_next(60.0)
    assert mine is not None
    assert theirs is not None
    before = await world.row(booking_id)
    await store.defer(mine, 5.0, "late")
    await store.fail(mine, "late")
    after = await world.row(booking_id)
    assert after["next_attempt_at"] == before["next_attempt_at"]
    assert (after["attempts"], after["failed_at"], after["last_error"]) == (2, None, None)
    await store.fail(theirs, "gave up")
    await store.mark_sent(mine)
    row = await world.row(booking_id)
    assert (row["sent_at"] is not None, row["failed_at"], row["last_error"]) == (True, None, None)
