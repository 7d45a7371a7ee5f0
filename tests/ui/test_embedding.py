"""The seat map in pages of other sites: an origin of its own serves them, as a theatre's own site would."""

import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import expect

from tests.house.serving import Served
from tests.house.world import World, open_world
from tests.ui.axe import violations
from tests.ui.conftest import NewVisitor
from tests.ui.visitor import WAIT_MILLISECONDS, Visitor

pytestmark = pytest.mark.anyio

JAVASCRIPT_BYTES_MAX = 45_000
# As strict as a policy can be that lets the element in; the page's own script and style have a number used once.
POLICY = (
    "default-src 'none'; script-src {server} 'nonce-own'; connect-src {server}; style-src 'nonce-own'; "
    "base-uri 'none'; require-trusted-types-for 'script'"
)
# Rules that would leave nothing of the element if they reached into it.
PAGE = """<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>A theatre's own page</title>
  <style nonce="own">
    button, canvas, .map, .button, summary, label {{ display: none !important }}
  </style>
  <main>
    <h1>A theatre's own page</h1>
    <overbookr-seat-map event="{event}"></overbookr-seat-map>
    <p class="map unseen notice"><button>A button of the page</button></p>
  </main>
  <script nonce="own">
    window.told = [];
    for (const name of ["chosen", "held", "lost", "refused", "lapsed"]) {{
      document.addEventListener(name, ({{detail}}) => told.push({{name, detail}}));
    }}
  </script>
  <script type="module" src="{server}/embed/seat-map.js"></script>
</html>"""
LAST = "name => told.findLast(one => one.name === name)?.detail ?? null"
# Playwright's own waiting evaluates strings inside of the page, which this policy forbids.
NEXT = """async ([name, seats, milliseconds]) => {
  for (const until = performance.now() + milliseconds; performance.now() < until; ) {
    const {detail} = told.findLast(one => one.name === name) ?? {};
    if (detail && (seats === null || String(detail.seats.map(seat => seat.seat_no)) === String(seats))) return detail;
    await new Promise(requestAnimationFrame);
  }
  throw new Error(`never told of ${name}, but of ${JSON.stringify(told)}`);
}"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = PAGE.format(**wanted).encode() if wanted else b""
        self.send_response(200 if wanted else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY.format(server=wanted.get("server", "'none'")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[str]:
    """Another origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def lent_world(start_server: Callable[..., Served], elsewhere: str) -> AsyncIterator[World]:
    """A world whose seats may be shown elsewhere."""
    async with open_world(start_server(OVERBOOKR_CORS_ORIGINS=elsewhere, OVERBOOKR_WORKERS="1")) as world:
        yield world


async def open_elsewhere(new_visitor: NewVisitor, world: World, origin: str, event_id: str) -> Visitor:
    visitor = await new_visitor(world.served, known=False)
    visitor.hosts.append(origin)
    await visitor.page.goto(f"{origin}/?event={event_id}&server={world.served.url}")
    return visitor


async def told(visitor: Visitor, name: str, seats: list[str] | None = None) -> Any:
    """What the element told last by this name, as soon as it has, or as soon as it was of these seats."""
    return await visitor.page.evaluate(NEXT, [name, seats, WAIT_MILLISECONDS])


async def test_another_site_holds_seats_and_hears_of_lost_ones(
    lent_world: World, elsewhere: str, new_visitor: NewVisitor
) -> None:
    event_id = await lent_world.event(12, metadata={"currency": "CHF", "prices": {"Seats": 20}})
    visitor = await open_elsewhere(new_visitor, lent_world, elsewhere, event_id)
    page, element = visitor.page, visitor.page.locator("overbookr-seat-map")
    await visitor.is_live()
    await visitor.press_seat("S3")
    await visitor.press_seat("S4")
    chosen = await told(visitor, "chosen", ["S3", "S4"])
    assert chosen["seats"][0] == {
        "seat_no": "S3", "section": "Seats", "row": "1", "number": "S3", "category": "Seats",
        "price": {"amount": 20, "currency": "CHF"},
    }  # fmt: skip
    # Without a token there is nothing to hold with.
    await expect(visitor.button("Hold 2 seats")).to_have_count(0)
    await lent_world.booked(await lent_world.user(), event_id, "S4")
    lost = await told(visitor, "lost")
    assert [(seat["seat_no"], seat["status"] in ("held", "booked")) for seat in lost["seats"]] == [("S4", True)]
    assert await element.evaluate("map => map.chosen") == ["S3"]

    buyer = await lent_world.user()
    await element.evaluate("(map, token) => { map.token = () => Promise.resolve(token) }", buyer.token)
    await visitor.button("Hold 1 seat").click()
    held = await told(visitor, "held")
    assert (held["event_id"], held["seat_nos"]) == (event_id, ["S3"])
    # With what the element told, the site books by itself.
    booked = await lent_world.book(buyer, event_id, held["hold_token"])
    assert booked.status_code == 201, booked.text
    await element.evaluate("map => map.clear()")
    await expect(visitor.button("Let go")).to_have_count(0)
    assert await page.evaluate(LAST, "refused") is None
    await lent_world.assert_lawful()


