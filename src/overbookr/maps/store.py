"""Runs the maps' SQL, which only reads."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from overbookr import limits
from overbookr.database.pool import Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.maps.model import ListedSeat, MapState, PlacedSeat, SeatChange

Row = TypeVar("Row", PlacedSeat, ListedSeat)

_QUERIES = load_queries("overbookr.maps")


class Sight(msgspec.Struct, frozen=True):
    """What was seen of an event at the instant `at`, by the database's clock."""

    state: MapState
    at: datetime


class MapStore:
    def __init__(self, reads: Pool) -> None:
        self._reads = reads

    async def see(self, event_ids: Collection[UUID]) -> dict[UUID, Sight]:
        """What the maps of these events depend on now; events that are not there are left out."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(_QUERIES.map_states, list(event_ids))
        return {event_id: Sight(MapState(*state), at) for event_id, *state, at in rows}

    async def changes(self, spans: Mapping[UUID, tuple[int, int]]) -> dict[UUID, list[SeatChange]]:
        """The feed of each event after its first and up to its second version, in order."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(
                _QUERIES.read_changes,
                list(spans),
                [after for after, _ in spans.values()],
                [upto for _, upto in spans.values()],
            )
        found: dict[UUID, list[SeatChange]] = defaultdict(list)
        for event_id, *change in rows:
            found[event_id].append(SeatChange(*change))
        return found

    async def places(self, event_id: UUID) -> tuple[Sight, list[PlacedSeat]] | None:
        """The whole house, in the order of its chart; None when there is no such event."""
        return await self._whole(event_id, _QUERIES.list_places, PlacedSeat)

    async def listed(self, event_id: UUID) -> tuple[Sight, list[ListedSeat]] | None:
        """The whole house in natural order, with what its list says of each seat; None when there is no such event."""
        return await self._whole(event_id, _QUERIES.list_seats, ListedSeat)

    async def chart(self, event_id: UUID, chart_version: int) -> str | None:
        """The chart as JSON; None when the event has had no plan of this version."""
        async with acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection:
            document: str | None = await connection.fetchval(_QUERIES.find_chart, event_id, chart_version)
        return document

    async def _whole(self, event_id: UUID, query: str, kind: Callable[..., Row]) -> tuple[Sight, list[Row]] | None:
        # One snapshot, so that a house is all of the version that it says it is of.
        async with (
            acquire(self._reads, limits.READ_WAIT_SECONDS_MAX) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(_QUERIES.map_states, [event_id])
            if row is None:
                return None
            rows = await connection.fetch(query, event_id)
        _, *state, at = row
        return Sight(MapState(*state), at), [kind(*row) for row in rows]
