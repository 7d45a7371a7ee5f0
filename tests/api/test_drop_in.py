"""Clients of the Go project that inspired Overbookr keep working: its load scripts' requests, one by one as they send
them, and every field of its answers under its name and of its type."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted, is_id, time_of
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
EVENT = {
    "id": str, "name": str, "venue": str, "start_time": str, "capacity": int, "booked_count": int, "available": int,
    "metadata": dict, "created_at": str, "updated_at": str,
}  # fmt: skip
SESSION = dict.fromkeys(("id", "name", "email", "role", "token", "created_at", "updated_at"), str)
BOOKING = {
    "id": str, "event_id": str, "seats_count": int, "seat_numbers": list, "status": str, "created_at": str,
    "updated_at": str,
}  # fmt: skip
SEAT = dict.fromkeys(("id", "seat_no", "status", "created_at", "updated_at"), str)


def fits(answer: dict[str, Any], fields: Mapping[str, type]) -> bool:
    return all(type(answer.get(name)) is kind for name, kind in fields.items())


def milliseconds(moment: datetime) -> str:
    """A time as JavaScript writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


async def log_in(world: World, role: str, *, slash: str = "") -> dict[str, str]:
    """Register and log in as the scripts do; the headers of their requests."""
    email = f"k6-{uuid.uuid4()}@test.local"
    account = {"name": "k6-user", "email": email, "password": "password", "role": role}
    registered = accepted(await world.http.post(f"/users/register{slash}", json=account, headers=JSON), 201)
    assert fits(registered, SESSION)
    login = {"email": email, "password": "password"}
    session = accepted(await world.http.post(f"/users/login{slash}", json=login, headers=JSON))
    assert fits(session, SESSION)
    assert (session["id"], session["role"]) == (registered["id"], role)
    return {"Authorization": f"Bearer {session['token']}", **JSON}


@pytest.mark.parametrize("slash", ["", "/"], ids=["plain", "slash"])
async def test_the_full_load_script_runs(narrow_world: World, slash: str) -> None:
    http = narrow_world.http
    admin = await log_in(narrow_world, "admin", slash=slash)
    start_time = milliseconds(datetime.now(UTC) + timedelta(hours=1))
    body: dict[str, Any] = {"name": "k6-event", "venue": "k6-venue", "start_time": start_time, "capacity": 100}
    event = accepted(await http.post(f"/events{slash}", json=body | {"metadata": {}}, headers=admin), 201)
    assert fits(event, EVENT)
    assert is_id(event["id"])
    assert time_of(event["start_time"]) == datetime.fromisoformat(start_time)
    here = f"/events/{event['id']}"
    labels = [f"S{number}" for number in range(1, 101)]
    seats = accepted(await http.post(f"{here}/seats{slash}", json={"seat_nos": labels}, headers=admin), 201)
    assert len(seats) == 100
    assert all(fits(seat, SEAT) for seat in seats)

    user, rival = await log_in(narrow_world, "user"), await log_in(narrow_world, "user")
    hold_body = {"event_id": event["id"], "seat_nos": ["S17"]}
    hold = accepted(await http.post(f"/holds{slash}", json=hold_body, headers=user), 201)
    assert fits(hold, {"hold_token": str, "expires_at": str})
    assert (await http.post(f"/holds{slash}", json=hold_body, headers=rival)).status_code == 409

    booking_body = {"event_id": event["id"], "hold_token": hold["hold_token"]}
    key = {"Idempotency-Key": f"k6-1-{int(datetime.now().timestamp() * 1000)}-7"}
    booking = accepted(await http.post(f"/bookings{slash}", json=booking_body, headers=user | key), 201)
    assert fits(booking, BOOKING)
    assert (booking["seat_numbers"], booking["seats_count"], booking["status"]) == (["S17"], 1, "active")
    assert fits(accepted(await http.get(f"/bookings/{booking['id']}{slash}", headers=user)), BOOKING)
    assert all(fits(found, BOOKING) for found in accepted(await http.get(f"/bookings{slash}", headers=user)))

    found = accepted(await http.get(f"{here}{slash}"))
    assert (found["capacity"], found["booked_count"], found["available"]) == (100, 1, 99)
    listed = accepted(await http.get(f"/events{slash}", params={"limit": 10, "offset": 0, "q": "k6-event"}))
    assert all(fits(event, EVENT) for event in listed)

    bare = {"Authorization": user["Authorization"]}
    cancelled = accepted(await http.delete(f"/bookings/{booking['id']}{slash}", headers=bare))
    assert cancelled == {"id": booking["id"], "status": "cancelled"}
    joined = await http.post(f"{here}/waitlist{slash}", json={"requested_seats": 1}, headers=user)
    assert joined.status_code == 409, "seats are free, and the script takes 409 for an answer"
    changed = accepted(await http.patch(f"{here}{slash}", json={"capacity": 50}, headers=admin))
    assert (changed["capacity"], changed["available"]) == (50, 50)
    assert accepted(await http.delete(f"{here}{slash}", headers=admin)) == {"id": event["id"], "deleted": True}


