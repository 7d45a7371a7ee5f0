"""What all buyers of a sale share: the doors and the bell, the map on the wall, and how many are at what."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec

from overbookr.demo.client import Client
from overbookr.demo.ledger import Ledger
from overbookr.demo.model import Operation
from overbookr.demo.picking import AvailabilityAnswer, House, HouseView
from overbookr.demo.recorder import Recorder

_VIEWS_KEPT: Final = 128
_read_availability = msgspec.json.Decoder(AvailabilityAnswer)


class Crowd:
    """Counts who is shopping and who waits in the queue. Everybody else has gone home."""

    def __init__(self) -> None:
        self.shopping = 0
        self.waiting = 0
        self._nobody_shops = asyncio.Event()
        self._nobody_shops.set()

    def start_shopping(self) -> None:
        self.shopping += 1
        self._nobody_shops.clear()

    def stop_shopping(self) -> None:
        self.shopping -= 1
        if self.shopping == 0:
            self._nobody_shops.set()

    def start_waiting(self) -> None:
        self.waiting += 1
        self.stop_shopping()

    def stop_waiting(self) -> None:
        """A waiter who stops waiting has something to do, be it only to go home."""
        self.waiting -= 1
        self.start_shopping()

    async def calm_down(self) -> None:
        """Return once nobody is shopping."""
        await self._nobody_shops.wait()


class SeatMap:
    """Reads the availability. Maps with the same ETag are the same, so each is understood once, whoever fetched it."""

    def __init__(self, client: Client, house: House, event_id: UUID, recorder: Recorder) -> None:
        self._client = client
        self._house = house
        self._url = client.url(f"/events/{event_id}/availability")
        self._recorder = recorder
        self._views: OrderedDict[str, HouseView] = OrderedDict()
        self.latest: HouseView | None = None
        self.all_taken_at: float | None = None

    async def look(
        self, operation: Operation, headers: dict[str, str], etag: str | None
    ) -> tuple[str, HouseView] | None:
        """The map's ETag and the map; `etag` is what the caller has seen. None when there is no map to be had."""
        asked = headers if etag is None else {**headers, "If-None-Match": etag}
        answer = await self._client.send(operation, "GET", self._url, headers=asked)
        if answer.status not in (200, 304) or answer.etag is None:
            return None
        view = self._views.get(answer.etag)
        if view is None:
            if answer.status == 304:
                return await self.look(operation, headers, None)
            try:
                view = self._house.view(answer.content(_read_availability))
            except (msgspec.DecodeError, KeyError) as error:
                self._recorder.note_unexpected(f"{operation.value}: cannot be understood: {error!r}")
                return None
            self._keep(answer.etag, view)
        return answer.etag, view

    def _keep(self, etag: str, view: HouseView) -> None:
        self._views[etag] = view
        while len(self._views) > _VIEWS_KEPT:
            self._views.popitem(last=False)
        if self.latest is None or view.version >= self.latest.version:
            self.latest = view
        if view.free == 0 and self.all_taken_at is None:
            self.all_taken_at = self._recorder.elapsed


@dataclass(slots=True)
class Scene:
    """`doors` open for everybody at one instant; the `bell` ends the waiting when the house is sold out."""

    client: Client
    house: House
    event_id: UUID
    recorder: Recorder
    seat_map: SeatMap
    ledger: Ledger = field(default_factory=Ledger)
    crowd: Crowd = field(default_factory=Crowd)
    doors: asyncio.Event = field(default_factory=asyncio.Event)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for_bell(self, seconds: float) -> None:
        """Return after that time, or as soon as the bell rings."""
        try:
            await asyncio.wait_for(self.bell.wait(), seconds)
        except TimeoutError:
            return
