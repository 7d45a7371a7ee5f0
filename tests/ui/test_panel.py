"""Organisers at the panel: an event from nothing to sold seats, and what they do for customers."""

import asyncio
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.house.serving import environment
from tests.house.world import World
from tests.ui.conftest import NewVisitor
from tests.ui.organiser import drop, figure, is_on_the_panel, open_organiser, open_rows, use_plan
from tests.ui.test_access import THEATRE, planned
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.anyio


async def test_an_event_is_made_furnished_and_put_on_sale(world: World, new_visitor: NewVisitor) -> None:
    name = f"A show {uuid.uuid4().hex[:8]}"
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await page.goto("/")
    await page.get_by_role("link", name="Organise").click()
    await page.get_by_role("link", name="New event").click()
    await organiser.button("Create the event").click()
    await expect(page.get_by_text("Enter a title of at most 200 characters.")).to_be_visible()
    await expect(page.get_by_label("Title")).to_be_focused()
    await page.get_by_label("Title").fill(name)
    await page.get_by_label("Venue").fill("A house")
    await page.get_by_label("Start", exact=True).fill("2031-05-01T19:30")
    await page.get_by_label("Sale opens").fill("2031-01-02T10:00")
    await page.get_by_label("Sale closes").fill("2031-01-01T10:00")
    await organiser.button("Create the event").click()
    await expect(page.get_by_text("The sale has to close after it opens.")).to_be_visible()
    await page.get_by_label("Sale opens").fill("")
    await page.get_by_label("Sale closes").fill("")
    await organiser.button("Create the event").click()
    # A new event is a draft, which visitors do not see, and wants seats.
    await page.get_by_role("heading", name="Seating plan").wait_for()
    event_id = re.search(r"/panel/event/([0-9a-f-]+)/plan", page.url)
    assert event_id is not None
    assert (await world.http.get(f"/events/{event_id[1]}")).status_code == 404
    # Looked at first; nothing is changed by that.
    await drop(organiser, "theatre.json", THEATRE.read_bytes())
    await expect(page.get_by_text("472 seats in 4 sections. Nothing has been changed yet.")).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("^Premium"))).to_have_text(re.compile(r"Premium\d+"))
    assert await page.locator(".plan-preview canvas").evaluate("canvas => canvas.positionOf('Stalls-A-1')") is not None
    await organiser.button("Do not use it").click()
    await expect(page.locator(".plan-preview")).to_have_count(0)
    assert await world.pool.fetchval("select count(*) from seats where event_id = $1", uuid.UUID(event_id[1])) == 0
    await use_plan(organiser, THEATRE.read_bytes())
    await expect(page.get_by_text("472 seats from theatre.json.")).to_be_visible()
    await organiser.button("Open the sale").click()
    await expect(page.locator(".sale .state")).to_have_text("On sale")
    event = await world.get_event(event_id[1])
    assert (event["name"], event["status"], event["seats_count"]) == (name, "on_sale", 472)
    await organiser.button("Pause").click()
    await expect(page.locator(".sale .state")).to_have_text("Paused")
    await organiser.button("Close the sale").click()
    await organiser.button("Yes, close it").click()
    await expect(page.locator(".sale .state")).to_have_text("Closed")
    assert (await world.get_event(event_id[1]))["status"] == "closed"


