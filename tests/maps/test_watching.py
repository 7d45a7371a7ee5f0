"""Streams over HTTP, from real processes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.house.serving import serve
from tests.house.stage import seeded_random
from tests.house.world import Someone, World, code_of, open_world

from .shown import Shown

pytestmark = pytest.mark.anyio

SEATS = 40
VIEWERS = 60
SOON_SECONDS = 10


class Watcher(Shown):
    """A client as browsers have it: when its stream ends it comes back, to whatever process takes it."""

    def __init__(self, world: World, event_id: str, labels: list[str]) -> None:
        super().__init__(labels)
        self._http = world.http
        self._url = f"/events/{event_id}/stream"
        self.refused: httpx.Response | None = None

    async def watch(self) -> None:
        while self.refused is None:
            await self.watch_once()

    async def watch_once(self) -> None:
        headers = {} if self.last is None else {"Last-Event-ID": self.last}
        async with self._http.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code != 200:
                await answer.aread()
                self.refused = answer
                return
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            rest = ""
            async for text in answer.aiter_text():
                whole, end, rest = (rest + text).rpartition("\n\n")
                if end:
                    self.take(whole + end)
            assert rest == ""

    async def until(self, seats: dict[str, str]) -> None:
        async with asyncio.timeout(SOON_SECONDS):
            while self.seats != seats:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(*watchers: Watcher) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results), results


async def a_house(world: World) -> tuple[str, list[str]]:
    event_id = await world.event(SEATS)
    return event_id, list(await world.seat_statuses(event_id))


async def test_what_others_do_is_seen(world: World) -> None:
    event_id, labels = await a_house(world)
    watcher, user = Watcher(world, event_id, labels), await world.user()
    async with watching(watcher):
        await watcher.until(dict.fromkeys(labels, "available"))
        token = await world.held(user, event_id, "S2", "S3")
        await watcher.until(dict.fromkeys(labels, "available") | {"S2": "held", "S3": "held"})
        await world.lapse(token)
        await watcher.until(dict.fromkeys(labels, "available"))
        await world.booked(user, event_id, "S5")
        await watcher.until(dict.fromkeys(labels, "available") | {"S5": "booked"})
    assert watcher.told.count("reset") == 1


async def test_every_viewer_ends_with_the_map_of_the_database(world: World) -> None:
    """Some are cut off in the middle and come back; nobody misses anything."""
    dice = seeded_random()
    event_id, labels = await a_house(world)
    users = await world.users(8)
    watchers = [Watcher(world, event_id, labels) for _ in range(VIEWERS)]
    cut_off = 0
    async with watching(*watchers) as tasks:
        for _ in range(60):
            await _act(world, event_id, dice.choice(users), dice.sample(labels, 2), dice.random())
            if dice.random() < 0.5:
                place = dice.randrange(VIEWERS)
                cut_off += watchers[place].last is not None
                tasks[place].cancel()
                with suppress(asyncio.CancelledError):
                    await tasks[place]
                tasks[place] = asyncio.create_task(watchers[place].watch())
        statuses = await world.seat_statuses(event_id)
        assert len(set(statuses.values())) == 3
        for watcher in watchers:
            await watcher.until(statuses)
    assert cut_off > 5
    assert sum(watcher.told.count("seats") for watcher in watchers) > VIEWERS
    assert sum(watcher.told.count("reset") for watcher in watchers) < VIEWERS + cut_off


async def _act(world: World, event_id: str, user: Someone, seat_nos: list[str], drawn: float) -> None:
    held = await world.hold(user, event_id, *seat_nos)
    if held.status_code == 201 and drawn < 0.6:
        booked = await world.book(user, event_id, held.json()["hold_token"])
        assert booked.status_code == 201, booked.text
        if drawn < 0.2:
            await world.cancel(user, booked.json()["id"])


async def test_who_may_watch(world: World) -> None:
    event_id = await world.event(2)
    missing = "00000000-0000-7000-8000-000000000000"
    assert code_of(await world.http.get(f"/events/{missing}/stream")) == (404, "event_not_found")
    assert (await world.http.head(f"/events/{event_id}/stream")).status_code == 200
    draft = await world.event(2, status="draft")
    assert code_of(await world.http.get(f"/events/{draft}/stream")) == (404, "event_not_found")


async def test_a_stream_ends_with_its_event(world: World) -> None:
    event_id, labels = await a_house(world)
    watcher, admin = Watcher(world, event_id, labels), await world.admin()
    async with watching(watcher) as tasks:
        await watcher.until(dict.fromkeys(labels, "available"))
        deleted = await world.http.delete(f"/events/{event_id}", headers=admin.headers)
        assert deleted.status_code == 200, deleted.text
        async with asyncio.timeout(SOON_SECONDS):
            await tasks[0]
    assert watcher.refused is not None
    assert code_of(watcher.refused) == (404, "event_not_found")


async def test_a_process_that_stops_ends_its_streams(database: str, tmp_path: Path) -> None:
    served = await asyncio.to_thread(serve, database, tmp_path, {"OVERBOOKR_DUTIES": "off"})
    try:
        async with open_world(served) as world:
            event_id, labels = await a_house(world)
            watchers = [Watcher(world, event_id, labels) for _ in range(10)]
            tasks = [asyncio.create_task(watcher.watch_once()) for watcher in watchers]
            for watcher in watchers:
                await watcher.until(dict.fromkeys(labels, "available"))
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(SOON_SECONDS):
                # To their end: an answer that breaks off would be an error here.
                await asyncio.gather(*tasks)
            assert await asyncio.to_thread(served.process.wait, SOON_SECONDS) == 0
    finally:
        await asyncio.to_thread(served.stop)


async def test_how_many_watch_is_a_metric(world: World) -> None:
    """Summed over the processes, whichever of them is asked."""
    event_id, labels = await a_house(world)
    watchers = [Watcher(world, event_id, labels) for _ in range(6)]
    async with watching(*watchers):
        for watcher in watchers:
            await watcher.until(await world.seat_statuses(event_id))
        # Other tests' viewers may still be leaving.
        async with asyncio.timeout(SOON_SECONDS):
            while "\noverbookr_stream_viewers 6.0\n" not in (await world.http.get("/metrics")).text:
                await asyncio.sleep(0.05)
