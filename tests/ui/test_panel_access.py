"""The panel for everybody: keyboards, ears, phones, dark rooms, other languages; and what it costs visitors, which is
nothing."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.api.test_seating_plan import house_of
from tests.house.world import World
from tests.ui.axe import violations
from tests.ui.conftest import NewVisitor
from tests.ui.organiser import drop, open_organiser, open_rows, tab_to
from tests.ui.test_access import LONG_WORD, PHONE, THEATRE, planned
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.anyio


async def furnished(world: World, **fields: Any) -> tuple[str, str]:
    """An event with a plan, a booking and somebody who waits elsewhere; the event and the booking."""
    event_id = await planned(world, house_of(A=4, B=4, C=4), **{"name": "The Cherry Orchard"} | fields)
    booking_id = await world.booked(await world.user(), event_id, "Stalls-B-3", "Stalls-B-4")
    return event_id, booking_id


async def sold_out(world: World) -> str:
    event_id = await world.event(1)
    await world.booked(await world.user(), event_id, "S1")
    assert (await world.join(await world.user(), event_id, 1)).status_code == 202
    return event_id


def pages_of(event_id: str, booking_id: str, sold_out_id: str) -> list[tuple[str, str]]:
    """Every page of the panel, and what is there when it is shown."""
    return [
        ("/panel", ".list"),
        ("/panel/new", "form"),
        (f"/panel/event/{event_id}", ".series canvas"),
        (f"/panel/event/{event_id}/seats", ".map canvas"),
        (f"/panel/event/{event_id}/plan", ".drop"),
        (f"/panel/event/{event_id}/edit", ".prices"),
        (f"/panel/event/{sold_out_id}/waitlist", ".list"),
        ("/panel/event/nothing", ".notice"),
        ("/panel/sales", ".series canvas"),
        (f"/panel/bookings?event={event_id}", ".list"),
        (f"/panel/booking/{booking_id}", ".pairs"),
        ("/panel/audit", "h1"),
    ]


async def show(visitor: Visitor, path: str, shown: str) -> None:
    await visitor.page.goto(path)
    await visitor.page.locator(shown).first.wait_for()


# A dark page is the same page in other colours.
@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
async def test_axe_finds_nothing_on_any_page_of_the_panel(
    world: World, new_visitor: NewVisitor, scheme: str, rules: tuple[str, ...]
) -> None:
    event_id, booking_id = await furnished(world)
    organiser = await open_organiser(world, new_visitor, color_scheme=scheme)
    page, found = organiser.page, []
    for path, shown in pages_of(event_id, booking_id, await sold_out(world)):
        await show(organiser, path, shown)
        found += await violations(page, *rules)
    await show(organiser, "/panel/new", "form")
    await organiser.button("Create the event").click()
    found += await violations(page, *rules)
    await show(organiser, f"/panel/event/{event_id}/plan", ".drop")
    await drop(organiser, "plan.json", b'{"name": 1}')
    await page.locator(".mistakes").wait_for()
    found += await violations(page, *rules)
    await drop(organiser, "theatre.json", THEATRE.read_bytes())
    await page.locator(".plan-preview summary").click()
    found += await violations(page, *rules)
    await show(organiser, f"/panel/event/{event_id}/seats", ".map canvas")
    await organiser.is_live()
    await open_rows(organiser)
    await page.get_by_role("group", name="Row C").get_by_role("button", name="Whole row").click()
    await page.locator(".basket .act").wait_for()
    found += await violations(page, *rules)
    await show(organiser, f"/panel/booking/{booking_id}", ".pairs")
    await organiser.button("Cancel for the customer").click()
    found += await violations(page, *rules)
    visitor = await new_visitor(color_scheme=scheme)
    await show(visitor, "/panel", ".notice")
    found += await violations(visitor.page, *rules)
    assert found == []


async def test_the_panel_works_by_keyboard_alone(world: World, new_visitor: NewVisitor) -> None:
    event_id, _ = await furnished(world)
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await show(organiser, f"/panel/event/{event_id}/seats", ".map canvas")
    await organiser.is_live()
    await tab_to(organiser, "Pause")
    await page.keyboard.press("Enter")
    await expect(page.locator(".sale .state")).to_have_text("Paused")
    await tab_to(organiser, "Close the sale")
    await page.keyboard.press("Enter")
    # The question has the focus, on the answer that changes nothing.
    await expect(organiser.button("Leave it open")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(organiser.button("Close the sale")).to_be_focused()
    await tab_to(organiser, "Stalls")
    await page.keyboard.press("Enter")
    await tab_to(organiser, "Seat 1, free")
    await page.keyboard.press("Space")
    await expect(organiser.button("Block 1 seat")).to_be_visible()
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    await tab_to(organiser, "Block 1 seat")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("1 seat blocked.")).to_be_visible()
    await page.goto(f"/panel/event/{event_id}/plan")
    await tab_to(organiser, "choose a file")


# Before its fonts are there a page is wider than after.
@pytest.mark.parametrize("has_fonts", [True, False])
@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
async def test_a_phone_shows_the_panel_without_scrolling_sideways(
    world: World, new_visitor: NewVisitor, locale: str, has_fonts: bool
) -> None:
    event_id, booking_id = await furnished(world, name=LONG_WORD, venue=LONG_WORD)
    organiser = await open_organiser(world, new_visitor, **PHONE, locale=locale)
    if not has_fonts:
        await organiser.lose_fonts()
    for path, shown in pages_of(event_id, booking_id, await sold_out(world)):
        await show(organiser, path, shown)
        assert await organiser.excess_pixels() == 0, path


async def test_long_words_do_not_widen_the_panel_on_a_desk(world: World, new_visitor: NewVisitor) -> None:
    event_id, booking_id = await furnished(world, name=LONG_WORD * 4, venue=LONG_WORD * 4)
    organiser = await open_organiser(world, new_visitor)
    for path, shown in pages_of(event_id, booking_id, await sold_out(world)):
        await show(organiser, path, shown)
        assert await organiser.excess_pixels() == 0, path


async def test_the_panel_speaks_german_to_germans(world: World, new_visitor: NewVisitor) -> None:
    event_id, _ = await furnished(world)
    organiser = await open_organiser(world, new_visitor, locale="de-DE")
    page = organiser.page
    await show(organiser, f"/panel/event/{event_id}/edit", "form")
    await expect(page.get_by_label("Titel")).to_have_value("The Cherry Orchard")
    await expect(page.get_by_text("Zeiten gelten in Ihrer Zeitzone")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_label("Sprache").select_option("en")
    await expect(page.get_by_label("Title")).to_be_visible()


async def test_visitors_load_nothing_of_the_panel(world: World, new_visitor: NewVisitor) -> None:
    organiser = await open_organiser(world, new_visitor)
    loaded: list[str] = []
    organiser.page.on("request", lambda request: loaded.append(request.url))
    await show(organiser, "/", "h1")
    await expect(organiser.page.get_by_role("link", name="Organise")).to_be_visible()
    assert not [url for url in loaded if re.search(r"panel|uPlot", url)]
    await organiser.page.get_by_role("link", name="Organise").click()
    await organiser.page.get_by_role("heading", name="Events").wait_for()
    assert [url for url in loaded if "panel" in url]
