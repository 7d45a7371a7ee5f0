"""What is measured in the browser is what happens there: a slow, a dead and a deaf page are found to be so."""

import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from playwright.async_api import Browser

from bench.browser import event_path, latency_of, open_browser, open_page
from bench.figures import Figure, as_json
from bench.report import remarks
from tests.house.world import World

pytestmark = pytest.mark.anyio

SLOW = """
const {fillRect} = CanvasRenderingContext2D.prototype;
let spentIn = -1;
CanvasRenderingContext2D.prototype.fillRect = function (...box) {
  // Once in each frame, of whatever it is drawn. The timeline stands still during a frame.
  const {currentTime} = document.timeline;
  if (currentTime !== spentIn) for (const until = performance.now() + 80; performance.now() < until; );
  spentIn = currentTime;
  return fillRect.apply(this, box);
};"""
DEAD = "addEventListener('mousemove', (event) => event.stopImmediatePropagation(), true);"


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    try:
        async with open_browser() as browser:
            yield browser
    except RuntimeError as error:
        pytest.skip(str(error))


def test_a_change_that_was_never_painted_fails_the_figure() -> None:
    told = latency_of({"S1": 10.0, "S2": 11.0, "S3": 12.0}, {"S1": 10.25, "S3": 12.5})
    assert told["latency_ms"] == {"p50": 250.0, "p99": 500.0}
    assert told["failed"] == ["1 of 3 changes were never painted"]
    assert latency_of({"S1": 10.0}, {"S1": 10.1})["failed"] == []
    assert latency_of({}, {})["failed"]


def test_a_missed_goal_is_told_with_its_numbers() -> None:
    frames = [{"value": 40.0, "failed": [], "missed": ["fewer than 50 frames a second"]}, {"value": 60.0, "failed": []}]
    [told] = as_json([Figure("pages", "map while panning", "1,252 seats", "frames", repetitions=frames)])
    assert (told["min"], told["max"], told["failed"]) == (40.0, 60.0, [])
    assert told["missed"] == ["fewer than 50 frames a second"]
    assert "missed its goal: fewer than 50 frames a second" in remarks(told)


async def test_frames_are_those_of_a_map_that_moves(world: World, browser: Browser) -> None:
    event_id = UUID(await world.event(600))
    labels = [f"S{number}" for number in range(1, 601)]
    async with open_page(browser, world.served.url, event_path(event_id)) as page:
        assert page.interactive_milliseconds > 0
        assert (await page.loaded_bytes())["js"] > 10_000
        assert 20 < len(await page.approach(labels)) <= 600
        for how in ("panning", "zooming"):
            assert (await page.frames(how, 2))["failed"] == []
        # What the page would be moved by does not reach it any more.
        await page.approach(labels)
        await page.run(DEAD)
        assert (await page.frames("panning", 1))["failed"] != []
    async with open_page(browser, world.served.url, event_path(event_id), before=SLOW) as page:
        await page.approach(labels)
        slow = await page.frames("panning", 2)
        assert slow["failed"] == []
        # Frames of 80 ms come twelve and a half times a second at most. Each is timed by the screen's clock, which may
        # have ticked a sixtieth of a second before it began: the last one's tick makes it 12.6.
        assert 0 < slow["value"] < 13


async def test_what_is_painted_is_seen_and_what_is_not_is_missed(world: World, browser: Browser) -> None:
    event_id = await world.event(600)
    user = await world.user()
    async with open_page(browser, world.served.url, event_path(UUID(event_id))) as page:
        seen = await page.approach([f"S{number}" for number in range(1, 601)])
        label, other = seen[0], seen[-1]
        await page.watch_seats([label, other])
        before = time.time()
        await world.held(user, event_id, label)
        painted = await page.painted([label])
        assert before < painted[label] < time.time()
        # Nobody touched the other one.
        assert other not in painted
        assert other not in await page.painted([other], 500)
