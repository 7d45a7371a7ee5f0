"""The list of events: pages, order, search, and what is not in it."""

import asyncio
import uuid
from typing import Any

import pytest

from tests.api.answers import accepted, links_of
from tests.house.world import FAR_AWAY, World, code_of

pytestmark = pytest.mark.anyio

SHOW: dict[str, Any] = {"name": "A show", "venue": "A house", "start_time": FAR_AWAY}


async def create(world: World, **fields: Any) -> dict[str, Any]:
    admin = await world.admin()
    event: dict[str, Any] = accepted(await world.http.post("/events", json=SHOW | fields, headers=admin.headers), 201)
    return event


async def test_a_list_is_paged_and_its_links_lead_through_it_once(world: World) -> None:
    word = uuid.uuid4().hex
    days = [3, 1, 5, 2, 4]
    ids = {
        day: (await create(world, name=f"{word} {day}", start_time=f"2031-01-0{day}T00:00:00Z"))["id"] for day in days
    }
    answer = await world.http.get("/events", params={"q": word, "limit": 2})
    assert answer.headers["x-total-count"] == "5"
    found = [event["id"] for event in accepted(answer)]
    while "next" in links_of(answer):
        answer = await world.http.get(links_of(answer)["next"])
        assert answer.headers["x-total-count"] == "5"
        found += [event["id"] for event in accepted(answer)]
    assert found == [ids[day] for day in sorted(days)]
    assert "prev" in links_of(answer)
    first = await world.http.get(links_of(answer)["first"])
    assert [event["id"] for event in accepted(first)] == found[:2]


async def test_events_at_the_same_time_have_one_order(world: World) -> None:
    word = uuid.uuid4().hex
    for _ in range(4):
        await create(world, venue=word)
    whole = [event["id"] for event in accepted(await world.http.get("/events", params={"q": word}))]
    singly = [
        accepted(await world.http.get("/events", params={"q": word, "limit": 1, "offset": place}))[0]["id"]
        for place in range(4)
    ]
    assert singly == whole
    assert len(set(whole)) == 4


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=101", "limit=x", "limit=1.5", f"limit={10**40}", "offset=-1", "offset=x",
              f"offset={2**63}", f"offset={10**40}", "limit=", "include_past=perhaps"],
)  # fmt: skip
async def test_a_page_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert code_of(await world.http.get(f"/events?{query}")) == (400, "invalid_request")


async def test_twenty_are_listed_when_nobody_says_how_many(world: World) -> None:
    word = uuid.uuid4().hex
    admin = await world.admin()
    await asyncio.gather(
        *(world.http.post("/events", json=SHOW | {"name": word}, headers=admin.headers) for _ in range(21))
    )
    answer = await world.http.get("/events", params={"q": word})
    assert (len(accepted(answer)), answer.headers["x-total-count"]) == (20, "21")
    assert len(accepted(await world.http.get("/events", params={"q": word, "limit": 100}))) == 21


async def test_text_is_sought_as_it_is_written(world: World) -> None:
    word = uuid.uuid4().hex
    await create(world, name=f"{word} 100% Jazz_Night")
    await create(world, name=f"{word} 100 Jazz Night")

    async def names(text: str) -> list[str]:
        return [event["name"] for event in accepted(await world.http.get("/events", params={"q": text}))]

    assert await names(f"{word} 100%") == [f"{word} 100% Jazz_Night"]
    assert await names(f"{word.upper()} 100% JAZZ_") == [f"{word} 100% Jazz_Night"]
    assert len(await names(word)) == 2
    assert await names(f"{word}' or '1'='1") == []
    assert await names(f"%{word}") == []


@pytest.mark.parametrize("text", ["%00", "%FF", "a%00b", "x" * 5000, "%5C", "'", '"', "%25", "%F0%9F%8E%BB"])
async def test_odd_searches_are_answered(world: World, text: str) -> None:
    answer = await world.http.get(f"/events?q={text}")
    assert answer.status_code in (200, 400)


async def test_nothing_found_is_an_empty_list(world: World) -> None:
    answer = await world.http.get("/events", params={"q": uuid.uuid4().hex})
    assert accepted(answer) == []
    assert answer.headers["x-total-count"] == "0"


async def test_past_events_are_listed_only_when_asked_for(world: World) -> None:
    word = uuid.uuid4().hex
    event_id = await world.event(1, name=word)
    await world.start_event(event_id)
    assert accepted(await world.http.get("/events", params={"q": word})) == []
    asked = accepted(await world.http.get("/events", params={"q": word, "include_past": "true"}))
    assert [event["id"] for event in asked] == [event_id]
    assert (await world.get_event(event_id))["name"] == word
