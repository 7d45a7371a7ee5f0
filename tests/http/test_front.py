"""Request ids, slashes, sizes, media types, headers and origins, over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from overbookr.http.body_bounds import BODY_LIMIT, PLAN_BODY_LIMIT
from overbookr.http.front import Front

pytestmark = pytest.mark.anyio


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"/problems/{code}"
    assert body["error"] == body["title"]
    assert body["instance"] == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize("path", ["/things", "/nothing", "/mine", "/fail/bug", "/fail/queue"])
async def test_every_answer_has_a_request_id_and_security_headers(client: httpx.AsyncClient, path: str) -> None:
    first, second = await client.get(path), await client.get(path)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("sane", ["a", "4bf92f35-77b3.A_b", "x" * 64])
async def test_a_sane_request_id_is_kept(client: httpx.AsyncClient, sane: str) -> None:
    answer = await client.get("/nothing", headers={"X-Request-Id": sane})
    assert answer.headers["x-request-id"] == sane
    assert answer.json()["instance"] == sane


@pytest.mark.parametrize("odd", ["", "x" * 65, "a b", 'a"b', "a\u00e9", "{}"])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, odd: str) -> None:
    answer = await client.get("/nothing", headers={b"X-Request-Id": odd.encode("latin-1")})
    assert answer.headers["x-request-id"] != odd
    assert answer.headers["x-request-id"].isalnum()


@pytest.mark.parametrize("path", ["/things/", "/things", "/events/1/seating-plan/"])
async def test_a_trailing_slash_needs_no_redirect(client: httpx.AsyncClient, path: str) -> None:
    answer = await (client.put(path, json=[1]) if "plan" in path else client.get(path))
    assert answer.status_code == 200
    assert not answer.history


async def test_unknown_paths_and_methods(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nothing"), 404, "not_found")
    assert_problem(await client.get("/things/not-a-uuid"), 404, "not_found")
    answer = await client.delete("/things")
    assert_problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


async def test_a_body_announced_too_large_is_refused_unread(base_url: str) -> None:
    host, port = base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (BODY_LIMIT + 1)
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    assert head.startswith(b"HTTP/1.1 413")


async def test_the_limit_itself_fits(client: httpx.AsyncClient) -> None:
    body = b'{"seat_nos": ["%s"]}'
    filler = b"x" * (BODY_LIMIT - len(body) + 2)
    answer = await client.post("/things", content=body % filler, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    answer = await client.post("/things", content=body % (filler + b"x"), headers={"Content-Type": "application/json"})
    assert_problem(answer, 413, "payload_too_large")


async def test_a_streamed_body_is_stopped_at_the_limit(client: httpx.AsyncClient) -> None:
    async def pieces(count: int) -> AsyncIterator[bytes]:
        yield b'{"seat_nos": ["'
        for _ in range(count):
            yield b"x" * 1024
        yield b'"]}'

    headers = {"Content-Type": "application/json"}
    assert (await client.post("/things", content=pieces(60), headers=headers)).status_code == 201
    for count in (65, 4096):
        assert_problem(await client.post("/things", content=pieces(count), headers=headers), 413, "payload_too_large")


async def test_a_seating_plan_may_be_larger(client: httpx.AsyncClient) -> None:
    plan = json.dumps(["x" * (4 * BODY_LIMIT)])
    headers = {"Content-Type": "application/json"}
    assert (await client.put("/events/1/seating-plan", content=plan, headers=headers)).status_code == 200
    assert_problem(await client.post("/events/1/seating-plan", content=plan, headers=headers), 413, "payload_too_large")
    answer = await client.put("/events/1/seating-plan", content=b" " * (PLAN_BODY_LIMIT + 1), headers=headers)
    assert_problem(answer, 413, "payload_too_large")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"])
async def test_other_media_types_are_refused(client: httpx.AsyncClient, media_type: str) -> None:
    answer = await client.post("/things", content=b'{"seat_nos": []}', headers={"Content-Type": media_type})
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/ld+json", None]
)
async def test_json_by_any_of_its_names_is_taken(client: httpx.AsyncClient, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await client.post("/things", content=b'{"seat_nos": []}', headers=headers)
    assert answer.status_code == 201, answer.text


async def test_head_is_get_without_its_body(client: httpx.AsyncClient) -> None:
    get, head = await client.get("/things"), await client.head("/things")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]
    assert head.headers["x-total-count"] == "95"
    assert (await client.head("/nothing")).status_code == 404


async def test_head_of_an_endless_stream_ends(client: httpx.AsyncClient, front: Front) -> None:
    answer = await asyncio.wait_for(client.head("/stream"), 5)
    assert answer.status_code == 200
    assert await front.wait_until_idle(5)


async def test_requests_in_flight_are_counted(client: httpx.AsyncClient, front: Front) -> None:
    assert front.in_flight == 0
    async with client.stream("GET", "/stream") as answer:
        assert answer.status_code == 200
        assert front.in_flight == 1
        assert not await front.wait_until_idle(0.01)
    assert await front.wait_until_idle(5)
    assert front.in_flight == 0


async def test_an_origin_on_the_list_may_read(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things", headers={"Origin": "https://tickets.example"})
    assert answer.headers["access-control-allow-origin"] == "https://tickets.example"
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed == {
        "Date", "X-Request-Id", "X-Total-Count", "Link", "Location", "Idempotency-Replayed", "Retry-After", "ETag",
    }  # fmt: skip
    refused = await client.get("/nothing", headers={"Origin": "https://tickets.example"})
    assert refused.headers["access-control-allow-origin"] == "https://tickets.example"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://tickets.example.evil.example", "http://tickets.example", "*",
     "https://xtickets.example", "https://tickets.example:8443"],
)  # fmt: skip
async def test_other_origins_may_not(client: httpx.AsyncClient, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (await client.get("/things", headers=headers), await client.options("/things", headers=headers)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["vary"] == "Origin"


async def test_a_preflight_is_answered(client: httpx.AsyncClient) -> None:
    headers = {"Origin": "https://tickets.example", "Access-Control-Request-Method": "POST"}
    answer = await client.options("/mine", headers=headers)
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert all(name in allowed for name in ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"))


async def test_options_without_an_origin_lists_the_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options("/things")
    assert answer.status_code == 204
    assert "allow" in answer.headers
