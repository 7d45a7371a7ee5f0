"""Houses that have grown in one dimension at a time, and in no other."""

from itertools import pairwise
from pathlib import Path
from typing import Final
from uuid import UUID

from bench import layouts
from bench.sizes import Point
from bench.stage import QUERIES, Builder, Stage
from overbookr.database.sql import parse_queries
from overbookr.ids import new_id

GROWTH: Final = parse_queries((Path(__file__).parent / "growth.sql").read_text(), "bench/growth.sql")

_QUIET_SEATS: Final = 100
_PAST_EVENTS: Final = 100
_BOOKINGS_PER_CALL: Final = 250_000
# As many as are held while viewers watch, and more.
_WATCHED_SEATS: Final = 200


def build_grown(point: Point) -> Builder:
    """Its first three events: one that is sold out and has a queue, one on sale, one that is watched."""

    async def build(stage: Stage, template: str) -> list[UUID]:
        sizes = point.sizes
        on_sale, _ = await layouts.open_hall(stage, template, sizes["seats"])
        watched, _ = await layouts.open_hall(stage, template, _WATCHED_SEATS)
        sold_out, users = new_id(), [user.user_id for user in stage.users]
        pairs, waiters = sizes["seats"] // 2, sizes["waiters"]
        past = [new_id() for _ in range(_PAST_EVENTS)]
        async with stage.connect(template) as connection:
            # Only one side of each reference is there before the other.
            await connection.execute("set session_replication_role = replica")
            await connection.execute("set synchronous_commit = off")
            await connection.execute(GROWTH.insert_sold_out, sold_out, pairs, waiters)
            await connection.execute(GROWTH.insert_entries, sold_out, pairs, waiters, users)
            for statement in ("insert_bookings", "insert_booking_seats", "insert_seats", "insert_changes"):
                await connection.execute(GROWTH[statement], sold_out)
            await connection.execute(GROWTH.insert_quiet_events, sizes["events"], _QUIET_SEATS)
            await connection.execute(QUERIES.insert_past_events, past)
            bookings = sizes["bookings"]
            starts = [*range(0, bookings, _BOOKINGS_PER_CALL), bookings]
            for before, last in pairwise(starts):
                await connection.execute(QUERIES.insert_past_bookings, past, users, bookings, before + 1, last)
            for statement in ("insert_past_holds", "insert_past_booking_seats", "insert_past_mails"):
                await connection.execute(GROWTH[statement], past)
        return [sold_out, on_sale, watched]

    return build
