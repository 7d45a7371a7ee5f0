"""What others do is seen at once, and a connection that was lost is made up for."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.house.postgres import PostgresServer
from tests.house.serving import free_port, serve
from tests.house.world import World, open_world
from tests.ui.conftest import NewVisitor

pytestmark = pytest.mark.anyio

# What the list says of a seat, as it is read out.
SOLD = "Seat S2, sold"


async def open_list(page: Page) -> None:
    await page.locator(".seat-list summary").first.click()


async def test_the_loser_of_a_fight_for_a_seat_sees_it_at_once(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12)
    winner, loser = await new_visitor(), await new_visitor()
    for visitor in (winner, loser):
        await visitor.watch(event_id)
        await visitor.choose("S6")
    await loser.choose("S7")
    await winner.button("Hold 1 seat").click()
    await expect(loser.alert).to_contain_text("S6: somebody else was first and is holding it.")
    await expect(loser.chosen).to_have_text(["S7"])
    # What is left can be had.
    await loser.button("Hold 1 seat").click()
    await expect(loser.button("Book 1 seat")).to_be_visible()
    await world.assert_lawful()


async def test_a_refused_hold_says_what_was_lost_and_keeps_the_rest(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12)
    visitor = await new_visitor()
    await visitor.watch(event_id)
    await visitor.choose("S1", "S2")
    # The page is told nothing more, so that only the server knows.
    await visitor.page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    await visitor.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(visitor.page.locator(".liveness")).not_to_have_text("Live")
    await world.booked(await world.user(), event_id, "S2")
    await visitor.button("Hold 2 seats").click()
    await expect(visitor.alert).to_contain_text("S2: has been sold.")
    await expect(visitor.page.get_by_text("Nothing was held.")).to_be_visible()
    await expect(visitor.chosen).to_have_text(["S1"])


async def test_a_restart_of_the_server_is_made_up_for(
    server: PostgresServer, template: str, tmp_path: Path, new_visitor: NewVisitor
) -> None:
    dsn = server.create_database(template=template)
    settings = {"OVERBOOKR_PORT": str(free_port()), "OVERBOOKR_WORKERS": "1"}
    served = serve(dsn, tmp_path, settings)
    try:
        async with open_world(served) as world:
            event_id = await world.event(12)
            visitor = await new_visitor(served)
            visitor.tolerated.append("net::")
            await visitor.watch(event_id)
            await open_list(visitor.page)
            await visitor.choose("S1")
            assert served.stop() == 0
            await expect(visitor.page.locator(".liveness")).to_have_text("Reconnecting …")
            served = serve(dsn, tmp_path, settings)
        async with open_world(served) as world:
            await visitor.is_live()
            await world.booked(await world.user(), event_id, "S2")
            await expect(visitor.page.get_by_role("checkbox", name=SOLD)).to_be_visible()
            # The session is still good, and so is the choice.
            await visitor.button("Hold 1 seat").click()
            await expect(visitor.button("Book 1 seat")).to_be_visible()
    finally:
        served.stop()


async def test_what_happened_without_a_connection_is_on_the_map_afterwards(
    world: World, new_visitor: NewVisitor
) -> None:
    event_id = await world.event(12)
    visitor = await new_visitor(known=False)
    visitor.tolerated.append("net::")
    await visitor.watch(event_id)
    await open_list(visitor.page)
    await visitor.page.context.set_offline(True)
    await visitor.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(visitor.page.locator(".liveness")).to_have_text("Reconnecting …")
    await world.booked(await world.user(), event_id, "S2")
    await visitor.page.context.set_offline(False)
    await expect(visitor.page.get_by_role("checkbox", name=SOLD)).to_be_visible()
    await visitor.is_live()
