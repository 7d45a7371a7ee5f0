"""A browser in which pages are measured, and what it says of them. Chromium draws without a graphics card here."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from playwright.async_api import Browser, Error, Page, async_playwright

from bench.stage import HERE
from overbookr.demo.percentile import percentile

_SCRIPT: Final = (HERE / "pages.js").read_text()
_MILLISECONDS_MAX: Final = 120_000
_PAINTED_MILLISECONDS_MAX: Final = 10_000
_VIEWPORT: Final = {"width": 1280, "height": 900}


def find_chromium() -> str | None:
    return shutil.which("chromium")


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Raises RuntimeError when there is none, and for whatever goes wrong in it."""
    path = find_chromium()
    if path is None:
        raise RuntimeError("Debian's chromium is not installed (make test-deps installs it, as root with apt)")
    try:
        async with async_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            browser = await playwright.chromium.launch(executable_path=path, args=arguments, timeout=_MILLISECONDS_MAX)
            yield browser
            await browser.close()
    except Error as error:
        raise RuntimeError(f"in the browser: {error}") from error


@asynccontextmanager
async def open_page(browser: Browser, url: str, path: str, *, before: str = "") -> AsyncIterator["MeasuredPage"]:
    """A page in a browser that remembers nothing, once it can be used. `before` is a script that runs first."""
    context = await browser.new_context(base_url=url, locale="en-GB", viewport=_VIEWPORT)  # type: ignore[arg-type]
    try:
        page = await context.new_page()
        page.set_default_timeout(_MILLISECONDS_MAX)
        await page.add_init_script(_SCRIPT + before)
        await page.goto(path)
        async with asyncio.timeout(_MILLISECONDS_MAX / 1000):
            interactive_at = float(await page.evaluate("bench.interactiveAt"))
        yield MeasuredPage(page, interactive_at)
    finally:
        await context.close()


class MeasuredPage:
    """A page that can be used by now."""

    def __init__(self, page: Page, interactive_milliseconds: float) -> None:
        """`interactive_milliseconds`: from when it was asked for until it could be used."""
        self._page = page
        self.interactive_milliseconds = interactive_milliseconds

    async def run(self, script: str) -> None:
        await self._page.evaluate(script)

    async def loaded_bytes(self) -> dict[str, int]:
        """What came over the network by now, compressed as it came, by kind."""
        entries: dict[str, int] = await self._page.evaluate(
            """performance.getEntriesByType('resource').reduce((sizes, {name, encodedBodySize}) => {
                 const kind = /\\.(js|css|woff2)$/.exec(name)?.[1] ?? 'other';
                 return {...sizes, [kind]: (sizes[kind] ?? 0) + encodedBodySize};
               }, {})"""
        )
        return entries

    async def approach(self, labels: Sequence[str]) -> list[str]:
        """Come near enough to see seats and far enough to see as many as can be; those that are seen."""
        await self._page.evaluate("label => bench.approach(label)", labels[len(labels) // 2])
        seen: list[str] = await self._page.evaluate("labels => bench.seen(labels)", list(labels))
        return seen

    async def frames(self, how: str, seconds: float) -> dict[str, Any]:
        """Frames a second while the map is moved in each of them. `how` is panning or zooming."""
        moved = await self._page.evaluate("([how, seconds]) => bench.move(how, seconds)", [how, seconds])
        times: list[float] = moved["times"]
        gaps = sorted(later - earlier for earlier, later in pairwise(times))
        failed = [] if moved["travelled"] > 100 else [f"the map moved by {moved['travelled']:.0f} pixels only"]
        if not gaps:
            return {"value": 0.0, "done": 0, "failed": failed or ["there were no frames"]}
        value = 1000 * len(gaps) / (times[-1] - times[0])
        return {"value": value, "done": len(gaps), "longest_frame_ms": gaps[-1], "failed": failed}

    async def watch_seats(self, labels: Sequence[str]) -> None:
        await self._page.evaluate("labels => bench.watchSeats(labels)", list(labels))

    async def painted(
        self, labels: Sequence[str], milliseconds_max: float = _PAINTED_MILLISECONDS_MAX
    ) -> dict[str, float]:
        """When each seat was seen to be another, in seconds since 1970; without those that never were."""
        painted: dict[str, float] = await self._page.evaluate(
            "([labels, milliseconds]) => bench.paintedOf(labels, milliseconds)", [list(labels), milliseconds_max]
        )
        return {label: milliseconds / 1000 for label, milliseconds in painted.items()}


def event_path(event_id: UUID) -> str:
    return f"/event/{event_id}"


def latency_of(asked: dict[str, float], painted: dict[str, float]) -> dict[str, Any]:
    """Percentiles in milliseconds from when a seat was asked for until it was seen to be taken, and what is wrong with
    them."""
    times = sorted(1000 * (painted[label] - at) for label, at in asked.items() if label in painted)
    missing = len(asked) - len(times)
    failed = [f"{missing} of {len(asked)} changes were never painted"] if missing or not asked else []
    return {
        "done": len(times),
        "latency_ms": {"p50": percentile(times, 50), "p99": percentile(times, 99)},
        "failed": failed,
    }
