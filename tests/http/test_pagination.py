"""Limits and offsets, and the links between pages."""

import re

import httpx
import pytest

from overbookr.http.pagination import Page, page_headers

pytestmark = pytest.mark.anyio


def links(value: str) -> dict[str, str]:
    return {relation: target for target, relation in re.findall(r'<([^>]*)>; rel="(\w+)"', value)}


async def test_the_default_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things")
    assert answer.json() == [20, 0]
    assert answer.headers["x-total-count"] == "95"
    assert links(answer.headers["link"]) == {
        "first": "/things?limit=20&offset=0",
        "next": "/things?limit=20&offset=20",
        "last": "/things?limit=20&offset=80",
    }


async def test_walking_the_links_meets_every_item_once(client: httpx.AsyncClient) -> None:
    seen: list[int] = []
    target: str | None = "/things?limit=7&q=a%26b"
    while target is not None:
        answer = await client.get(target)
        limit, offset = answer.json()
        seen.extend(range(offset, min(offset + limit, 95)))
        found = links(answer.headers["link"])
        assert "q=a%26b" in found["first"]
        target = found.get("next")
    assert seen == list(range(95))


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5", "limit=", "offset=-1", "offset=1000000001",
     "offset=9999999999999999999999", "offset=x"],
)  # fmt: skip
async def test_nonsense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/things?{query}")
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body["code"] == "invalid_request"
    assert [error["path"] for error in body["errors"]] == [query.split("=", maxsplit=1)[0]]


@pytest.mark.parametrize("query", ["limit=1&offset=0", "limit=100&offset=1000000000"])
async def test_the_bounds_themselves_are_fine(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/things?{query}")).status_code == 200


@pytest.mark.parametrize(
    ("page", "total", "expected"),
    [
        (Page(10, 0), 0, {"first": 0, "last": 0}),
        (Page(10, 0), 10, {"first": 0, "last": 0}),
        (Page(10, 0), 11, {"first": 0, "next": 10, "last": 10}),
        (Page(10, 10), 20, {"first": 0, "prev": 0, "last": 10}),
        (Page(10, 5), 21, {"first": 0, "prev": 0, "next": 15, "last": 15}),
        (Page(10, 500), 21, {"first": 0, "prev": 20, "last": 20}),
        (Page(10, 500), 0, {"first": 0, "prev": 0, "last": 0}),
    ],
)
def test_which_links_there_are(page: Page, total: int, expected: dict[str, int]) -> None:
    headers = page_headers(page, total, "/things")
    found = {relation: int(target.rsplit("=", 1)[1]) for relation, target in links(headers["Link"]).items()}
    assert found == expected
