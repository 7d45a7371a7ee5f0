"""How the pages are served: addresses, caches, what a browser is allowed, and where the session is."""

import re

import httpx
import pytest
from playwright.async_api import expect

from tests.house.world import World, code_of
from tests.ui.conftest import NewVisitor

pytestmark = pytest.mark.anyio

JAVASCRIPT_BYTES_MAX = 60_000


async def test_the_page_is_asked_for_anew_and_what_it_loads_never(world: World, new_visitor: NewVisitor) -> None:
    await new_visitor(known=False)
    page = await world.http.get("/", headers={"Cache-Control": "", "Accept-Encoding": "gzip, br"})
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-encoding"] == "br"
    unchanged = await world.http.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    loaded = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)
    assert len(loaded) >= 3
    for path in loaded:
        answer = await world.http.get(path, headers={"Accept-Encoding": "br"})
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", path
        if path.endswith((".js", ".css")):
            assert answer.headers["content-encoding"] == "br", path
            assert answer.headers["vary"] == "Accept-Encoding"
            plain = await world.http.get(path, headers={"Accept-Encoding": "identity"})
            assert plain.content == answer.content
            assert "content-encoding" not in plain.headers
    assert code_of(await world.http.get("/assets/nothing.js")) == (404, "not_found")
    assert code_of(await world.http.get("/assets/..%2findex.html")) == (404, "not_found")


async def test_a_browser_may_run_our_scripts_only(world: World, new_visitor: NewVisitor) -> None:
    await new_visitor(known=False)
    for path in ("/", "/event/1", "/booking/1", "/my-bookings", "/log-in", "/panel/anything/deep"):
        answer = await world.http.get(path)
        assert answer.status_code == 200, path
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        # Nothing is written into the page that such a policy would keep from running.
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", answer.text)
        assert not re.search(r"(?:src|href)=\"(?!/)", answer.text)


async def test_pages_leave_the_api_its_paths(world: World) -> None:
    event_id = await world.event(1)
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = await world.http.get(f"/events/{event_id}", headers=browser)
    assert answer.json()["id"] == event_id
    assert isinstance((await world.http.get("/events", headers=browser)).json(), list)
    assert code_of(await world.http.get("/no-such-page", headers=browser)) == (404, "not_found")
    assert code_of(await world.http.post("/log-in", json={})) == (405, "method_not_allowed")


async def test_deep_links_work_and_those_of_old_mails_too(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(1, name="A deep show")
    visitor = await new_visitor()
    page = visitor.page
    booking_id = await world.booked(visitor.someone, event_id, "S1")
    for link in (f"/booking/{booking_id}", f"/#/bookings/{booking_id}"):
        await page.goto("about:blank")
        await page.goto(link)
        await expect(page.get_by_role("heading", name="A deep show")).to_be_visible()
        await expect(page).to_have_url(re.compile(f"/booking/{booking_id}$"))
    await page.get_by_role("link", name="To the event").click()
    await expect(page).to_have_url(re.compile(f"/event/{event_id}$"))
    await page.go_back()
    await expect(page.get_by_role("img", name="Code of the ticket")).to_be_visible()


async def test_visitors_stay_logged_in_and_no_script_can_read_by_what(new_visitor: NewVisitor) -> None:
    visitor = await new_visitor(known=False)
    page = visitor.page
    await page.goto("/register?then=%2Fmy-bookings")
    await visitor.register()
    await expect(page.get_by_text("You have no bookings yet.")).to_be_visible()
    [cookie] = await page.context.cookies(f"{visitor.served.url}/users/page/refresh")
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    secret = cookie["value"]
    seen: str = await page.evaluate(
        "document.cookie + JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})"
    )
    assert secret not in seen
    assert "eyJ" not in seen
    assert "overbookr_refresh" not in seen
    await page.reload()
    await expect(page.get_by_text("You have no bookings yet.")).to_be_visible()
    # The answer that made the new session told no script what is in the cookie now.
    [cookie] = await page.context.cookies(f"{visitor.served.url}/users/page/refresh")
    assert cookie["value"] != secret
    await visitor.button("Log out").click()
    await expect(page.get_by_role("link", name="Log in")).to_be_visible()
    assert await page.context.cookies(f"{visitor.served.url}/users/page/refresh") == []
    async with httpx.AsyncClient(base_url=visitor.served.url) as thief:
        headers = {"Overbookr-Page": "1", "Cookie": f"overbookr_refresh={cookie['value']}"}
        assert (await thief.post("/users/page/refresh", headers=headers)).status_code == 401


async def test_wrong_passwords_are_told_in_plain_words(new_visitor: NewVisitor) -> None:
    visitor = await new_visitor(known=False)
    await visitor.page.goto("/log-in")
    await visitor.page.get_by_label("E-mail").fill("nobody@example.org")
    await visitor.page.get_by_label("Password").fill("wrong password")
    await visitor.button("Log in").click()
    await expect(visitor.page.get_by_role("alert")).to_have_text("E-mail or password is wrong.")


async def test_the_page_of_an_event_loads_little(world: World, new_visitor: NewVisitor) -> None:
    event_id = await world.event(12)
    visitor = await new_visitor(known=False)
    await visitor.watch(event_id)
    sizes: dict[str, int] = await visitor.page.evaluate(
        """Object.fromEntries(performance.getEntriesByType('resource')
             .filter(({name}) => name.endsWith('.js')).map(({name, encodedBodySize}) => [name, encodedBodySize]))"""
    )
    assert len(sizes) >= 3
    assert sum(sizes.values()) <= JAVASCRIPT_BYTES_MAX, sizes
