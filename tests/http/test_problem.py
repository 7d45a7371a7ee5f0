"""Every refusal is a problem, and none of them tells what went wrong inside."""

import json
import logging

import httpx
import pytest

from overbookr.http.problem import CATALOGUE, Refused, build_problem, problem
from overbookr.telemetry import configure_logging

pytestmark = pytest.mark.anyio


async def test_every_code_is_sent_as_its_status(client: httpx.AsyncClient) -> None:
    for code, kind in CATALOGUE.items():
        answer = await client.get(f"/problems/{code}")
        assert answer.status_code == kind.status, code
        assert answer.headers["content-type"] == "application/problem+json", code
        body = answer.json()
        assert body == {
            "type": f"/problems/{code}",
            "title": kind.title,
            "status": kind.status,
            "detail": kind.title,
            "instance": answer.headers["x-request-id"],
            "code": code,
            "error": kind.title,
        }
        assert (kind.status in (429, 503)) <= ("retry-after" in answer.headers), code
        assert (kind.status == 401) == ("www-authenticate" in answer.headers), code


async def test_members_and_detail(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fail/refused")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "A1 is taken"
    assert answer.json()["conflicts"] == [{"seat_no": "A1", "status": "held"}]


def test_members_may_not_hide_the_standard_ones() -> None:
    with pytest.raises(ValueError, match="status"):
        problem("seats_unavailable", status="held")
    with pytest.raises(KeyError):
        build_problem("no_such_code")
    with pytest.raises(KeyError):
        Refused("no_such_code").to_problem()


@pytest.mark.parametrize(
    ("kind", "status", "code", "retry_after"),
    [
        ("queue", 503, "busy", "1"),
        ("deadline", 503, "busy", "1"),
        ("timeout", 503, "busy", "1"),
        ("refused_connection", 503, "busy", "1"),
        ("limited", 429, "rate_limited", "17"),
        ("bug", 500, "internal_error", None),
    ],
)
async def test_failures(client: httpx.AsyncClient, kind: str, status: int, code: str, retry_after: str | None) -> None:
    answer = await client.get(f"/fail/{kind}")
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.headers.get("retry-after") == retry_after


async def test_an_unforeseen_failure_is_logged_and_hidden(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging()
    try:
        answer = await client.get("/fail/bug", headers={"X-Request-Id": "find-me"})
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    assert answer.status_code == 500
    for told in ("select", "users", "secret", "hunter2", "Traceback", "ValueError", ".py"):
        assert told not in answer.text
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "find-me"]
    assert line["level"] == "error"
    assert line["path"] == "/fail/{kind}"
    assert "Traceback" in line["exception"]
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


async def test_the_fields_at_fault_are_named(client: httpx.AsyncClient) -> None:
    async def errors(**arguments: object) -> list[dict[str, str]]:
        answer = await client.post("/things", **arguments)  # type: ignore[arg-type]
        assert answer.status_code == 400, answer.text
        assert answer.json()["code"] == "invalid_request"
        found: list[dict[str, str]] = answer.json()["errors"]
        return found

    assert await errors(json={"seat_nos": ["A1", ""]}) == [
        {"path": "$.seat_nos[1]", "message": "Expected `str` of length >= 1"}
    ]
    assert await errors(json={"seat_nos": [], "data": {"data": "x"}}) == [
        {"path": "$.data[...]", "message": "Expected `int`, got `str`"}
    ]
    assert await errors(json={"seat_nos": [], "seats": 1}) == [
        {"path": "$", "message": "Object contains unknown field `seats`"}
    ]
    assert await errors(json={}) == [{"path": "$", "message": "Object missing required field `seat_nos`"}]
    assert await errors(json=[1]) == [{"path": "$", "message": "Expected `object`, got `array`"}]
    assert await errors() == [{"path": "$", "message": "a JSON body is required"}]


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"seat_nos": [}', b"nope", b"NaN", b'"\xff"', b'{"\xff": 1}', b'{"seat_nos": ["\\ud800"]}', b"[" * 60_000],
)
async def test_what_is_not_json_is_said_to_be_so(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/things", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "malformed_json"
