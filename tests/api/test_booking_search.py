"""Organisers look for bookings: by reference, customer, seat and event, page by page."""

import uuid
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted, links_of, time_of
from tests.house.world import Someone, World, code_of

pytestmark = pytest.mark.anyio


async def ask(world: World, **what: Any) -> httpx.Response:
    admin = await world.admin()
    return await world.http.get("/bookings/search", params=what, headers=admin.headers)


async def found(world: World, **what: Any) -> list[str]:
    return [booking["id"] for booking in accepted(await ask(world, **what))]


async def two_events(world: World) -> tuple[Someone, Someone, str, str, list[str]]:
    """Ada has S1 and S2 of the first event and S1 of the second, Ben has S3 of the first; the bookings in order."""
    ada, ben = await world.users(2)
    first, second = await world.event(6, name="First"), await world.event(6, name="Second")
    made = [
        await world.booked(ada, first, "S1", "S2"),
        await world.booked(ben, first, "S3"),
        await world.booked(ada, second, "S1"),
    ]
    return ada, ben, first, second, made


async def test_a_booking_is_found_with_all_that_an_organiser_needs(world: World) -> None:
    ada, _, first, _, (booking_id, *_) = await two_events(world)
    (booking,) = accepted(await ask(world, booking_id=booking_id))
    assert booking["event"].items() >= {"id": first, "name": "First"}.items()
    assert time_of(booking["event"]["start_time"])
    assert booking["customer"] == {"id": str(ada.id), "name": booking["customer"]["name"], "email": ada.email}
    assert booking["customer"]["name"]
    assert (booking["seats_count"], booking["seat_numbers"]) == (2, ["S1", "S2"])
    assert (booking["status"], booking["origin"], booking["cancelled_at"]) == ("active", "hold", None)


async def test_bookings_are_found_by_customer_seat_and_event(world: World) -> None:
    ada, ben, first, second, (one, two, three) = await two_events(world)
    assert await found(world, email=ada.email) == [three, one]
    assert await found(world, email=f" {ada.email.upper()} ") == [three, one]
    assert await found(world, email=ada.email, event_id=first) == [one]
    assert await found(world, event_id=first) == [two, one]
    assert await found(world, event_id=first, seat_no="S2") == [one]
    assert await found(world, event_id=first, seat_no="S2", email=ben.email) == []
    assert await found(world, event_id=second, seat_no="S2") == []
    assert await found(world, booking_id=one, email=ada.email, event_id=first) == [one]
    assert await found(world, booking_id=one, event_id=second) == []
    assert await found(world, booking_id=one, email=ben.email) == []
    assert (await found(world))[:3] == [three, two, one]
    for nothing in (
        {"email": "nobody@example.org"},
        {"booking_id": str(uuid.uuid4())},
        {"event_id": str(uuid.uuid4())},
        {"event_id": first, "seat_no": "S99"},
    ):
        assert await found(world, **nothing) == []


async def test_what_was_cancelled_is_found_but_has_no_seat_any_more(world: World) -> None:
    ada, _, first, _, (one, *_) = await two_events(world)
    accepted(await world.cancel(ada, one))
    (booking,) = accepted(await ask(world, email=ada.email, event_id=first))
    assert booking["status"] == "cancelled"
    assert time_of(booking["cancelled_at"]) >= time_of(booking["created_at"])
    assert await found(world, event_id=first, seat_no="S1") == []


async def test_a_promotion_says_where_it_came_from(world: World) -> None:
    event_id = await world.event(1)
    owner, waiter = await world.users(2)
    booking_id = await world.booked(owner, event_id, "S1")
    accepted(await world.join(waiter, event_id, 1), 202)
    accepted(await world.cancel(owner, booking_id))
    (promoted,) = accepted(await ask(world, email=waiter.email))
    assert promoted["origin"] == "waitlist"


@pytest.mark.parametrize("by", ["event", "customer", "everybody"])
async def test_pages_follow_each_other_without_gap_and_repetition(world: World, by: str) -> None:
    event_id = await world.event(7)
    user = await world.user()
    made = [await world.booked(user, event_id, f"S{number}") for number in range(1, 8)]
    what = {"event": {"event_id": event_id}, "customer": {"email": user.email}, "everybody": {}}[by]
    admin = await world.admin()
    answer, seen = await ask(world, limit=3, **what), list[str]()
    while True:
        seen += [booking["id"] for booking in accepted(answer)]
        if "link" not in answer.headers or (by == "everybody" and len(seen) >= 7):
            break
        assert len(answer.json()) == 3
        answer = await world.http.get(links_of(answer)["next"], headers=admin.headers)
    assert seen[:7] == made[::-1]
    assert by == "everybody" or len(seen) == 7


async def test_what_cannot_be_looked_for(world: World) -> None:
    for what in (
        {"seat_no": "S1"},
        {"booking_id": "nonsense"},
        {"event_id": "1"},
        {"before": "x"},
        {"limit": 0},
        {"limit": 101},
        {"email": "x" * 321},
    ):
        assert code_of(await ask(world, **what)) == (400, "invalid_request"), what
    assert accepted(await ask(world, email="a\x00b@example.org")) == []


async def test_only_administrators_search(world: World) -> None:
    user = await world.user()
    assert code_of(await world.http.get("/bookings/search")) == (401, "unauthorized")
    assert code_of(await world.http.get("/bookings/search", headers=user.headers)) == (403, "forbidden")
