"""Runs the seats' SQL."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec

from overbookr import limits
from overbookr.database.pool import Connection, Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.ids import new_id
from overbookr.seats.model import (
    Availability,
    PlanReplaced,
    Seat,
    SeatMap,
    SeatMapState,
    SeatRefusal,
    SeatsRefused,
)
from overbookr.seats.natural_order import natural_key
from overbookr.seats.plan import SeatingPlan, chart_document

_QUERIES = load_queries("overbookr.seats")
_encode = msgspec.json.Encoder().encode


class SeatStore:
    """Reads through `reads`; changes, which lock the event, through `writes`."""

    def __init__(self, reads: Pool, writes: Pool, *, user_seats_max: int) -> None:
        self._reads = reads
        self._writes = writes
        self._user_seats_max = user_seats_max

    async def map_states(self, event_ids: Iterable[UUID]) -> dict[UUID, SeatMapState]:
        """What the maps of these events depend on at this moment; events that are not there are left out."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(_QUERIES.map_states, list(event_ids))
        return {event_id: SeatMapState(*state) for event_id, *state in rows}

    async def seat_list(self, event_id: UUID) -> SeatMap | None:
        """Every seat in natural order, as JSON; None when there is no such event."""
        async with self._one_version(event_id) as (connection, state):
            if state is None:
                return None
            rows = await connection.fetch(_QUERIES.list_seats, event_id, state.kept)
        return SeatMap(state, _encode([Seat(*row) for row in rows]))

    async def availability(self, event_id: UUID) -> SeatMap | None:
        """The sparse availability document, as JSON; None when there is no such event."""
        async with self._one_version(event_id) as (connection, state):
            if state is None:
                return None
            rows = await connection.fetch(_QUERIES.list_taken_seats, event_id, state.kept)
        taken: dict[str, list[str]] = {"held": [], "booked": [], "blocked": []}
        for seat_no, status in rows:
            taken[status].append(seat_no)
        available = state.seats_count - len(taken["held"]) - len(taken["booked"])
        document = Availability(event_id, state.version, state.chart_version, available, **taken)
        return SeatMap(state, _encode(document))

    @asynccontextmanager
    async def _one_version(self, event_id: UUID) -> AsyncIterator[tuple[Connection, SeatMapState | None]]:
        """One snapshot and one instant, so that a map is all of the version that it says it is of."""
        async with (
            acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(_QUERIES.map_states, [event_id])
            yield connection, None if row is None else SeatMapState(*tuple(row)[1:])

    async def chart(self, event_id: UUID, *, organiser: bool) -> tuple[int, str | None] | None:
        """Version and JSON of the chart; no document when the event has no plan; None when there is no event."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(_QUERIES.find_chart, event_id, organiser)
        return None if row is None else (row["chart_version"] or 0, row["document"])

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