async def test_details_are_changed_and_refusals_are_told_at_their_field(world: World, new_visitor: NewVisitor) -> None:
    event_id = await planned(world, THEATRE.read_bytes(), name="Before", metadata={"genre": "drama"})
    await world.booked(await world.user(), event_id, "Stalls-A-1", "Stalls-A-2")
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await page.goto(f"/panel/event/{event_id}/edit")
    await page.get_by_label("Title").fill("After")
    await page.get_by_label("Stalls").fill("48,50")
    await page.get_by_label("Sell at most").fill("1")
    await organiser.button("Save").click()
    await expect(page.get_by_text("More seats than that are held or booked already.")).to_be_visible()
    await expect(page.get_by_label("Title")).to_have_value("After")
    await page.get_by_label("Sell at most").fill("400")
    await organiser.button("Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    event = await world.get_event(event_id)
    assert (event["name"], event["capacity"]) == ("After", 400)
    assert event["metadata"] == {"genre": "drama", "currency": "EUR", "prices": {"Stalls": 48.5}}


async def test_a_wrong_file_is_shown_where_it_is_wrong_and_changes_nothing(
    world: World, new_visitor: NewVisitor
) -> None:
    event_id = await planned(world, THEATRE.read_bytes())
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await page.goto(f"/panel/event/{event_id}/plan")
    plan: dict[str, Any] = json.loads(THEATRE.read_text())
    plan["zones"][0]["rows"][1]["seats"][2]["category"] = "Royal"
    text = json.dumps(plan, indent=2)
    await drop(organiser, "theatre.json", text.encode())
    line = text[: text.index('"Royal"')].count("\n") + 1
    await expect(page.locator(".mistakes .line").first).to_have_text(re.compile(rf"^Line {line}, column \d+$"))
    await expect(page.locator(".mistakes mark").first).to_have_text('"Royal"')
    await drop(organiser, "theatre.json", text[:1000].encode())
    await expect(page.locator(".mistakes li")).to_have_count(1)
    await drop(organiser, "theatre.json", b"\xc3\x28 no plan".decode("latin-1").encode())
    await expect(page.locator(".mistakes .line")).to_have_text("Line 1, column 1")
    assert (await world.get_event(event_id))["seats_count"] == 472
    # Seats that are sold have to be in it.
    await world.booked(await world.user(), event_id, "Stalls-A-1")
    del plan["zones"][0]
    await use_plan(organiser, json.dumps(plan).replace('"Royal"', '"Stalls"').encode())
    await expect(page.get_by_role("alert").get_by_text("Stalls-A-1", exact=True)).to_be_visible()
    await use_plan(organiser, THEATRE.read_bytes())
    await expect(page.get_by_text("472 seats from theatre.json.")).to_be_visible()
    await world.assert_lawful()


async def test_a_visitor_sees_at_once_what_is_blocked_and_unblocked(world: World, new_visitor: NewVisitor) -> None:
    event_id = await planned(world, THEATRE.read_bytes())
    organiser, visitor = await open_organiser(world, new_visitor), await new_visitor()
    await visitor.watch(event_id)
    page = organiser.page
    await page.goto(f"/panel/event/{event_id}/seats")
    await organiser.is_live()
    # By a rectangle over two seats of a row, with the shift key.
    canvas = page.locator(".map canvas")
    await canvas.scroll_into_view_if_needed()
    places: list[dict[str, float]] = await canvas.evaluate(
        """async canvas => {
             while (!canvas.positionOf?.('Stalls-C-5')) await new Promise(requestAnimationFrame);
             return ['Stalls-C-5', 'Stalls-C-6'].map(label => canvas.positionOf(label));
           }"""
    )
    box = await canvas.bounding_box()
    assert box is not None
    left, right = sorted(place["x"] for place in places)
    top, bottom = sorted(place["y"] for place in places)
    await page.keyboard.down("Shift")
    await page.mouse.move(box["x"] + left - 4, box["y"] + top - 4)
    await page.mouse.down()
    await page.mouse.move(box["x"] + left + 3, box["y"] + bottom + 2)
    await page.mouse.move(box["x"] + right + 4, box["y"] + bottom + 4)
    await page.mouse.up()
    await page.keyboard.up("Shift")
    await page.get_by_label("Reason").fill("for the author")
    await organiser.button("Block 2 seats").click()
    await expect(page.get_by_text("2 seats blocked.")).to_be_visible()
    await open_rows(visitor)
    row = visitor.page.get_by_role("group", name="Row C")
    await expect(row.get_by_role("checkbox", name="Seat 5, not for sale")).to_be_visible()
    await expect(row.get_by_role("checkbox", name="Seat 6, not for sale")).to_be_visible()
    reason = "select block_reason from seats where event_id = $1 and seat_no = 'Stalls-C-5'"
    assert await world.pool.fetchval(reason, uuid.UUID(event_id)) == "for the author"
    # From the list, and back on sale.
    await open_rows(organiser)
    for number in (5, 6):
        await page.get_by_role("group", name="Row C").get_by_role("checkbox", name=f"Seat {number}, not").check()
    await organiser.button("Unblock 2 seats").click()
    await expect(row.get_by_role("checkbox", name="Seat 5, free")).to_be_visible()
    await world.assert_lawful()


async def test_what_was_sold_meanwhile_is_not_blocked_and_named(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(6)
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await page.goto(f"/panel/event/{event_id}/seats")
    await organiser.is_live()
    await open_rows(organiser)
    await page.get_by_role("button", name="Whole row").click()
    await expect(organiser.button("Block 6 seats")).to_be_visible()
    # The page is told nothing more, so that only the server knows.
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.locator(".liveness")).not_to_have_text("Live")
    await world.booked(await world.user(), event_id, "S2")
    await organiser.button("Block 6 seats").click()
    await expect(page.get_by_role("alert").get_by_text("S2", exact=True)).to_be_visible()
    assert set((await world.seat_statuses(event_id)).values()) == {"available", "booked"}


async def test_figures_follow_the_sale(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12)
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await page.goto(f"/panel/event/{event_id}")
    await organiser.is_live()
    await expect(figure(organiser, "Free")).to_have_text("12")
    buyer, waiter = await world.users(2)
    booking_id = await world.booked(buyer, event_id, "S1", "S2", "S3")
    await world.held(await world.user(), event_id, "S4", "S5")
    for name, count in (("Sold", "3"), ("Held", "2"), ("Free", "7"), ("Waiting", "0")):
        await expect(figure(organiser, name)).to_have_text(count)
    assert (await world.join(waiter, event_id, 8)).status_code == 202
    await expect(figure(organiser, "Waiting")).to_have_text("1")
    # Three seats go back, so that ten are free and the waiter gets eight of them.
    assert (await world.cancel(buyer, booking_id)).status_code == 200
    await expect(figure(organiser, "Sold")).to_have_text("8")
    funnel = page.locator(".bars tr")
    for name, figures in (("Held", "5"), ("Booked", "3"), ("Given to waiters", "8"), ("Cancelled", "3")):
        row = funnel.filter(has=page.get_by_role("rowheader", name=name, exact=True))
        await expect(row.locator(".figure")).to_have_text(figures)
    await page.get_by_text("As a table").click()
    told = page.locator(".list.small tbody td:nth-of-type(1)")
    assert sum(int(text) for text in await told.all_text_contents()) == 11


async def test_a_booking_is_found_and_cancelled_for_its_customer(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12, name="A sold show")
    customer = await world.user()
    booking_id = await world.booked(customer, event_id, "S1", "S2")
    await world.booked(await world.user(), event_id, "S3")
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    rows = page.locator(".list tbody tr")
    await page.goto(f"/panel/bookings?event={event_id}")
    await expect(rows).to_have_count(2)
    search = page.get_by_label("Reference, e-mail or seat")
    for words, count in (("S2", 1), (customer.email, 1), (booking_id, 1), ("S9", 0)):
        await search.fill(words)
        await organiser.button("Find").click()
        await expect(rows).to_have_count(count)
    await expect(page.get_by_text("Nothing was found.")).to_be_visible()
    await page.get_by_label("Event").select_option("")
    await organiser.button("Find").click()
    await expect(page.get_by_text("Choose an event to look for a seat.")).to_be_visible()
    await page.goto(f"/panel/booking/{booking_id}")
    await organiser.button("Cancel for the customer").click()
    await organiser.button("Keep it").click()
    await organiser.button("Cancel for the customer").click()
    # Twice in a row: the second press changes nothing, wherever it lands.
    await organiser.button("Yes, cancel the booking").dblclick()
    await expect(page.get_by_text("The booking is cancelled.")).to_be_visible()
    await expect(organiser.button("Cancel for the customer")).to_have_count(0)
    (booking,) = await world.bookings(customer)
    assert booking["status"] == "cancelled"
    await world.assert_lawful()


async def test_the_queue_is_shown_in_its_order(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(2)
    await world.booked(await world.user(), event_id, "S1", "S2")
    waiters = await world.users(3)
    for number, waiter in enumerate(waiters, 1):
        assert (await world.join(waiter, event_id, number)).status_code == 202
    organiser = await open_organiser(world, new_visitor)
    await organiser.page.goto(f"/panel/event/{event_id}/waitlist")
    rows = organiser.page.locator(".list tbody tr")
    await expect(rows).to_have_count(3)
    for number, waiter in enumerate(waiters):
        await expect(rows.nth(number)).to_contain_text(waiter.email)
    await world.http.delete(f"/events/{event_id}/waitlist/me", headers=waiters[0].headers)
    await expect(rows).to_have_count(2)


async def test_reports_are_shown_and_downloaded(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(4)
    await world.booked(await world.user(), event_id, "S1", "S2", "S3", "S4")
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await page.goto("/panel/sales")
    await page.locator(".series canvas").wait_for()
    async with page.expect_download() as download:
        await organiser.button("Download as CSV").click()
    text = Path(await (await download.value).path()).read_text()
    assert text.startswith("section,day,status,event_id,name,")
    assert re.search(r"^totals,,,,,[1-9]", text, re.M)
    await page.get_by_label("Range").select_option("7")
    await expect(page.get_by_role("heading", name="How full they are")).to_be_visible()


async def test_what_the_audit_found_is_told(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(2)
    await world.pool.execute(
        """insert into audits values (gen_random_uuid(), now() + interval '1 hour', now() + interval '1 hour', 1, 0.5,
             '{"seats": 2}', '{"no_double_sale": 1, "user_within_share": 0}', $1)""",
        {"no_double_sale": [{"event_id": event_id, "seat_no": "S1"}]},
    )
    organiser = await open_organiser(world, new_visitor)
    await organiser.page.goto("/panel/audit")
    await expect(organiser.page.get_by_role("heading", name="One law is broken")).to_be_visible()
    await expect(organiser.page.get_by_role("cell", name=event_id)).to_be_visible()
    await world.pool.execute("delete from audits where last_at > now()")


async def test_visitors_without_the_role_are_refused(world: World, new_visitor: NewVisitor) -> None:
    visitor = await new_visitor()
    page = visitor.page
    await page.goto("/")
    await expect(page.get_by_role("link", name="My bookings")).to_be_visible()
    await expect(page.get_by_role("link", name="Organise")).to_have_count(0)
    for path in ("/panel", "/panel/bookings", "/panel/audit"):
        await page.goto(path)
        await expect(page.get_by_text("This part of the house is for its organisers.")).to_be_visible()
        await expect(page.get_by_role("navigation", name="Organising")).to_have_count(0)
    stranger = await new_visitor(known=False)
    await stranger.page.goto("/panel/sales")
    await stranger.page.get_by_role("main").get_by_role("link", name="Log in").click()
    await expect(stranger.page).to_have_url(re.compile("/log-in"))


async def sold(organiser: Visitor) -> int:
    return int((await figure(organiser, "Sold").inner_text()).replace(",", ""))


async def test_the_arena_is_imported_and_watched_while_it_sells(
    world: World, new_visitor: NewVisitor, arena: bytes, tmp_path: Path
) -> None:
    """The demonstration sells an event of its own, in the same house."""
    event_id = await world.event(0, status="draft")
    organiser = await open_organiser(world, new_visitor)
    page = organiser.page
    await page.goto(f"/panel/event/{event_id}/plan")
    await use_plan(organiser, arena, "arena.json")
    await expect(page.get_by_text("seats from arena.json.")).to_be_visible()
    await organiser.button("Open the sale").click()
    await expect(page.locator(".sale .state")).to_have_text("On sale")
    plan = tmp_path / "arena.json"
    plan.write_bytes(arena)
    served = world.served
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "overbookr", "demo", "--url", served.url, "--plan", str(plan), "--buyers", "400",
        "--seed", "1", env=environment(served.dsn, served.data_dir, served.settings), cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        newest = "select event_id from events where event_id <> $1 and created_at > $2 and seats_count > 1000"
        created = await world.pool.fetchval("select created_at from events where event_id = $1", uuid.UUID(event_id))
        while (sold_id := await world.pool.fetchval(newest, uuid.UUID(event_id), created)) is None:
            assert demo.returncode is None, "the demonstration ended before it began"
            await asyncio.sleep(0.1)
        await page.goto(f"/panel/event/{sold_id}")
        await is_on_the_panel(organiser)
        await expect(figure(organiser, "Sold")).not_to_have_text("0")
        await expect(page.locator(".series canvas")).to_be_visible()
        # What a demonstration comes to is told by tests of its own. Nobody buys any more, and the page catches up.
        demo.kill()
        await demo.wait()
        while (await world.get_event(str(sold_id)))["booked_count"] != await sold(organiser):
            await asyncio.sleep(0.1)
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
