"""Somebody with a browser, and what they do on the pages."""

import uuid
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.house.serving import Served
from tests.house.world import Someone

PASSWORD = "correct horse battery"
# A machine that does much else at once is slow, and no test here is about that.
WAIT_MILLISECONDS = 30_000
expect.set_options(timeout=WAIT_MILLISECONDS)


class Visitor:
    """`faults` is what went wrong in the browser, and every request to somewhere else."""

    def __init__(self, page: Page, served: Served, someone: Someone | None) -> None:
        self.page = page
        self.served = served
        self._someone = someone
        self.faults: list[str] = []
        # Where the browser may ask for anything at all.
        self.hosts = [served.url]
        # Refusals are part of the game, and chromium tells them as errors; so is a server that is away in its test.
        self.tolerated = ["Failed to load resource"]
        page.set_default_timeout(WAIT_MILLISECONDS)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("console", self._hear)
        page.on("request", self._see)

    @property
    def someone(self) -> Someone:
        assert self._someone is not None, "nobody is known here"
        return self._someone

    async def watch(self, event_id: str) -> None:
        """Open the event's page and wait until it shows what the seats are."""
        await self.page.goto(f"/event/{event_id}")
        await self.is_live()

    async def is_live(self) -> None:
        await expect(self.page.locator(".liveness")).to_have_text("Live")

    async def press_seat(self, label: str) -> None:
        """On the map, as a mouse or a finger does."""
        canvas = self.page.locator(".map canvas")
        await canvas.scroll_into_view_if_needed()
        place: dict[str, Any] = await canvas.evaluate(
            """async (canvas, label) => {
                 while (!canvas.positionOf?.(label)) await new Promise(requestAnimationFrame);
                 return canvas.positionOf(label);
               }""",
            label,
        )
        box = await canvas.bounding_box()
        assert box is not None
        await self.page.mouse.click(box["x"] + place["x"], box["y"] + place["y"])

    async def choose(self, *labels: str) -> None:
        for label in labels:
            await self.press_seat(label)
            await expect(self.chosen.filter(has_text=label)).to_be_visible()

    async def excess_pixels(self) -> int:
        """By how much the page is wider than the screen. A phone's window widens with the page, so it is not asked."""
        screen = self.page.viewport_size
        assert screen is not None
        width: int = await self.page.evaluate("document.documentElement.scrollWidth")
        return max(0, width - screen["width"])

    async def lose_fonts(self) -> None:
        """Ours never come, as on a bad line; those of the machine that stand in for them are wider."""
        await self.page.route("**/*.woff2", lambda route: route.abort())

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def chosen(self) -> Locator:
        return self.page.locator(".basket .seat-name")

    @property
    def alert(self) -> Locator:
        return self.page.get_by_role("alert").filter(has_text="Gone in the meantime")

    async def register(self) -> None:
        """By the form, which must be what is shown."""
        await self.page.get_by_label("Name").fill("Ada Visitor")
        await self.page.get_by_label("E-mail").fill(f"{uuid.uuid4().hex}@example.org")
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.button("Open an account").click()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in self.tolerated):
            self.faults.append(f"console: {message.text}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith((*self.hosts, "blob:", "data:")):
            self.faults.append(f"asked another host: {request.url}")


async def open_visitor(
    browser: Browser, served: Served, *, known: bool = True, account: dict[str, str] | None = None, **options: Any
) -> Visitor:
    """`known`: with an account, and logged in as a browser is that was here before. Options are the context's.

    `account` is an e-mail and a password that are known already.
    """
    settings: dict[str, Any] = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}} | options
    context = await browser.new_context(base_url=served.url, **settings)
    if not known:
        return Visitor(await context.new_page(), served, None)
    path = "login" if account else "register"
    account = account or {"name": "Somebody", "email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}
    answer = await context.request.post(f"/users/page/{path}", data=account, headers={"Overbookr-Page": "1"})
    assert answer.ok, await answer.text()
    session = await answer.json()
    # A blank page has nowhere to keep anything.
    remember = "if (location.host) localStorage.setItem('overbookr.has-session', 'true')"
    await context.add_init_script(remember)
    someone = Someone(uuid.UUID(session["id"]), session["email"], session["token"])
    return Visitor(await context.new_page(), served, someone)