async def test_the_pipeline_script_runs(narrow_world: World) -> None:
    """Its event starts at the very moment it is made, so that all its holds are refused with 409, which it counts."""
    http = narrow_world.http
    admin, user = await log_in(narrow_world, "admin"), await log_in(narrow_world, "user")
    body = {"name": "k6-full-event", "venue": "hall", "start_time": milliseconds(datetime.now(UTC)), "capacity": 100}
    event = accepted(await http.post("/events", json=body | {"metadata": {}}, headers=admin), 201)
    labels = [f"S{number}" for number in range(1, 101)]
    answer = await http.post(f"/events/{event['id']}/seats", json={"seat_nos": labels}, headers=admin)
    accepted(answer, 201)
    hold = await http.post("/holds", json={"event_id": event["id"], "seat_nos": ["S5"]}, headers=user)
    assert code_of(hold) == (409, "not_on_sale")
    joined = await http.post(f"/events/{event['id']}/waitlist", json={"requested_seats": 1}, headers=user)
    assert joined.status_code == 409


async def test_a_sold_out_house_has_a_waitlist_as_before(narrow_world: World) -> None:
    http = narrow_world.http
    event_id = await narrow_world.event(1, capacity=1)
    buyer, waiter = await narrow_world.users(2)
    booking_id = await narrow_world.booked(buyer, event_id, "S1")

    async def join() -> httpx.Response:
        headers = waiter.headers | JSON
        return await http.post(f"/events/{event_id}/waitlist/", json={"requested_seats": 1}, headers=headers)

    entry = accepted(await join(), 202)
    assert fits(entry, {"id": str, "position": int, "created_at": str})
    assert entry["position"] == 1
    assert (await join()).status_code == 409
    # Cancelling with a body of null and its media type, as some clients send it.
    headers = buyer.headers | JSON
    accepted(await http.request("DELETE", f"/bookings/{booking_id}", content=b"null", headers=headers))
    (booking,) = await narrow_world.bookings(waiter)
    assert fits(booking, BOOKING)
    assert booking["seat_numbers"] == ["S1"]


async def test_refusals_have_a_text_where_clients_look_for_it(narrow_world: World) -> None:
    http = narrow_world.http
    user = await narrow_world.user()
    for answer, status in (
        (await http.post("/users/login", json={"email": "nobody@test.local", "password": "password"}), 401),
        (await http.post("/users/register", json={"email": "nobody@test.local"}), 400),
        (await http.post("/events", json={}, headers=user.headers), 403),
        (await http.post("/holds", json={}, headers=user.headers), 400),
        (await http.get("/bookings"), 401),
        (await http.get(f"/events/{uuid.uuid4()}"), 404),
    ):
        assert answer.status_code == status
        assert isinstance(answer.json()["error"], str)


async def test_analytics_have_their_fields(narrow_world: World) -> None:
    event_id = await narrow_world.event(3)
    await narrow_world.booked(await narrow_world.user(), event_id, "S1", "S2")
    admin = await narrow_world.admin()
    tomorrow = milliseconds(datetime.now(UTC) + timedelta(days=1))
    query: dict[str, Any] = {
        "from": (datetime.now(UTC) - timedelta(days=1)).date().isoformat(),
        "to": tomorrow,
        "top_n": 100,
    }
    report = accepted(await narrow_world.http.get("/analytics/total_bookings/", params=query, headers=admin.headers))
    assert fits(report["range"], {"from": str, "to": str})
    totals = ("total_bookings", "total_seats_booked", "total_cancellations", "total_active")
    assert fits(report["totals"], dict.fromkeys(totals, int))
    assert all(fits(day, {"day": str, "bookings": int, "seats_booked": int}) for day in report["by_day"])
    (top,) = [top for top in report["top_events"] if top["event_id"] == event_id]
    assert top == {"event_id": event_id, "name": "A show", "bookings_count": 1, "seats_booked": 2, "capacity": 3,
                   "booked_count": 2}  # fmt: skip
    assert all(fits(status, {"status": str, "count": int}) for status in report["by_status"])
    (used,) = [used for used in report["event_utilization"] if used["event_id"] == event_id]
    assert used == {"event_id": event_id, "name": "A show", "capacity": 3, "booked_count": 2,
                    "bookings_seats_in_range": 2}  # fmt: skip
