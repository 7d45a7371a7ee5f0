"""Somebody of the house at the panel, and what they do there."""

from typing import Any

from playwright.async_api import Locator, expect

from tests.house.world import World
from tests.ui.conftest import NewVisitor
from tests.ui.visitor import Visitor


async def open_organiser(world: World, new_visitor: NewVisitor, **options: Any) -> Visitor:
    """A browser in which an administrator is logged in."""
    visitor = await new_visitor(**options)
    await world.pool.execute("update users set role = 'admin' where user_id = $1", visitor.someone.id)
    return visitor


async def drop(visitor: Visitor, name: str, text: bytes) -> None:
    """Drop a file on the page, as from a folder beside it."""
    transfer = await visitor.page.evaluate_handle(
        """([name, text]) => {
             const transfer = new DataTransfer();
             transfer.items.add(new File([text], name, {type: 'application/json'}));
             return transfer;
           }""",
        [name, text.decode()],
    )
    await visitor.page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})


async def use_plan(visitor: Visitor, text: bytes, name: str = "theatre.json") -> None:
    """Drop a plan's file, look at it, and use it."""
    await drop(visitor, name, text)
    await visitor.button("Use this plan").click()


def figure(visitor: Visitor, name: str) -> Locator:
    """One of the large figures of the live page."""
    return (
        visitor.page.locator(".figures div")
        .filter(has=visitor.page.get_by_text(name, exact=True))
        .locator(".figure-large")
    )


async def open_rows(visitor: Visitor) -> None:
    """Show the boxes of the first section in the list of seats."""
    await visitor.page.locator(".seat-list summary").first.click()


async def tab_to(visitor: Visitor, name: str) -> None:
    """Go on by the Tab key until something of this name has the focus."""
    for _ in range(80):
        await visitor.page.keyboard.press("Tab")
        focused: str = await visitor.page.evaluate(
            """(() => { const here = document.activeElement;
                 if (here.matches('body')) return '';
                 return here.getAttribute('aria-label') ?? here.labels?.[0]?.textContent ?? here.textContent; })()"""
        )
        if name in focused:
            return
    raise AssertionError(f"{name} cannot be reached by the Tab key")


async def is_on_the_panel(visitor: Visitor) -> None:
    await expect(visitor.page.get_by_role("navigation", name="Organising")).to_be_visible()
