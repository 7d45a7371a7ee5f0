"""Holds and bookings are asked for by a token, and the transaction that decides looks whether it still counts."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from overbookr.bookings.model import BookHold, BookingRefusal, HoldBooked
from overbookr.holds.model import HoldPlaced, HoldRefusal, PlaceHold
from overbookr.ids import new_id
from tests.house.people import create_users
from tests.house.stage import Stage, booked, held, one_batch

pytestmark = pytest.mark.anyio

LOG_OUT = "update users set token_version = token_version + 1 where user_id = $1"


async def user(stage: Stage, token_version: int = 1) -> UUID:
    (user_id,) = await create_users(stage.pool, 1)
    await stage.pool.execute("update users set token_version = $2 where user_id = $1", user_id, token_version)
    return user_id


def wants(event_id: UUID, user_id: UUID, seat_no: str, token_version: int | None, key: str | None = None) -> PlaceHold:
    return PlaceHold(event_id, new_id(), user_id, (seat_no,), key, token_version)


def books(placed: PlaceHold, token_version: int | None, key: str = "a key") -> BookHold:
    return BookHold(placed.event_id, placed.hold_id, placed.user_id, new_id(), key, token_version)


async def test_only_the_version_that_the_user_has_counts(stage: Stage) -> None:
    event_id = await stage.event(6)
    stranger, ada, ben = new_id(), await user(stage, 3), await user(stage)
    *refused, placed = await one_batch(
        stage.pool,
        wants(event_id, ada, "S1", 2),
        wants(event_id, await user(stage, 3), "S2", 4),
        wants(event_id, stranger, "S3", 1),
        wants(event_id, ben, "S4", 1),
    )
    assert refused == [HoldRefusal.UNAUTHORIZED] * 3
    assert isinstance(placed, HoldPlaced)
    assert await stage.statuses(event_id) == {f"S{n}": "held" if n == 4 else "available" for n in range(1, 7)}
    assert isinstance((await one_batch(stage.pool, wants(event_id, ada, "S1", 3)))[0], HoldPlaced)
    # Who names no version vouches for the user.
    assert isinstance((await one_batch(stage.pool, wants(event_id, stranger, "S3", None)))[0], HoldPlaced)
    await stage.assert_lawful()


async def test_a_booking_needs_a_token_that_counts(stage: Stage) -> None:
    event_id, ada, ben = await stage.event(2), await user(stage), await user(stage)
    async with stage.writer() as writer:
        of_ada, of_ben = await held(writer, event_id, ada, "S1"), await held(writer, event_id, ben, "S2")
    await stage.pool.execute(LOG_OUT, ada)
    refused, done = await one_batch(stage.pool, books(of_ada, 1), books(of_ben, 1))
    assert refused == BookingRefusal.UNAUTHORIZED
    assert isinstance(done, HoldBooked)
    assert await stage.statuses(event_id) == {"S1": "held", "S2": "booked"}
    assert isinstance((await one_batch(stage.pool, books(of_ada, 2)))[0], HoldBooked)
    await stage.assert_lawful()


async def test_what_was_done_before_is_not_told_to_a_token_that_is_over(stage: Stage) -> None:
    """A key that was used, a hold that is booked: the answers to these name a booking."""
    event_id, ada = await stage.event(2), await user(stage)
    first = wants(event_id, ada, "S1", 1, "a key")
    assert isinstance((await one_batch(stage.pool, first))[0], HoldPlaced)
    assert isinstance((await one_batch(stage.pool, books(first, 1)))[0], HoldBooked)
    await stage.pool.execute(LOG_OUT, ada)
    again = [wants(event_id, ada, "S1", 1, "a key"), wants(event_id, ada, "S2", 1)]
    assert [(await one_batch(stage.pool, hold))[0] for hold in again] == [HoldRefusal.UNAUTHORIZED] * 2
    for key in ("a key", "another key"):
        assert (await one_batch(stage.pool, books(first, 1, key)))[0] == BookingRefusal.UNAUTHORIZED
    assert (await one_batch(stage.pool, wants(new_id(), ada, "S1", 1)))[0] == HoldRefusal.UNAUTHORIZED
    await stage.assert_lawful()


@pytest.mark.parametrize("what", ["hold", "booking"])
async def test_a_logout_counts_while_a_command_waits_for_its_event(
    stage: Stage, connection: "asyncpg.Connection[asyncpg.Record]", what: str
) -> None:
    event_id, ada = await stage.event(2), await user(stage)
    async with stage.writer() as writer:
        placed = await held(writer, event_id, ada, "S1")
        await booked(writer, event_id, await user(stage), "S2")
    command = wants(event_id, ada, "S2", 1) if what == "hold" else books(placed, 1)
    async with connection.transaction():
        await connection.execute("select lock_events(array[$1::uuid])", event_id)
        asking = asyncio.create_task(one_batch(stage.pool, command))
        await stage.until_it_waits(asking)
        await stage.pool.execute(LOG_OUT, ada)
    assert [str(outcome) for outcome in await asking] == ["unauthorized"]
    assert await stage.statuses(event_id) == {"S1": "held", "S2": "booked"}
