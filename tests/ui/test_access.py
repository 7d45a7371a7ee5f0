"""For everybody: keyboards, ears, phones, dark rooms, other languages."""

import re
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import expect

from tests.api.test_seating_plan import house_of, put
from tests.house.world import World
from tests.ui.axe import violations
from tests.ui.conftest import NewVisitor

pytestmark = pytest.mark.anyio

PHONE: Final = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
LONG_WORD: Final = "Donaudampfschifffahrtsgesellschaftskapitänsmütze"
THEATRE = Path(str(resources.files("overbookr.seats"))) / "plans" / "theatre.json"


async def planned(world: World, plan: dict[str, Any] | bytes, **fields: Any) -> str:
    """An event in a house that has a plan; its id."""
    event_id = await world.event(**fields)
    answer = await put(world, event_id, plan)
    assert answer.status_code == 201, answer.text
    return event_id


async def test_seats_are_bought_by_keyboard_alone(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12)
    visitor = await new_visitor()
    page = visitor.page
    await visitor.watch(event_id)

    async def tab_to(name: str) -> None:
        for _ in range(60):
            await page.keyboard.press("Tab")
            focused: str = await page.evaluate(
                """document.activeElement.matches('body') ? '' : document.activeElement.getAttribute('aria-label')
                   ?? document.activeElement.textContent"""
            )
            if name in focused:
                return
        raise AssertionError(f"{name} cannot be reached by the Tab key")

    await tab_to("12 seats free")
    await page.keyboard.press("Enter")
    await tab_to("Seat S2, free")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("checkbox", name="Seat S2")).to_be_checked()
    await expect(page.locator(".event > [role=status]")).to_have_text("S2 chosen. 1 seat in all.")
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    await tab_to("Hold 1 seat")
    await page.keyboard.press("Enter")
    await expect(visitor.button("Book 1 seat")).to_be_visible()
    await tab_to("Book 1 seat")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The seats are yours.")).to_be_visible()


# A dark page is the same page in other colours.
@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
async def test_axe_finds_nothing_on_any_page(
    world: World, new_visitor: NewVisitor, scheme: str, rules: tuple[str, ...]
) -> None:
    event_id = await planned(world, house_of(A=4, B=4), name="The Cherry Orchard")
    sold_out = await world.event(1)
    await world.booked(await world.user(), sold_out, "S1")
    visitor = await new_visitor(color_scheme=scheme)
    page, found = visitor.page, []
    booking_id = await world.booked(visitor.someone, event_id, "Stalls-B-3")
    for path, shown in [
        ("/", ".show"),
        ("/my-bookings", ".show"),
        (f"/booking/{booking_id}", ".code img"),
        ("/log-in", "form"),
        ("/register", "form"),
        (f"/event/{sold_out}", ".waitlist form"),
        ("/event/nothing", ".notice"),
    ]:
        await page.goto(path)
        await page.locator(shown).first.wait_for()
        found += await violations(page, *rules)
    await visitor.watch(event_id)
    await page.locator(".seat-list summary").first.click()
    await page.get_by_role("checkbox", name="Seat 3, free").first.click()
    found += await violations(page, *rules)
    await visitor.button("Hold 1 seat").click()
    await expect(visitor.button("Book 1 seat")).to_be_visible()
    found += await violations(page, *rules)
    assert found == []


# Before its fonts are there a page is wider than after.
@pytest.mark.parametrize("has_fonts", [True, False])
@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
async def test_a_phone_shows_everything_without_scrolling_sideways(
    world: World, new_visitor: NewVisitor, locale: str, has_fonts: bool
) -> None:
    event_id = await planned(world, house_of(**{LONG_WORD: 4}), name=LONG_WORD, venue=LONG_WORD)
    visitor = await new_visitor(**PHONE, locale=locale)
    if not has_fonts:
        await visitor.lose_fonts()
    booking_id = await world.booked(visitor.someone, event_id, f"Stalls-{LONG_WORD}-3")
    for path, shown in [
        ("/", ".show"),
        ("/log-in", "form"),
        ("/my-bookings", ".show"),
        (f"/booking/{booking_id}", ".code img"),
        (f"/event/{event_id}", ".seat-list summary"),
    ]:
        await visitor.page.goto(path)
        await visitor.page.locator(shown).first.wait_for()
        assert await visitor.excess_pixels() == 0, path
    await visitor.page.locator(".seat-list summary").first.click()
    await visitor.page.get_by_role("checkbox", name="Seat 1" if locale == "en-GB" else "Platz 1").first.click()
    await expect(visitor.chosen).to_have_count(1)
    assert await visitor.excess_pixels() == 0
    await visitor.watch(await world.event([LONG_WORD]))
    await visitor.page.locator(".seat-list summary").first.click()
    await expect(visitor.page.get_by_role("checkbox", name=LONG_WORD)).to_be_visible()
    assert await visitor.excess_pixels() == 0


async def test_seats_are_chosen_on_a_phone(world: World, new_visitor: NewVisitor) -> None:
    event_id = await planned(world, THEATRE.read_bytes())
    visitor = await new_visitor(**PHONE)
    page = visitor.page
    await visitor.watch(event_id)
    canvas = page.locator(".map canvas")
    # Too small to tell seats apart, so the first touch comes nearer, and the second takes a seat.
    assert await canvas.evaluate("canvas => canvas.positionOf('Stalls-F-9')") is None
    await canvas.tap()
    await canvas.evaluate(
        "async canvas => { while (!canvas.positionOf('Stalls-F-9')) await new Promise(requestAnimationFrame) }"
    )
    box = await canvas.bounding_box()
    assert box is not None
    nearest: dict[str, Any] = await canvas.evaluate(
        """canvas => {
             const rows = [...'ABCDEFGHIJKLMN'], seats = Array.from({length: 40}, (_, at) => at + 1);
             const places = rows.flatMap(row => seats.map(seat => canvas.positionOf(`Stalls-${row}-${seat}`)));
             const away = place => Math.hypot(place.x - canvas.clientWidth / 2, place.y - canvas.clientHeight / 2);
             return places.filter(place => place).sort((one, other) => away(one) - away(other))[0];
           }"""
    )
    await page.touchscreen.tap(box["x"] + nearest["x"], box["y"] + nearest["y"])
    await expect(visitor.chosen).to_have_count(1)
    await expect(visitor.button("Hold 1 seat")).to_be_in_viewport()


async def test_the_pages_speak_german_to_germans(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12)
    visitor = await new_visitor(known=False, locale="de-CH")
    page = visitor.page
    await page.goto(f"/event/{event_id}")
    await expect(page.get_by_role("heading", name="Ihre Plätze")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "de"
    assert await violations(page) == []
    await page.get_by_label("Sprache").select_option("en")
    await expect(page.get_by_role("heading", name="Your seats")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name=re.compile("Your seats"))).to_be_visible()