async def test_a_refused_hold_is_told_with_its_code(lent_world: World, elsewhere: str, new_visitor: NewVisitor) -> None:
    event_id = await lent_world.event(12)
    visitor = await open_elsewhere(new_visitor, lent_world, elsewhere, event_id)
    element = visitor.page.locator("overbookr-seat-map")
    await visitor.is_live()
    await element.evaluate("map => { map.token = 'no token'; map.chosen = ['S1', 'S99'] }")
    assert await element.evaluate("map => map.chosen") == ["S1"]
    assert await element.evaluate("map => map.hold()") is None
    assert (await told(visitor, "refused"))["code"] == "unauthorized"
    assert await element.evaluate("map => map.chosen") == ["S1"]
    # A site that has no token to give hears of its own error, and nothing is stuck.
    await element.evaluate("map => { told.length = 0; map.token = () => Promise.reject(new Error('logged out')) }")
    assert await element.evaluate("map => map.hold()") is None
    assert (await told(visitor, "refused"))["code"] == "unauthorized"
    others = [fault for fault in visitor.faults if "logged out" not in fault]
    assert len(others) < len(visitor.faults)
    visitor.faults = others
    someone = await lent_world.user()
    held = await element.evaluate("(map, token) => { map.token = token; return map.hold() }", someone.token)
    assert held["seat_nos"] == ["S1"]
    # While seats are held nothing else is chosen; an element of another event begins anew, with what is set along.
    await element.evaluate("map => { map.chosen = ['S2'] }")
    assert await element.evaluate("map => map.chosen") == []
    assert await element.evaluate("map => map.release()")
    other_id = await lent_world.event(5)
    await element.evaluate("(map, id) => { map.event = id; map.chosen = ['S4', 'S9'] }", other_id)
    await told(visitor, "chosen", ["S4"])
    assert await element.evaluate("map => map.chosen") == ["S4"]


async def test_an_embedded_map_is_for_everybody(lent_world: World, elsewhere: str, new_visitor: NewVisitor) -> None:
    event_id, other_id = await lent_world.event(12), await lent_world.event(7)
    visitor = await open_elsewhere(new_visitor, lent_world, elsewhere, event_id)
    page, element = visitor.page, visitor.page.locator("overbookr-seat-map")
    await visitor.is_live()
    found = await violations(page)
    await page.locator(".seat-list summary").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("checkbox", name="Seat S2, free").focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("checkbox", name="Seat S2")).to_be_checked()
    assert await element.evaluate("map => map.chosen") == ["S2"]
    found += await violations(page)
    await element.evaluate("map => { map.theme = 'dark' }")
    await expect(element.locator(".map")).to_have_css("background-color", "rgb(27, 23, 25)")
    found += await violations(page)
    # Of a page that says nothing of it the map takes its language, and leaves the page's own alone.
    await element.evaluate("map => { map.language = 'de' }")
    await expect(page.get_by_role("heading", name="Aus einer Liste wählen")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "en"
    await element.evaluate("(map, id) => { map.event = id }", other_id)
    await expect(page.get_by_text(re.compile("^7 "))).to_be_visible()
    assert await element.evaluate("map => map.chosen") == []
    # Neither has a style that the other would know of.
    assert await page.evaluate("[...document.styleSheets, ...document.adoptedStyleSheets].length") == 1
    await element.evaluate("map => map.remove()")
    assert found == []


async def test_a_site_that_is_not_listed_is_given_nothing(
    lent_world: World, elsewhere: str, new_visitor: NewVisitor
) -> None:
    event_id = await lent_world.event(12)
    visitor = await new_visitor(lent_world.served, known=False)
    origin = elsewhere.replace("127.0.0.1", "localhost")
    visitor.hosts.append(origin)
    visitor.tolerated.append("blocked by CORS policy")
    async with visitor.page.expect_console_message(lambda said: "blocked by CORS policy" in said.text):
        await visitor.page.goto(f"{origin}/?event={event_id}&server={lent_world.served.url}")
    assert await visitor.page.evaluate("customElements.get('overbookr-seat-map') === undefined")


async def test_the_address_of_the_element_never_changes(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12, name="An example")
    stable = await world.http.get("/embed/seat-map.js")
    assert stable.headers["cache-control"] == "no-cache"
    assert stable.headers["content-type"].startswith("text/javascript")
    [named] = re.findall(r'from "\./(assets/[^"]+)"', stable.text)
    answer = await world.http.get(f"/embed/{named}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await world.http.get("/embed/assets/..%2fseat-map.js")).status_code == 404
    # The example is a page that takes it from there, and writes down what it tells.
    visitor = await new_visitor(known=True)
    page = visitor.page
    await page.goto(f"/embed/example?event={event_id}")
    await visitor.is_live()
    await visitor.press_seat("S3")
    await visitor.button("Hold 1 seat").click()
    await expect(page.locator("#told li", has_text="held")).to_contain_text('"seat_nos":["S3"]')
    assert await violations(page) == []
    await visitor.button("Let go").click()
    await expect(visitor.button("Let go")).to_have_count(0)
    assert (await world.seat_statuses(event_id))["S3"] == "available"


async def test_an_embedded_map_loads_little(lent_world: World, elsewhere: str, new_visitor: NewVisitor) -> None:
    visitor = await open_elsewhere(new_visitor, lent_world, elsewhere, await lent_world.event(12))
    await visitor.is_live()
    # Sizes are not told to other origins, so they are asked for.
    names: list[str] = await visitor.page.evaluate(
        "performance.getEntriesByType('resource').map(({name}) => name).filter(name => name.endsWith('.js'))"
    )
    assert len(names) >= 2
    sizes = {}
    for name in names:
        async with lent_world.http.stream("GET", name, headers={"Accept-Encoding": "br"}) as answer:
            sizes[name] = len(b"".join([part async for part in answer.aiter_raw()]))
    assert sum(sizes.values()) <= JAVASCRIPT_BYTES_MAX, sizes
