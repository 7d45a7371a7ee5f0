"""Pages of the event list from memory: read once for many, soon old, and never of before a change."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from litestar.types import HTTPScope

from overbookr import limits
from overbookr.events.pages import PATH, EventPages, draw_page
from overbookr.http.documents import Document
from tests.api.answers import accepted
from tests.house.world import World

pytestmark = pytest.mark.anyio

FRONT = (PATH, b"")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Readings:
    """Each reading is another document, and waits until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.let_go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> Document:
        self.begun += 1
        number = self.begun
        await self.let_go.wait()
        if self.error is not None:
            raise self.error
        return draw_page([], {"X-Total-Count": str(number)})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pages(clock: Clock) -> EventPages:
    return EventPages(clock)


@pytest.fixture
async def readings() -> Readings:
    return Readings()


async def count_of(page: Awaitable[Document]) -> str:
    """Which reading a page is of."""
    return dict((await (await page).rendition("identity")).headers)[b"x-total-count"].decode()


def asked(*headers: tuple[bytes, bytes], path: str = PATH, query: bytes = b"") -> HTTPScope:
    scope: dict[str, Any] = {"path": path, "query_string": query, "headers": list(headers)}
    return cast("HTTPScope", scope)


async def test_many_who_ask_at_once_share_a_reading(pages: EventPages, readings: Readings) -> None:
    asking = [asyncio.ensure_future(count_of(pages.page(FRONT, readings, anew=False))) for _ in range(50)]
    await asyncio.sleep(0)
    readings.let_go.set()
    assert await asyncio.gather(*asking) == ["1"] * 50
    assert readings.begun == 1
    other = (PATH, b"q=opera")
    assert await count_of(pages.page(other, readings, anew=False)) == "2", "another page is another reading"


async def test_a_page_is_shown_for_a_while_from_when_its_reading_began(
    pages: EventPages, readings: Readings, clock: Clock
) -> None:
    slow = asyncio.ensure_future(count_of(pages.page(FRONT, readings, anew=False)))
    await asyncio.sleep(0)
    clock.now += limits.EVENT_PAGE_AGE_SECONDS_MAX * 0.9
    readings.let_go.set()
    assert await slow == "1"
    assert await count_of(pages.page(FRONT, readings, anew=False)) == "1"
    clock.now += limits.EVENT_PAGE_AGE_SECONDS_MAX * 0.2
    assert pages.ready(asked()) is None
    assert await count_of(pages.page(FRONT, readings, anew=False)) == "2"


async def test_who_wants_the_present_gets_a_reading_that_begins_now(pages: EventPages, readings: Readings) -> None:
    readings.let_go.set()
    assert await count_of(pages.page(FRONT, readings, anew=False)) == "1"
    assert await count_of(pages.page(FRONT, readings, anew=True)) == "2"
    assert await count_of(pages.page(FRONT, readings, anew=False)) == "2"


async def test_after_a_change_nothing_from_before_is_shown(pages: EventPages, readings: Readings) -> None:
    before = asyncio.ensure_future(count_of(pages.page(FRONT, readings, anew=False)))
    await asyncio.sleep(0)
    pages.forget()
    after = asyncio.ensure_future(count_of(pages.page(FRONT, readings, anew=False)))
    await asyncio.sleep(0)
    readings.let_go.set()
    assert await asyncio.gather(*[before, after]) == ["1", "2"]


async def test_a_reading_that_failed_is_nobodys_answer_afterwards(pages: EventPages, readings: Readings) -> None:
    readings.let_go.set()
    readings.error = ConnectionError("the database is away")
    with pytest.raises(ConnectionError):
        await pages.page(FRONT, readings, anew=False)
    assert pages.ready(asked()) is None
    readings.error = None
    assert await count_of(pages.page(FRONT, readings, anew=False)) == "2"


async def test_who_leaves_does_not_take_the_page_from_the_others(pages: EventPages, readings: Readings) -> None:
    leaving, staying = [asyncio.ensure_future(count_of(pages.page(FRONT, readings, anew=False))) for _ in range(2)]
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    readings.let_go.set()
    assert await staying == "1"


async def test_no_more_pages_are_kept_than_there_is_room_for(pages: EventPages, readings: Readings) -> None:
    readings.let_go.set()
    for number in range(limits.EVENT_PAGES_KEPT_MAX + 10):
        await pages.page((PATH, b"q=%d" % number), readings, anew=False)
    assert len(pages._kept) == limits.EVENT_PAGES_KEPT_MAX


async def test_what_lies_ready_is_for_those_who_do_not_say_who_they_are(pages: EventPages, readings: Readings) -> None:
    readings.let_go.set()
    assert pages.ready(asked()) is None
    page = await pages.page(FRONT, readings, anew=False)
    assert pages.ready(asked()) is None, "not before somebody has had it in this encoding"
    etag = (await page.rendition("identity")).etag.encode()
    answer = pages.ready(asked())
    assert answer is not None
    assert (answer.status, answer.body, answer.path) == (200, b"[]", PATH)
    unchanged = pages.ready(asked((b"if-none-match", etag)))
    assert unchanged is not None
    assert (unchanged.status, unchanged.body) == (304, b"")
    for other in (
        asked((b"authorization", b"Bearer x")), asked((b"cache-control", b"no-cache")), asked(query=b"limit=20"),
        asked(path="/events/"),
    ):  # fmt: skip
        assert pages.ready(other) is None


# ---------------------------------------------------------------- over HTTP


async def shown(ask: Callable[[], Awaitable[Any]]) -> list[str]:
    return [event["name"] for event in accepted(await ask())]


async def test_an_organiser_sees_the_list_as_it_is_and_everybody_a_moment_later(world: World) -> None:
    word = "only-here-" + (await world.user()).email.partition("@")[0]
    admin = await world.admin()

    async def everybody() -> Any:
        return await world.http.get("/events", params={"q": word})

    async def organiser() -> Any:
        return await world.http.get("/events", params={"q": word}, headers=admin.headers)

    async def at_once() -> Any:
        return await world.http.get("/events", params={"q": word}, headers={"Cache-Control": "no-cache"})

    for number in range(1, 6):
        assert len(await shown(everybody)) < number
        await world.event(1, name=f"{word} {number}")
        assert len(await shown(organiser)) == number
        assert len(await shown(at_once)) == number
        async with asyncio.timeout(10):
            while len(await shown(everybody)) < number:
                pass


async def test_a_page_that_is_known_is_not_sent_again(world: World) -> None:
    word = "known-" + (await world.user()).email.partition("@")[0]
    await world.event(1, name=word)
    first = await world.http.get("/events", params={"q": word})
    assert first.headers["x-total-count"] == "1"
    assert "first" in first.links
    known = {"If-None-Match": first.headers["etag"]}
    for extra in ({}, {"Cache-Control": "no-cache"}):
        again = await world.http.get("/events", params={"q": word}, headers=known | extra)
        assert (again.status_code, again.content) == (304, b"")
    await world.event(1, name=word)
    changed = await world.http.get("/events", params={"q": word}, headers=known | {"Cache-Control": "no-cache"})
    assert (changed.status_code, changed.headers["x-total-count"]) == (200, "2")
