"""Take pictures of the pages, on an Overbookr of their own with a programme that looks like one.

    python -m tests.ui.take_screenshots

Writes docs/screenshots/*.png. The house is the theatre that ships with Overbookr.
"""

import asyncio
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, FilePayload, async_playwright, expect

from tests.house.serving import Served, serve
from tests.ui.visitor import Visitor, open_visitor

PROJECT = Path(__file__).parents[2]
PICTURES = PROJECT / "docs" / "screenshots"
THEATRE = PROJECT / "src" / "overbookr" / "seats" / "plans" / "theatre.json"
ADMIN = {"email": "admin@example.org", "password": "a password for pictures"}
PRICES = {"currency": "EUR", "prices": {"Premium": 58, "Stalls": 42, "Balcony": 34, "Side view": 19}}
# Name, days from now, hour, and how much of the house is sold.
PROGRAMME = [
    ("The Cherry Orchard", 12, 19, 0.35),
    ("Die Zauberflöte", 19, 19, 0.97),
    ("An Evening with Clara Schumann", 26, 20, 0.2),
    ("Waiting for Godot", 41, 19, 1.0),
    ("The Tempest", 55, 19, 0.0),
]
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 960}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2,
}  # fmt: skip


async def sell(http: httpx.AsyncClient, event_id: str, share: float) -> None:
    """Sell a part of the house in groups, as audiences come, and leave two of them holding."""
    chart = (await http.get(f"/events/{event_id}/chart")).json()
    rows = [[seat[0] for seat in row["seats"]] for section in chart["sections"] for row in section["rows"]]
    groups = [row[at : at + size] for row in rows for size in (4, 2, 5, 3) for at in range(0, len(row), size)]
    random.Random(str(share)).shuffle(groups)
    # What is left between the groups is sold to people who come alone.
    groups += [[seat] for row in rows for seat in row]
    left, held = share * sum(map(len, rows)), 0
    account = {"name": "Audience", "email": f"{event_id}@example.org", "password": "pictures only"}
    token = (await http.post("/users/register", json=account)).json()["token"]
    for number, group in enumerate(groups):
        if left <= 0:
            return
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"picture {number}"}
        hold = await http.post("/holds", json={"event_id": event_id, "seat_nos": group}, headers=headers)
        if hold.status_code != 201:
            continue
        left -= len(group)
        if held < 2 and share < 0.9:
            held += 1
            continue
        await http.post(
            "/bookings", json={"event_id": event_id, "hold_token": hold.json()["hold_token"]}, headers=headers
        )


async def prepare(http: httpx.AsyncClient) -> list[str]:
    token = (await http.post("/users/login", json=ADMIN)).json()["token"]
    http.headers["Authorization"] = f"Bearer {token}"
    event_ids = []
    for name, days, hour, _ in PROGRAMME:
        start = (datetime.now(UTC) + timedelta(days=days)).replace(hour=hour, minute=30, second=0, microsecond=0)
        event = {"name": name, "venue": "Lindenhof Theatre", "start_time": start.isoformat(), "metadata": PRICES}
        event_ids.append((await http.post("/events", json=event)).json()["id"])
        path, json = f"/events/{event_ids[-1]}/seating-plan", {"Content-Type": "application/json"}
        (await http.put(path, content=THEATRE.read_bytes(), headers=json)).raise_for_status()
    del http.headers["Authorization"]
    for event_id, (_, _, _, share) in zip(event_ids, PROGRAMME, strict=True):
        await sell(http, event_id, share)
    return event_ids


async def take(visitor: Visitor, name: str, *, is_whole: bool = False) -> None:
    await visitor.page.evaluate("document.fonts.ready")
    await visitor.page.screenshot(path=PICTURES / f"{name}.png", full_page=is_whole)


async def choose_some(visitor: Visitor, event_id: str) -> None:
    await visitor.watch(event_id)
    await visitor.page.locator(".seat-list summary").first.click()
    free = visitor.page.get_by_role("group", name="Row G").get_by_role("checkbox", name=", free")
    for number in (4, 5):
        await free.nth(number).check()
    await visitor.page.locator(".seat-list summary").first.click()
    await visitor.page.evaluate("scrollTo(0, 0)")


