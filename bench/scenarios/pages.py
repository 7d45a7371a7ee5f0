"""The visitors' pages in a real browser: how fast they are there, how smooth the map moves, how soon it tells."""

import asyncio
import time
from statistics import median
from typing import Any, Final
from uuid import UUID

import httpx
from playwright.async_api import Browser

from bench.browser import MeasuredPage, event_path, latency_of, open_browser, open_page
from bench.figures import KILOBYTES, MILLISECONDS
from bench.run import Bench
from bench.serving import Served
from bench.stage import QUERIES
from overbookr.demo.percentile import percentile

# What the pages have to keep to, whatever the machine can do: for a house as most are, and what is loaded at first.
FRAMES_MIN: Final = 50
GOAL_SEATS: Final = 1_252
JAVASCRIPT_KB_MAX: Final = 60
_LOADS: Final = 5
_CHANGES: Final = 100
_CHANGES_PER_SECOND: Final = 5
_SEATS_PER_USER: Final = 10


async def measure_pages(bench: Bench) -> None:
    async with bench.serving("halls") as served, open_browser() as browser:
        await _measure_loads(bench, served, browser)
        for place, seats in enumerate(bench.choices.halls):
            await _measure_frames(bench, served, browser, bench.stage.events["halls"][place], seats)
        await _measure_painting(bench, served, browser)


async def _measure_loads(bench: Bench, served: Served, browser: Browser) -> None:
    """Each time in a browser that has never been there."""
    places = [("list of events", "/")]
    places += [
        (f"event, {seats:,} seats", event_path(event_id))
        for seats, event_id in zip(bench.choices.halls, bench.stage.events["halls"], strict=True)
    ]
    for where, path in places:
        times, sizes = [], {}
        for _ in range(_LOADS):
            async with open_page(browser, served.url, path) as page:
                times.append(page.interactive_milliseconds)
                sizes = await page.loaded_bytes()
        bench.add(
            "pages", "until a page can be used", where, "loads",
            {"value": median(times), "milliseconds": times}, measure=MILLISECONDS,
        )  # fmt: skip
        javascript = sizes.get("js", 0) / 1000
        bench.add(
            "pages", "compressed JavaScript of the first load", where, "JavaScript",
            {
                "value": javascript, "bytes": sizes,
                "failed": [] if javascript else ["no script was loaded"],
                "missed": [f"more than {JAVASCRIPT_KB_MAX} kB"] if javascript > JAVASCRIPT_KB_MAX else [],
            },
            measure=KILOBYTES,
        )  # fmt: skip


async def _measure_frames(bench: Bench, served: Served, browser: Browser, event_id: UUID, seats: int) -> None:
    labels = [label for label, _ in await _seats_of(bench, event_id)]
    for how in ("panning", "zooming"):
        async with open_page(browser, served.url, event_path(event_id)) as page:
            # Zooming goes from the whole house to near and back; panning is where most seats are to be seen.
            seen = len(await page.approach(labels)) if how == "panning" else seats
            frames = await page.frames(how, bench.seconds)
        missed = frames["value"] < FRAMES_MIN and seats == GOAL_SEATS
        bench.add(
            "pages", f"map while {how}", f"{seats:,} seats", "frames",
            frames | {"seats_seen": seen, "missed": [f"fewer than {FRAMES_MIN} frames a second"] if missed else []},
        )  # fmt: skip


async def _measure_painting(bench: Bench, served: Served, browser: Browser) -> None:
    """Seats of the smallest hall are held one by one, and looked at on the screen of somebody else."""
    event_id = bench.stage.events["halls"][0]
    seats = await _seats_of(bench, event_id)
    async with open_page(browser, served.url, event_path(event_id)) as page:
        seen = set(await page.approach([label for label, _ in seats]))
        free = [label for label, status in seats if status == "available" and label in seen]
        # All over what is seen, and not only in one corner.
        taken = free[:: max(1, len(free) // _CHANGES)][:_CHANGES]
        repetition = await painting_of(page, served, bench, event_id, taken)
    repetition = await bench.audited(repetition)
    for share in ("p50", "p99"):
        value = repetition["latency_ms"][share]
        bench.add(
            "pages", "hold painted on another screen", f"from when it was asked for, {share}", "changes",
            repetition | {"value": value or 0.0}, measure=MILLISECONDS,
        )  # fmt: skip


async def painting_of(
    page: MeasuredPage, served: Served, bench: Bench, event_id: UUID, labels: list[str]
) -> dict[str, Any]:
    """What becomes of `labels` on the page while they are held, one after the other."""
    await page.watch_seats(labels)
    asked: dict[str, float] = {}
    answer_milliseconds: list[float] = []
    refused = 0
    # Users who have nothing here yet, as the first ones have bought some.
    tokens = list(reversed(bench.stage.tokens))
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        for place, label in enumerate(labels):
            headers = {"Authorization": f"Bearer {tokens[place // _SEATS_PER_USER]}"}
            hold = {"event_id": str(event_id), "seat_nos": [label]}
            # The wall clock, as the page runs in another process.
            at = time.time()
            answer = await http.post("/holds", json=hold, headers=headers)
            if answer.status_code == 201:
                asked[label] = at
                answer_milliseconds.append(1000 * (time.time() - at))
            else:
                refused += 1
            await asyncio.sleep(1 / _CHANGES_PER_SECOND)
    repetition = latency_of(asked, await page.painted(list(asked)))
    repetition["answer_ms"] = {f"p{share}": percentile(sorted(answer_milliseconds), share) for share in (50, 99)}
    if refused:
        repetition["failed"].append(f"{refused} of {len(labels)} holds were refused")
    if len(labels) < _CHANGES:
        repetition["failed"].append(f"only {len(labels)} free seats were to be seen")
    return repetition


async def _seats_of(bench: Bench, event_id: UUID) -> list[tuple[str, str]]:
    async with bench.stage.connect() as connection:
        rows = await connection.fetch(QUERIES.seat_statuses, event_id)
    return [(row["seat_no"], row["status"]) for row in rows]
