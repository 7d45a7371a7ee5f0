"""One sale, from the opening of the doors until the house is sold out and everybody has gone home."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from overbookr.demo.buyers import Buyer
from overbookr.demo.model import DemoOptions, Intent, Operation, draw_intent
from overbookr.demo.people import Person
from overbookr.demo.picking import PARTY_MAX, HouseView
from overbookr.demo.scene import Scene
from overbookr.demo.store import DemoStore

MONITOR_SECONDS: Final = 0.25
SETTLE_SECONDS_MAX: Final = 10.0
FRUITLESS_LOOKS_MAX: Final = 2
TIME_WAS_UP: Final = "The time was up before the house was sold out."
SERVER_WAS_GONE: Final = "The server stopped answering before the house was sold out."
_SETTLE_PAUSE = 0.05
_LATE_PAUSE = 0.2


@dataclass(slots=True)
class SaleTimes:
    """Seconds since the doors opened; None for what never came to be.

    `all_taken` is when no seat was free for the first time, `rush` when everybody had bought, left or queued,
    `sold_out` when every seat was booked, `total` when the last one had gone home.
    """

    all_taken: float | None = None
    rush: float | None = None
    sold_out: float | None = None
    total: float = 0.0


class Sale:
    """What is random in it follows from the seed, but for who is faster. `ended_early` says why it did, if it did."""

    def __init__(self, scene: Scene, store: DemoStore, options: DemoOptions, seed: int, people: list[Person]) -> None:
        self._scene = scene
        self._store = store
        self._options = options
        self._headers: dict[str, str] = {}
        self._buyers: list[Buyer] = []
        self._late_chance = random.Random(f"{seed}:late")
        self.times = SaleTimes()
        self.ended_early = ""
        for number, person in enumerate(people, start=1):
            chance = random.Random(f"{seed}:{number}")
            intent = _affordable(draw_intent(chance), options)
            self._buyers.append(Buyer(scene, person, name=f"buyer-{number}", intent=intent, chance=chance))

    async def run(self) -> None:
        """Returns when the house is sold out and everybody has gone home, or when that will not be."""
        scene = self._scene
        try:
            async with asyncio.timeout(self._options.seconds_max), asyncio.TaskGroup() as group:
                visits = [group.create_task(buyer.attend()) for buyer in self._buyers]
                # Everybody stands at the doors before they open.
                await asyncio.sleep(0)
                scene.recorder.open_doors()
                scene.doors.set()
                async with self._monitoring():
                    self.ended_early = await self._sell_out()
                scene.bell.set()
                if self.ended_early:
                    for visit in visits:
                        visit.cancel()
        except TimeoutError:
            self.ended_early = TIME_WAS_UP
        self.times.total = scene.recorder.elapsed
        self.times.all_taken = scene.seat_map.all_taken_at

    @asynccontextmanager
    async def _monitoring(self) -> AsyncIterator[None]:
        async def monitor() -> None:
            etag: str | None = None
            while True:
                seen = await self._scene.seat_map.look(Operation.MONITOR, self._headers, etag)
                etag = seen[0] if seen is not None else None
                await asyncio.sleep(MONITOR_SECONDS)

        task = asyncio.create_task(monitor(), name="monitor")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _sell_out(self) -> str:
        """Wait for the crowd, let the abandoned holds run out, and sell what nobody in the queue wants.

        Why that cannot be done, or "".
        """
        scene = self._scene
        fruitless = 0
        await scene.crowd.calm_down()
        self.times.rush = scene.recorder.elapsed
        await self._let_time_pass()
        while True:
            await scene.crowd.calm_down()
            seen = await scene.seat_map.look(Operation.MONITOR, self._headers, None)
            if seen is None:
                # A look has been tried for half a minute by now.
                fruitless += 1
                if fruitless == FRUITLESS_LOOKS_MAX:
                    return SERVER_WAS_GONE
                continue
            fruitless, view = 0, seen[1]
            if view.booked == len(scene.house.seat_nos):
                self.times.sold_out = scene.recorder.elapsed
                return ""
            if view.free:
                await self._call_late_buyers(view)
            elif scene.ledger.unsure:
                # Somebody had no answer and may hold seats without knowing it.
                await self._let_time_pass()
            await asyncio.sleep(_LATE_PAUSE)

    async def _let_time_pass(self) -> None:
        """Let the abandoned holds run out and give the server the time it takes to notice."""
        scene = self._scene
        ledger = scene.ledger
        lapsed = await self._store.move_time_on(scene.event_id, ledger.abandoned, ledger.unsure)
        scene.recorder.tallies["lapsed"] += len(lapsed)
        give_up_at = time.monotonic() + SETTLE_SECONDS_MAX
        while lapsed and time.monotonic() < give_up_at:
            if await self._store.count_active_holds(scene.event_id, lapsed) == 0:
                return
            await asyncio.sleep(_SETTLE_PAUSE)

    async def _call_late_buyers(self, view: HouseView) -> None:
        """Buyers with room in their share come back, each for a few of the seats that are left."""
        left = self._scene.house.free_seats(view)
        owned = self._scene.ledger.seats_by_user()
        visits = []
        for buyer in self._by_readiness(owned):
            room = self._options.user_seats_max - owned[buyer.user_id]
            size = min(room, self._options.hold_seats_max, self._late_chance.randint(1, PARTY_MAX), len(left))
            if size > 0:
                visits.append(buyer.come_back(left[:size]))
                left = left[size:]
            if not left:
                break
        await asyncio.gather(*visits)

    def _by_readiness(self, owned: Mapping[UUID, int]) -> list[Buyer]:
        """Those who have nothing first, those who wait for more than there is last."""
        buyers = self._late_chance.sample(self._buyers, len(self._buyers))
        return sorted(buyers, key=lambda buyer: (buyer.is_waiting, buyer.user_id in owned))


def _affordable(intent: Intent, options: DemoOptions) -> Intent:
    """The intent within what the server lets one person have."""
    most = min(options.user_seats_max, options.hold_seats_max)
    return intent if intent.seats <= most else replace(intent, seats=most)
