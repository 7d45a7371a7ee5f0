"""Numbering the seats of a large house reads each of them a few times, not all of them for each."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from overbookr.database.pool import Pool
from overbookr.ids import new_id
from overbookr.seats.natural_order import natural_key
from tests.house.stage import SHARE, Stage

if TYPE_CHECKING:
    import asyncpg

pytestmark = pytest.mark.anyio

SEATS, SEATS_AT_ONCE, SMALL_HOUSES = 4_000, 1_000, 40
EXPLAIN = """
load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_analyze = on;
set auto_explain.log_timing = off;
set auto_explain.log_nested_statements = on;
set auto_explain.log_format = json;
set client_min_messages = log
"""


def rows_of(plan: dict[str, Any]) -> int:
    """Rows that the nodes of a plan looked at, those that they threw away among them."""
    looked_at = plan["Actual Rows"] + sum(count for name, count in plan.items() if name.startswith("Rows Removed"))
    return int(looked_at * plan["Actual Loops"]) + sum(map(rows_of, plan.get("Plans", ())))


async def rows_to_number(stage: Stage, pool: Pool) -> int:
    """The most that was read to number the seats of a house to which they are added by and by."""
    # Statistics of a town of small houses have the planner expect another one.
    for _ in range(SMALL_HOUSES):
        await stage.event(5)
    await pool.execute("analyze seats")
    event_id = await stage.event()
    told: list[str] = []
    async with pool.acquire() as connection:
        connection.add_log_listener(lambda _, message: told.append(message.message or ""))
        await connection.execute(EXPLAIN)
        for first in range(0, SEATS, SEATS_AT_ONCE):
            labels = [f"S{number}" for number in range(first, first + SEATS_AT_ONCE)]
            await connection.execute(
                "select add_seats_v1($1, $2, $3, $4, $5)",
                event_id, [new_id() for _ in labels], labels, [natural_key(label) for label in labels], SHARE,
            )  # fmt: skip
        await connection.reset()
    explained = [json.loads(message.partition("plan:")[2]) for message in told if "plan:" in message]
    plans = [entry["Plan"] for entry in explained if "update seats" in entry["Query Text"]]
    assert len(plans) == SEATS / SEATS_AT_ONCE, told
    return max(map(rows_of, plans))


async def test_seats_are_numbered_by_reading_each_a_few_times(stage: Stage, pool: Pool) -> None:
    assert SEATS < await rows_to_number(stage, pool) < 20 * SEATS


async def test_reading_the_house_for_each_of_its_seats_is_seen(
    stage: Stage, pool: Pool, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await connection.execute("alter function number_loose_seats(uuid) reset all")
    assert await rows_to_number(stage, pool) > SEATS * SEATS / 4
