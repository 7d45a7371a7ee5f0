"""Analytics over HTTP: who may ask, what is refused, and the two forms of the answer."""

import csv
import io
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.middleware import DefineMiddleware

from overbookr.analytics.routes import routes
from overbookr.analytics.store import AnalyticsStore
from overbookr.database.pool import Pool
from overbookr.http.auth import PrincipalMiddleware, TokenVerifier
from overbookr.http.failures import EXCEPTION_HANDLERS
from overbookr.users.tokens import issue_access
from tests.audit import house

pytestmark = pytest.mark.anyio

SECRET = b"0123456789abcdef0123456789abcdef"
ADMIN, USER = uuid4(), uuid4()
URL = "/analytics/total_bookings"

Client = httpx.AsyncClient


def _headers(user_id: UUID) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_access(SECRET, user_id, 1, 600)}"}


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[Client]:
    async with pool.acquire() as connection:
        event_id = uuid4()
        await house.add_event(connection, event_id, 4)
        await connection.execute("update events set name = '=1+1' where event_id = $1", event_id)
        await house.sell(connection, event_id, f"sold {event_id}", "ann", "A1", "A2")
        await connection.execute("update bookings set created_at = '2024-02-29T23:59:59.5Z'")

    async def read_standing(user_id: UUID) -> tuple[int, str] | None:
        return {ADMIN: (1, "admin"), USER: (1, "user")}.get(user_id)

    app = Litestar(
        routes,
        middleware=[DefineMiddleware(PrincipalMiddleware, verifier=TokenVerifier(SECRET), read_standing=read_standing)],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
    )
    app.state.analytics = AnalyticsStore(pool)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://overbookr") as opened:
        yield opened


async def test_only_administrators_may_ask(client: Client) -> None:
    assert (await client.get(URL)).status_code == 401
    assert (await client.get(URL, headers=_headers(USER))).status_code == 403
    assert (await client.get(URL, headers=_headers(ADMIN))).status_code == 200


async def test_the_answer_has_the_members_of_the_contract(client: Client) -> None:
    answer = await client.get(URL, params={"from": "2024-02-29", "to": "2024-02-29"}, headers=_headers(ADMIN))
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["range", "totals", "by_day", "top_events", "by_status", "event_utilization"]
    assert body["range"] == {"from": "2024-02-29T00:00:00Z", "to": "2024-02-29T23:59:59.999999Z"}
    assert body["totals"] == {"total_bookings": 1, "total_seats_booked": 2, "total_cancellations": 0, "total_active": 1}
    assert body["by_day"] == [{"day": "2024-02-29T00:00:00Z", "bookings": 1, "seats_booked": 2}]
    assert body["by_status"] == [{"status": "active", "count": 1}]
    (top,) = body["top_events"]
    assert {name: top[name] for name in top if name != "event_id"} == {
        "name": "=1+1", "bookings_count": 1, "seats_booked": 2, "capacity": 4, "booked_count": 2,
    }  # fmt: skip
    (use,) = body["event_utilization"]
    assert use == {
        "event_id": top["event_id"], "name": "=1+1", "capacity": 4, "booked_count": 2, "bookings_seats_in_range": 2,
    }  # fmt: skip
    none = await client.get(URL, params={"from": "2024-02-28", "to": "2024-02-28"}, headers=_headers(ADMIN))
    assert none.json()["totals"]["total_bookings"] == 0


async def test_a_spreadsheet_gets_one_table_that_runs_nothing(client: Client) -> None:
    answer = await client.get(
        URL, params={"from": "2024-02-01", "to": "2024-02-29", "format": "csv"}, headers=_headers(ADMIN)
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="total_bookings.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [line["section"] for line in lines] == ["totals", "by_day", "by_status", "top_events", "event_utilization"]
    assert lines[0]["seats_booked"] == "2"
    assert lines[3]["name"] == "'=1+1"


@pytest.mark.parametrize(
    "query",
    [
        "from=2024-03-01&to=2024-02-01",
        "from=2024-02-02&to=2024-02-01",
        "from=2999-01-01",
        "from=2020-01-01&to=2024-01-01",
        "from=2023-01-01&to=2024-01-02",
        "from=yesterday",
        "to=2023-02-29",
        "from=2024-01-01T00:00:00",
        "to=%00",
        "from=%22",
        "top_n=0",
        "top_n=-1",
        "top_n=101",
        "top_n=3000000000",
        "top_n=ten",
        "top_n=1.5",
        "top_n=99999999999999999999999999",
        "top_n=",
        "format=xlsx",
        "format=CSV",
        "to=9999-12-31",
    ],
)
async def test_what_is_no_question_is_refused(client: Client, query: str) -> None:
    answer = await client.get(f"{URL}?{query}", headers=_headers(ADMIN))
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_request"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "from=&to=",
        "top_n=1",
        "top_n=100",
        "from=2024-01-01&to=2024-12-31",
        "format=json",
        "to=2024-02-29",
        "from=2024-02-29T00:00:00Z&to=2024-02-29T00:00:00Z",
        "from=2024-02-29T00:00:00+01:00&to=2024-03-01",
    ],
)
async def test_every_question_has_an_answer(client: Client, query: str) -> None:
    answer = await client.get(f"{URL}?{query}", headers=_headers(ADMIN))
    assert answer.status_code == 200, answer.text
