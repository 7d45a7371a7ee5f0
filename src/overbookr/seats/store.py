"""Runs the seats' SQL."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from overbookr import limits
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.ids import new_id
from overbookr.seats.model import PlanReplaced, Seat, SeatRefusal, SeatsRefused
from overbookr.seats.natural_order import natural_key
from overbookr.seats.plan import SeatingPlan, chart_document

_QUERIES = load_queries("overbookr.seats")


class SeatStore:
    """Changes seats, which locks the event."""

    def __init__(self, writes: Pool, *, user_seats_max: int) -> None:
        self._writes = writes
        self._user_seats_max = user_seats_max

    async def add(self, event_id: UUID, labels: Sequence[str]) -> list[Seat] | SeatsRefused:
        """The seats that came into being; labels that exist are skipped."""
        ids = [new_id() for _ in labels]
        sort_keys = [natural_key(label) for label in labels]
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            known = await connection.fetchval(
                _QUERIES.add_seats, event_id, ids, list(labels), sort_keys, self._user_seats_max
            )
            if not known:
                return SeatsRefused(SeatRefusal.EVENT_NOT_FOUND)
            rows = await connection.fetch(_QUERIES.list_created_seats, event_id, ids)
        return [Seat(*row) for row in rows]

    async def block(
        self, event_id: UUID, labels: Sequence[str], *, block: bool, reason: str | None
    ) -> list[str] | SeatsRefused:
        """The seats, now all blocked or all on sale."""
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(
                _QUERIES.block_seats, event_id, list(labels), block, reason, self._user_seats_max
            )
        assert row is not None
        if row["outcome"] == "seats_changed":
            return list(row["seat_nos"])
        return _refused(row)

    async def replace_plan(self, event_id: UUID, plan: SeatingPlan) -> PlanReplaced | SeatsRefused:
        seats = plan.seats
        async with acquire(self._writes, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(
                _QUERIES.replace_plan,
                event_id,
                chart_document(plan).decode(),
                [new_id() for _ in seats],
                [seat.seat_no for seat in seats],
                [seat.sort_key for seat in seats],
                [seat.ordinal for seat in seats],
                [seat.section for seat in seats],
                [seat.row for seat in seats],
                [seat.category for seat in seats],
                [seat.seat_guid for seat in seats],
                self._user_seats_max,
                timeout=limits.PLAN_SECONDS_MAX,
            )
        assert row is not None
        if row["outcome"] == "plan_replaced":
            return PlanReplaced(row["chart_version"], row["seats"])
        return _refused(row)


def _refused(row: Any) -> SeatsRefused:
    statuses = row.get("statuses") or ()
    return SeatsRefused(SeatRefusal(row["outcome"]), tuple(row["seat_nos"] or ()), tuple(statuses))
