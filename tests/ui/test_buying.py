"""From the list to the ticket."""

import re

import pytest
from playwright.async_api import expect

from tests.house.world import World
from tests.ui.conftest import NewVisitor

pytestmark = pytest.mark.anyio


async def test_a_visitor_buys_two_seats_from_the_list_to_the_ticket(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(30, name=f"The Tempest {world.served.dsn[-6:]}")
    visitor = await new_visitor(known=False)
    page = visitor.page
    await page.goto("/")
    await page.get_by_role("searchbox").fill("tempest")
    await page.get_by_role("link", name=re.compile("The Tempest")).first.click()
    await expect(page).to_have_url(re.compile(f"/event/{event_id}$"))
    await visitor.is_live()
    await visitor.choose("S3", "S4")
    await visitor.button("Hold 2 seats").click()
    # Nobody is known yet; the choice is still there after opening an account.
    await page.get_by_role("link", name="Open an account").click()
    await visitor.register()
    await expect(visitor.chosen).to_have_text(["S3", "S4"])
    await visitor.button("Hold 2 seats").click()
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"^[45]:\d\d$"))
    assert (await world.seat_statuses(event_id))["S3"] == "held"
    # Twice, as impatient people do.
    await visitor.button("Book 2 seats").dblclick()
    await expect(page).to_have_url(re.compile("/booking/"))
    await expect(page.get_by_text("The seats are yours.")).to_be_visible()
    ticket = page.get_by_role("img", name="Code of the ticket")
    await expect(ticket).to_be_visible()
    assert await ticket.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    await page.get_by_role("link", name="My bookings").click()
    await expect(page.locator(".booked li")).to_have_count(1)
    await expect(page.locator(".booked li")).to_contain_text("2 seats · Booked")
    assert (await world.get_event(event_id))["booked_count"] == 2
    await world.assert_lawful()


async def test_a_held_seat_survives_loading_the_page_anew_and_can_be_let_go(
    world: World, new_visitor: NewVisitor
) -> None:
    event_id = await world.event(12)
    visitor = await new_visitor()
    await visitor.watch(event_id)
    await visitor.choose("S5")
    await visitor.button("Hold 1 seat").click()
    await expect(visitor.button("Book 1 seat")).to_be_visible()
    await visitor.page.reload()
    await expect(visitor.button("Book 1 seat")).to_be_visible()
    await expect(visitor.chosen).to_have_text(["S5"])
    await visitor.button("Let go").click()
    await expect(visitor.page.get_by_text("The seats are free for others again.")).to_be_visible()
    assert (await world.seat_statuses(event_id))["S5"] == "available"


async def test_a_hold_that_lapses_says_so_and_nothing_can_be_booked(
    brief_world: World, new_visitor: NewVisitor
) -> None:
    event_id = await brief_world.event(12)
    visitor = await new_visitor(brief_world.served)
    await visitor.watch(event_id)
    await visitor.page.locator(".seat-list summary").click()
    await visitor.choose("S5")
    await visitor.button("Hold 1 seat").click()
    await expect(visitor.page.get_by_text("Your time was over")).to_be_visible()
    await expect(visitor.button("Book 1 seat")).to_have_count(0)
    # And the map comes to know that the seat can be chosen again.
    await expect(visitor.page.get_by_role("checkbox", name="Seat S5, free")).to_be_visible()
    await visitor.choose("S5")


async def test_a_booking_is_cancelled_after_a_question(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(5)
    visitor = await new_visitor()
    booking_id = await world.booked(visitor.someone, event_id, "S1", "S2")
    await visitor.page.goto(f"/booking/{booking_id}")
    await visitor.button("Cancel the booking").click()
    await visitor.button("Keep it").click()
    assert (await world.seat_statuses(event_id))["S1"] == "booked"
    await visitor.button("Cancel the booking").click()
    await visitor.button("Yes, cancel").click()
    await expect(visitor.page.get_by_text("This booking is cancelled.")).to_be_visible()
    await expect(visitor.page.get_by_role("img", name="Code of the ticket")).to_have_count(0)
    assert (await world.seat_statuses(event_id))["S1"] == "available"


async def test_a_promotion_reaches_the_page(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(2)
    first = await world.user()
    booking_id = await world.booked(first, event_id, "S1", "S2")
    other = await world.user()
    assert (await world.join(other, event_id, 1)).status_code == 202
    visitor = await new_visitor()
    page = visitor.page
    await visitor.watch(event_id)
    await page.get_by_label("How many seats?").select_option("2")
    await visitor.button("Join the waitlist").click()
    await expect(page.get_by_text("You are number 2 in the queue.")).to_be_visible()
    await world.http.delete(f"/events/{event_id}/waitlist/me", headers=other.headers)
    assert (await world.cancel(first, booking_id)).status_code == 200
    await expect(page.get_by_text("2 seats came free and are yours.")).to_be_visible()
    await page.get_by_role("link", name="Show the booking").click()
    await expect(page.get_by_role("img", name="Code of the ticket")).to_be_visible()


async def test_the_waitlist_can_be_left(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(1)
    await world.booked(await world.user(), event_id, "S1")
    visitor = await new_visitor()
    await visitor.watch(event_id)
    await visitor.button("Join the waitlist").click()
    await expect(visitor.page.get_by_text("You are next.")).to_be_visible()
    await visitor.button("Leave the waitlist").click()
    await expect(visitor.page.get_by_text("You do not wait any more.")).to_be_visible()
    assert (await world.get_event(event_id))["waiting_count"] == 0