async def tour(browser: Browser, served: Served, event_ids: list[str]) -> None:
    for suffix, options in (("", DESK), ("-dark", DESK | {"color_scheme": "dark"}), ("-phone", PHONE)):
        visitor = await open_visitor(browser, served, known=True, **options)
        await visitor.page.goto("/")
        await visitor.page.locator(".show").first.wait_for()
        await take(visitor, f"programme{suffix}")
        await choose_some(visitor, event_ids[0])
        await take(visitor, f"seats{suffix}")
        await visitor.page.locator(".basket .button.main").click()
        await expect(visitor.page.get_by_role("timer")).to_be_visible()
        await take(visitor, f"held{suffix}")
        await visitor.page.locator(".basket .button.main").click()
        await visitor.page.locator(".code img").wait_for()
        await take(visitor, f"ticket{suffix}")
        await visitor.watch(event_ids[3])
        await take(visitor, f"sold-out{suffix}")
        await visitor.page.context.close()


async def choose_plan(organiser: Visitor, text: bytes) -> None:
    file: FilePayload = {"name": "theatre.json", "mimeType": "application/json", "buffer": text}
    await organiser.page.set_input_files("#plan-file", files=[file])


async def below_the_title(organiser: Visitor) -> None:
    await organiser.page.evaluate("document.querySelector('.parts').scrollIntoView()")


async def tour_the_panel(browser: Browser, served: Served, event_ids: list[str]) -> None:
    here = f"/panel/event/{event_ids[0]}"
    pages = [
        ("panel-events", "/panel", ".list"),
        ("panel-live", here, ".series canvas"),
        ("panel-seats", f"{here}/seats", ".map canvas"),
        ("panel-plan", f"{here}/plan", ".drop"),
        ("panel-sales", "/panel/sales", ".series canvas"),
        ("panel-bookings", f"/panel/bookings?event={event_ids[0]}", ".list"),
    ]
    everything = [name for name, *_ in pages]
    for suffix, options, names in (
        ("", DESK, everything),
        ("-dark", DESK | {"color_scheme": "dark"}, ["panel-live", "panel-seats"]),
        ("-phone", PHONE, ["panel-events", "panel-live"]),
    ):
        organiser = await open_visitor(browser, served, account=ADMIN, **options)
        for name, path, shown in pages:
            if name not in names:
                continue
            await organiser.page.goto(path)
            await organiser.page.locator(shown).first.wait_for()
            if shown == ".map canvas" or path == here:
                await organiser.is_live()
            if name == "panel-plan":
                wrong = THEATRE.read_text().replace('"category": "Premium"', '"category": "Royal"', 1)
                await choose_plan(organiser, wrong.encode())
                await organiser.page.locator(".mistakes").wait_for()
                await below_the_title(organiser)
                await take(organiser, f"panel-mistake{suffix}")
                await choose_plan(organiser, THEATRE.read_bytes())
                await organiser.page.locator(".plan-preview canvas").wait_for()
            if name in ("panel-plan", "panel-seats"):
                await below_the_title(organiser)
            await take(organiser, f"{name}{suffix}", is_whole=name == "panel-live" and options is not PHONE)
        await organiser.page.context.close()


async def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Debian's chromium is not installed (make test-deps installs it, as root with apt)")
    PICTURES.mkdir(parents=True, exist_ok=True)
    settings = {"OVERBOOKR_ADMIN_EMAIL": ADMIN["email"], "OVERBOOKR_ADMIN_PASSWORD": ADMIN["password"]}
    with tempfile.TemporaryDirectory() as folder:
        served = serve(
            None, Path(folder), settings | {"OVERBOOKR_WORKERS": "1", "OVERBOOKR_USER_MAX_SEATS_PER_EVENT": "1000"}
        )
        try:
            async with httpx.AsyncClient(base_url=served.url, timeout=None) as http:
                event_ids = await prepare(http)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
                )
                await tour(browser, served, event_ids)
                await tour_the_panel(browser, served, event_ids)
                await browser.close()
        finally:
            served.stop()


if __name__ == "__main__":
    asyncio.run(main())
