"""A small world on a served application: users, events, seats, holds, bookings, in one line each.

Users are made by SQL with a token of their own, so that no test waits for password hashes it does not test.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from overbookr.audit.store import AuditStore
from overbookr.database.pool import Pool, open_pool
from overbookr.users.tokens import issue_access
from tests.house.people import create_users
from tests.house.serving import SECRET, Served

FAR_AWAY = "2031-05-01T19:30:00Z"


@dataclass(frozen=True)
class Someone:
    """A user with what a request needs to act as them."""

    id: uuid.UUID
    email: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class World:
    """`http` is a client of the served application; `pool` its database, to look at and to move time by.

    `http` asks for maps of the present; how old others may be has tests of its own.
    """

    def __init__(self, served: Served, http: httpx.AsyncClient, pool: Pool) -> None:
        self.served = served
        self.http = http
        self.pool = pool

    async def user(self, role: str = "user") -> Someone:
        return (await self.users(1, role))[0]

    async def admin(self) -> Someone:
        return await self.user("admin")

    async def users(self, count: int, role: str = "user") -> list[Someone]:
        ids = await create_users(self.pool, count, role)
        secret = SECRET.encode()
        return [Someone(user_id, f"{user_id}@example.org", issue_access(secret, user_id, 1, 3600)) for user_id in ids]

    async def event(self, seats: int | list[str] = 0, **fields: Any) -> str:
        """A new event on sale, with seats S1..Sn or those named; its id."""
        admin = await self.admin()
        body = {"name": "A show", "venue": "A house", "start_time": FAR_AWAY} | fields
        answer = await self.http.post("/events", json=body, headers=admin.headers)
        assert answer.status_code == 201, answer.text
        event_id: str = answer.json()["id"]
        labels = [f"S{number}" for number in range(1, seats + 1)] if isinstance(seats, int) else seats
        for start in range(0, len(labels), 1000):
            answer = await self.http.post(
                f"/events/{event_id}/seats", json={"seat_nos": labels[start : start + 1000]}, headers=admin.headers
            )
            assert answer.status_code == 201, answer.text
        return event_id

    async def get_event(self, event_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/events/{event_id}")
        assert answer.status_code == 200, answer.text
        event: dict[str, Any] = answer.json()
        return event

    async def hold(self, user: Someone, event_id: str, *seat_nos: str, key: str | None = None) -> httpx.Response:
        headers = user.headers | ({"Idempotency-Key": key} if key else {})
        return await self.http.post("/holds", json={"event_id": event_id, "seat_nos": seat_nos}, headers=headers)

    async def held(self, user: Someone, event_id: str, *seat_nos: str) -> str:
        """A hold that must succeed; its token."""
        answer = await self.hold(user, event_id, *seat_nos)
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["hold_token"]
        return token

    async def book(self, user: Someone, event_id: str, hold_token: str, key: str | None = None) -> httpx.Response:
        return await self.http.post(
            "/bookings",
            json={"event_id": event_id, "hold_token": hold_token},
            headers=user.headers | {"Idempotency-Key": key or str(uuid.uuid4())},
        )

    async def booked(self, user: Someone, event_id: str, *seat_nos: str) -> str:
        """Hold and book, which must succeed; the booking's id."""
        answer = await self.book(user, event_id, await self.held(user, event_id, *seat_nos))
        assert answer.status_code == 201, answer.text
        booking_id: str = answer.json()["id"]
        return booking_id

    async def cancel(self, user: Someone, booking_id: str) -> httpx.Response:
        return await self.http.delete(f"/bookings/{booking_id}", headers=user.headers)

    async def join(self, user: Someone, event_id: str, seats: int) -> httpx.Response:
        return await self.http.post(
            f"/events/{event_id}/waitlist", json={"requested_seats": seats}, headers=user.headers
        )

    async def bookings(self, user: Someone) -> list[dict[str, Any]]:
        answer = await self.http.get("/bookings", headers=user.headers)
        assert answer.status_code == 200, answer.text
        bookings: list[dict[str, Any]] = answer.json()
        return bookings

    async def seat_statuses(self, event_id: str) -> dict[str, str]:
        answer = await self.http.get(f"/events/{event_id}/seats")
        assert answer.status_code == 200, answer.text
        return {seat["seat_no"]: seat["status"] for seat in answer.json()}

    async def lapse(self, hold_token: str) -> None:
        """Let a hold's time pass at once, as far as the database can tell."""
        async with self.pool.acquire() as connection, connection.transaction():
            event_id = await connection.fetchval("select event_id from holds where hold_id = $1", uuid.UUID(hold_token))
            await connection.execute("select lock_events(array[$1::uuid])", event_id)
            await connection.execute(
                """update holds set created_at = created_at - interval '1 day', expires_at = clock_timestamp()
                    where hold_id = $1""",
                uuid.UUID(hold_token),
            )
            await connection.execute(
                """update seats s set hold_expires_at = h.expires_at from holds h
                    where s.event_id = $1 and s.hold_id = $2 and h.hold_id = $2 and h.event_id = $1""",
                event_id,
                uuid.UUID(hold_token),
            )

    async def start_event(self, event_id: str) -> None:
        """Move the start of an event into the past."""
        await self.pool.execute(
            "update events set start_time = clock_timestamp() - interval '1 hour' where event_id = $1",
            uuid.UUID(event_id),
        )

    async def assert_lawful(self, *, user_seats_max: int = 10) -> None:
        """Every law of the house holds in the database right now."""
        report = await AuditStore(self.pool).check(user_seats_max)
        assert report.is_clean, report.violations


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and stable code of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@asynccontextmanager
async def open_world(served: Served) -> AsyncIterator[World]:
    pool = await open_pool(served.dsn, size=6, application_name="test")
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    present = {"Cache-Control": "no-cache"}
    async with httpx.AsyncClient(base_url=served.url, timeout=30, limits=limits, headers=present) as http:
        try:
            yield World(served, http, pool)
        finally:
            await pool.close()


async def refuses(
    connection: "asyncpg.Connection[asyncpg.Record]", constraint: str, statement: str, *values: Any
) -> None:
    """Assert that PostgreSQL refuses the statement by this very constraint; nothing is changed."""
    try:
        async with connection.transaction():
            await connection.execute(statement, *values)
    except asyncpg.PostgresError as error:
        assert getattr(error, "constraint_name", None) == constraint, f"refused by something else: {error!r}"
    else:
        raise AssertionError(f"not refused, although {constraint} should")
