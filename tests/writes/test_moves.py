"""The one place where seats change their state refuses, whole, whatever its callers should never ask of it."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from overbookr.ids import new_id
from tests.house.stage import Stage, booked, held

pytestmark = pytest.mark.anyio

MOVE = "select move_seats($1, $2, $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], clock_timestamp(), $7)"
MISCOUNT = "OB001"


async def assert_refused(stage: Stage, event_id: UUID, move: str, *seats: tuple[str, UUID | None]) -> None:
    """Assert that the move of these seats, each with the hold or booking it is said to have, changes nothing."""

    async def everything() -> list[Any]:
        return [await stage.pool.fetch(f"select * from {table}") for table in ("events", "seats", "seat_changes")]

    before = await everything()
    from_status, to_status = move.split(">")
    owners = [owner for _, owner in seats]
    holds, bookings = (owners if status in move else None for status in ("held", "booked"))
    until = await stage.pool.fetchval("select clock_timestamp() + interval '1 hour'") if to_status == "held" else None
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await stage.pool.execute(
            MOVE, from_status, to_status, [event_id] * len(seats), [label for label, _ in seats], holds, bookings, until
        )
    assert refusal.value.sqlstate == MISCOUNT
    assert await everything() == before


async def test_a_seat_that_is_not_in_the_state_it_is_to_leave_stays(stage: Stage) -> None:
    event_id = await stage.event(3)
    async with stage.writer() as writer:
        placed = await held(writer, event_id, new_id(), "S1")
        sold = await booked(writer, event_id, new_id(), "S2")
    await assert_refused(stage, event_id, "available>held", ("S1", new_id()))
    await assert_refused(stage, event_id, "available>booked", ("S2", new_id()))
    await assert_refused(stage, event_id, "held>available", ("S2", placed.hold_id))
    await assert_refused(stage, event_id, "booked>available", ("S3", sold.booking_id))
    await assert_refused(stage, event_id, "available>blocked", ("S1", None))
    await stage.assert_lawful()


async def test_a_seat_of_another_hold_or_booking_stays(stage: Stage) -> None:
    event_id = await stage.event(2)
    async with stage.writer() as writer:
        placed = await held(writer, event_id, new_id(), "S1")
        await booked(writer, event_id, new_id(), "S2")
    await assert_refused(stage, event_id, "held>available", ("S1", new_id()))
    await assert_refused(stage, event_id, "booked>available", ("S2", new_id()))
    await assert_refused(stage, event_id, "held>available", ("S2", placed.hold_id))
    await stage.assert_lawful()


async def test_one_seat_that_cannot_go_keeps_all_of_them(stage: Stage) -> None:
    event_id, other_event_id = await stage.event(3), await stage.event(1)
    async with stage.writer() as writer:
        await held(writer, event_id, new_id(), "S2")
    wanted = new_id()
    await assert_refused(stage, event_id, "available>held", ("S1", wanted), ("S2", wanted), ("S3", wanted))
    await assert_refused(stage, other_event_id, "available>held", ("S1", wanted), ("S2", wanted))
    await assert_refused(stage, event_id, "available>held", ("S1", wanted), ("S1", wanted))
    await stage.assert_lawful()
