"""What every answer owes whoever asked, and how tests look at answers."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "error"}
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

# Nothing of the machinery is told to a client: no SQL, no driver, no constraint, no stack.
_MACHINERY = re.compile(
    r"traceback|asyncpg|postgres|plpgsql|sqlstate|constraint|foreign key|select |insert into|update .* set |\.py\b",
    re.I,
)


async def look_at_manners(answer: httpx.Response) -> None:
    """Assert what holds for every answer: a request id, a whole problem from 400 on, never a 500, nothing leaked."""
    await answer.aread()
    asked = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:400]}"
    assert answer.headers.get("x-request-id"), asked
    assert not answer.has_redirect_location, asked
    if answer.status_code < 400:
        return
    assert answer.status_code != 500, asked
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1, asked
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer"), asked
    if answer.request.method == "HEAD":
        return
    assert answer.headers["content-type"] == "application/problem+json", asked
    problem = answer.json()
    assert problem.keys() >= MEMBERS, asked
    assert problem["status"] == answer.status_code, asked
    assert problem["type"].endswith(f"/{problem['code']}"), asked
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", problem["code"]), asked
    assert problem["instance"] == answer.headers["x-request-id"], asked
    assert problem["error"] == problem["title"], asked
    assert problem["title"], asked
    assert isinstance(problem["detail"], str), asked
    assert problem["detail"], asked
    assert not _MACHINERY.search(answer.text), asked


def accepted(answer: httpx.Response, status: int = 200) -> Any:
    """The body of an answer that must have this status."""
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def time_of(text: Any) -> datetime:
    """A time as the interface writes them: RFC 3339 in UTC with a Z."""
    assert isinstance(text, str), text
    assert UTC_TIME.fullmatch(text), text
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo == UTC
    return moment


def is_id(text: Any) -> bool:
    return isinstance(text, str) and str(uuid.UUID(text)) == text


def links_of(answer: httpx.Response) -> dict[str, str]:
    """The targets of a Link header by their relation."""
    return {relation: target for target, relation in re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers["link"])}
