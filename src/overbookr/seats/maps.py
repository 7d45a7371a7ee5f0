"""Seat maps as they are served: encoded once a change, however many look.

While one look is at the database the next ones gather; whoever asked before a look began is answered by it. So a map is
never older than the question, and a crowd costs a process one look at a time instead of one each.
"""

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from uuid import UUID

import msgspec

from overbookr import limits
from overbookr.batching import MicroBatcher
from overbookr.seats.model import SeatMap, SeatMapState
from overbookr.seats.store import SeatStore


class MapKind(StrEnum):
    """Every seat in natural order, or only those that are not free."""

    SEATS = "seats"
    AVAILABILITY = "availability"


class Look(msgspec.Struct, frozen=True):
    event_id: UUID
    kind: MapKind


class SeatMaps:
    """Answers looks at maps; keeps the last map of each event and kind, the least recently used dropped first."""

    def __init__(self, store: SeatStore, *, observe: Callable[[int], None] | None = None) -> None:
        self._store = store
        self._kept: OrderedDict[Look, SeatMap] = OrderedDict()
        self._looks: MicroBatcher[Look, SeatMap | None] = MicroBatcher(
            self._look_all,
            name="maps",
            batch_max=limits.LOOKS_PER_BATCH_MAX,
            queue_max=limits.LOOKS_WAITING_MAX,
            wait_seconds_max=limits.READ_WAIT_SECONDS_MAX,
            observe=observe,
        )

    def start(self) -> None:
        self._looks.start()

    async def stop(self) -> None:
        await self._looks.stop()

    async def look(self, event_id: UUID, kind: MapKind, *, organiser: bool) -> SeatMap | None:
        """The map as of now; None when there is no such event, or it is a draft and not for these eyes."""
        found = await self._looks.submit(Look(event_id, kind))
        return None if found is None or (found.state.is_draft and not organiser) else found

    async def _look_all(self, looks: list[Look]) -> list[SeatMap | None]:
        states = await self._store.map_states({look.event_id for look in looks})
        found = {look: await self._look(look, states.get(look.event_id)) for look in set(looks)}
        return [found[look] for look in looks]

    async def _look(self, look: Look, state: SeatMapState | None) -> SeatMap | None:
        if state is None:
            return None
        kept = self._kept.get(look)
        if kept is None or kept.state != state:
            read = self._store.seat_list if look.kind is MapKind.SEATS else self._store.availability
            # It may be newer than the state that was asked for; it says itself what it was drawn from.
            kept = await read(look.event_id)
            if kept is None:
                return None
            self._kept[look] = kept
        self._kept.move_to_end(look)
        while len(self._kept) > limits.MAPS_KEPT_MAX:
            self._kept.popitem(last=False)
        return kept
