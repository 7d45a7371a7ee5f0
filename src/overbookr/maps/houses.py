"""Reading whole houses: apart from looks, so that a large one holds up nobody but those who wait for it."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from overbookr import limits
from overbookr.batching import DeadlinePassed
from overbookr.maps.model import Board, PlacedSeat
from overbookr.maps.store import MapStore, Sight


class Houses:
    """Each house is read once for all who wait for it, and few at a time."""

    def __init__(self, store: MapStore) -> None:
        self._store = store
        self._under_way: dict[UUID, asyncio.Task[Board | None]] = {}
        self._at_once = asyncio.Semaphore(limits.HOUSES_AT_ONCE_MAX)

    async def stop(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self, event_id: UUID) -> Board | None:
        """The board as it was at some instant since `read` was called first for this event; None without such an event.

        Raises DeadlinePassed for whoever waits too long; the reading goes on for those who come next.
        """
        task = self._under_way.get(event_id)
        if task is None:
            task = self._under_way[event_id] = asyncio.create_task(self.read_alone(event_id), name=f"house {event_id}")
            task.add_done_callback(lambda done: self._forget(event_id, done))
        try:
            async with asyncio.timeout(limits.HOUSE_WAIT_SECONDS_MAX):
                return await asyncio.shield(task)
        except TimeoutError:
            raise DeadlinePassed("houses") from None

    async def read_alone(self, event_id: UUID) -> Board | None:
        """A board of the caller's own."""
        async with self._at_once:
            found = await self._store.places(event_id)
            return None if found is None else await _build(*found)

    def _forget(self, event_id: UUID, task: asyncio.Task[Board | None]) -> None:
        del self._under_way[event_id]
        if not task.cancelled():
            # Everybody who waited may have gone by now.
            task.exception()


async def _build(sight: Sight, seats: Sequence[PlacedSeat]) -> Board:
    if len(seats) < limits.BOARD_AT_ONCE_SEATS_MAX:
        return Board(sight.state, seats, sight.at)
    return await asyncio.to_thread(Board, sight.state, seats, sight.at)
