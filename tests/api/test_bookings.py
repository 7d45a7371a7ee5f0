"""Bookings: a hold becomes a booking exactly once, however often and by whomever it is asked for."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted, is_id, links_of, time_of
from tests.api.bodies import assert_refused, spoilt
from tests.house.world import Someone, World, code_of

pytestmark = pytest.mark.anyio

NOBODYS = "00000000-0000-0000-0000-000000000000"
FIELDS = {"id", "event_id", "seats_count", "seat_numbers", "status", "created_at", "updated_at"}


async def get(world: World, user: Someone, booking_id: str) -> httpx.Response:
    return await world.http.get(f"/bookings/{booking_id}", headers=user.headers)


async def test_a_booking_is_answered_with_every_field(world: World) -> None:
    event_id = await world.event(3)
    user = await world.user()
    answer = await world.book(user, event_id, await world.held(user, event_id, "S3", "S1"))
    booking = accepted(answer, 201)
    assert booking.keys() == FIELDS
    assert is_id(booking["id"])
    assert (booking["event_id"], booking["seats_count"], booking["status"]) == (event_id, 2, "active")
    assert booking["seat_numbers"] == ["S3", "S1"]
    assert time_of(booking["created_at"]) == time_of(booking["updated_at"])
    assert answer.headers["location"] == f"/bookings/{booking['id']}"
    assert "idempotency-replayed" not in answer.headers
    assert accepted(await get(world, user, booking["id"])) == booking
    assert await world.bookings(user) == [booking]


async def test_bodies_that_book_nothing(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    bodies = spoilt({"event_id": event_id, "hold_token": token}, event_id="id", hold_token="id")
    headers = user.headers | {"Idempotency-Key": str(uuid.uuid4())}
    await assert_refused(world.http, "POST", "/bookings", headers, bodies)
    assert await world.bookings(user) == []
    accepted(await world.book(user, event_id, token, headers["Idempotency-Key"]), 201)


async def test_an_unknown_hold_is_not_booked(world: World) -> None:
    event_id = await world.event(1)
    assert code_of(await world.book(await world.user(), event_id, NOBODYS)) == (404, "hold_not_found")
    assert code_of(await world.book(await world.user(), NOBODYS, NOBODYS)) == (404, "hold_not_found")


async def test_a_hold_of_another_event_is_not_booked(world: World) -> None:
    here, there = await world.event(1), await world.event(1)
    user = await world.user()
    token = await world.held(user, here, "S1")
    assert code_of(await world.book(user, there, token)) == (409, "hold_event_mismatch")
    assert code_of(await world.book(user, NOBODYS, token)) == (409, "hold_event_mismatch")
    assert code_of(await world.book(await world.user(), there, token)) == (404, "hold_not_found")
    accepted(await world.book(user, here, token), 201)


@pytest.mark.parametrize("ended", ["released", "lapsed"])
async def test_a_hold_that_is_over_is_not_booked(world: World, ended: str) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    if ended == "lapsed":
        await world.lapse(token)
    else:
        accepted(await world.http.delete(f"/holds/{token}", headers=user.headers), 204)
    assert code_of(await world.book(user, event_id, token)) == (409, "hold_expired")
    assert await world.seat_statuses(event_id) == {"S1": "available"}
    await world.assert_lawful()


@pytest.mark.parametrize("status", ["paused", "closed"])
async def test_a_hold_taken_in_time_is_honoured_when_the_sale_ends(world: World, status: str) -> None:
    event_id = await world.event(1)
    user, admin = await world.user(), await world.admin()
    token = await world.held(user, event_id, "S1")
    accepted(await world.http.patch(f"/events/{event_id}", json={"status": status}, headers=admin.headers))
    accepted(await world.book(user, event_id, token), 201)


async def test_nothing_is_booked_once_the_event_has_begun_or_is_cancelled(world: World) -> None:
    user, admin = await world.user(), await world.admin()
    begun, cancelled = await world.event(1), await world.event(1)
    tokens = {event_id: await world.held(user, event_id, "S1") for event_id in (begun, cancelled)}
    await world.start_event(begun)
    accepted(await world.http.patch(f"/events/{cancelled}", json={"status": "cancelled"}, headers=admin.headers))
    for event_id, token in tokens.items():
        assert code_of(await world.book(user, event_id, token)) == (409, "not_on_sale")
    assert await world.bookings(user) == []


async def test_ones_bookings_are_listed_newest_first_and_paged(world: World) -> None:
    event_id = await world.event(5)
    user, other = await world.users(2)
    ids = [await world.booked(user, event_id, f"S{number}") for number in range(1, 5)]
    await world.booked(other, event_id, "S5")
    await world.cancel(user, ids[1])
    answer = await world.http.get("/bookings", params={"limit": 3}, headers=user.headers)
    page = accepted(answer)
    assert [booking["id"] for booking in page] == ids[:0:-1]
    assert [booking["status"] for booking in page] == ["active", "active", "cancelled"]
    assert all(booking.keys() == FIELDS for booking in page)
    assert answer.headers["x-total-count"] == "4"
    rest = await world.http.get(links_of(answer)["next"], headers=user.headers)
    assert [booking["id"] for booking in accepted(rest)] == ids[:1]
    assert "next" not in links_of(rest)
    beyond = await world.http.get("/bookings", params={"offset": 99}, headers=user.headers)
    assert (accepted(beyond), beyond.headers["x-total-count"]) == ([], "4")
    for query in ("limit=0", "limit=101", "offset=-1", "limit=x", f"offset={2**64}"):
        assert code_of(await world.http.get(f"/bookings?{query}", headers=user.headers)) == (400, "invalid_request")


async def test_nobody_has_no_bookings(world: World) -> None:
    answer = await world.http.get("/bookings", headers=(await world.user()).headers)
    assert (accepted(answer), answer.headers["x-total-count"]) == ([], "0")


async def test_a_booking_is_seen_by_its_owner_and_organisers_only(world: World) -> None:
    event_id = await world.event(1)
    owner, stranger, admin = *await world.users(2), await world.admin()
    booking_id = await world.booked(owner, event_id, "S1")
    assert accepted(await get(world, admin, booking_id)) == accepted(await get(world, owner, booking_id))
    assert code_of(await get(world, stranger, booking_id)) == (404, "booking_not_found")
    assert code_of(await world.cancel(stranger, booking_id)) == (404, "booking_not_found")
    assert accepted(await get(world, owner, booking_id))["status"] == "active"
    assert await world.bookings(admin) == []


@pytest.mark.parametrize("booking_id", [NOBODYS, "nonsense", "%00", "1", "x" * 2000])
async def test_unknown_bookings(world: World, booking_id: str) -> None:
    for who in (await world.user(), await world.admin()):
        for answer in (await get(world, who, booking_id), await world.cancel(who, booking_id)):
            assert answer.status_code == 404


async def test_bookings_need_a_user(world: World) -> None:
    event_id = await world.event(1)
    booking_id = await world.booked(await world.user(), event_id, "S1")
    for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{booking_id}"), ("DELETE", f"/{booking_id}")):
        assert code_of(await world.http.request(method, f"/bookings{path}")) == (401, "unauthorized")


async def test_cancelling_frees_the_seats_at_once(world: World) -> None:
    event_id = await world.event(2)
    user, other = await world.users(2)
    booking_id = await world.booked(user, event_id, "S1", "S2")
    before = accepted(await get(world, user, booking_id))
    assert accepted(await world.cancel(user, booking_id)) == {"id": booking_id, "status": "cancelled"}
    after = accepted(await get(world, user, booking_id))
    assert after == before | {"status": "cancelled", "updated_at": after["updated_at"]}
    assert time_of(after["updated_at"]) > time_of(before["updated_at"])
    event = await world.get_event(event_id)
    assert (event["booked_count"], event["available"]) == (0, 2)
    accepted(await world.hold(other, event_id, "S1", "S2"), 201)
    await world.assert_lawful()


async def test_cancelling_again_has_the_same_answer_and_no_effect(world: World) -> None:
    event_id = await world.event(1)
    user, other = await world.users(2)
    booking_id = await world.booked(user, event_id, "S1")
    first = await world.cancel(user, booking_id)
    await world.booked(other, event_id, "S1")
    again = await world.cancel(user, booking_id)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (await world.seat_statuses(event_id))["S1"] == "booked"
    await world.assert_lawful()


async def test_many_cancels_at_once_free_the_seats_once(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    booking_id = await world.booked(user, event_id, "S1", "S2")
    answers = await asyncio.gather(*(world.cancel(user, booking_id) for _ in range(10)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    event = await world.get_event(event_id)
    assert (event["booked_count"], event["available"]) == (0, 2)
    await world.assert_lawful()


async def test_an_organiser_may_cancel_for_others(world: World) -> None:
    event_id = await world.event(1)
    owner, admin = await world.user(), await world.admin()
    booking_id = await world.booked(owner, event_id, "S1")
    assert accepted(await world.cancel(admin, booking_id))["status"] == "cancelled"
    assert (await world.bookings(owner))[0]["status"] == "cancelled"


async def test_after_the_start_only_an_organiser_cancels(world: World) -> None:
    event_id = await world.event(2)
    owner, admin = await world.user(), await world.admin()
    early, late = await world.booked(owner, event_id, "S1"), await world.booked(owner, event_id, "S2")
    accepted(await world.cancel(owner, early))
    await world.start_event(event_id)
    assert code_of(await world.cancel(owner, late)) == (409, "event_started")
    assert accepted(await world.cancel(owner, early))["status"] == "cancelled"
    assert (await world.seat_statuses(event_id))["S2"] == "booked"
    assert accepted(await world.cancel(admin, late)) == {"id": late, "status": "cancelled"}
    assert accepted(await world.cancel(owner, late)) == {"id": late, "status": "cancelled"}
    await world.assert_lawful()


async def test_a_cancelled_booking_gives_its_share_back(world: World) -> None:
    event_id = await world.event(11)
    user = await world.user()
    ten = [f"S{number}" for number in range(1, 11)]
    booking_id = await world.booked(user, event_id, *ten)
    assert code_of(await world.hold(user, event_id, "S11")) == (409, "hold_limit")
    await world.cancel(user, booking_id)
    accepted(await world.hold(user, event_id, "S11"), 201)


async def test_each_booking_and_cancel_owes_one_mail(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    booking: dict[str, Any] = {}
    for _ in range(3):
        booking = accepted(await world.book(user, event_id, token, "k"), 201)
    for _ in range(3):
        await world.cancel(user, booking["id"])
    kinds = await world.pool.fetch("select kind from mails where booking_id = $1", uuid.UUID(booking["id"]))
    assert sorted(kind for (kind,) in kinds) == ["booking_cancelled", "booking_confirmed"]


async def test_a_ticket_is_its_owners_and_ends_with_the_booking(world: World) -> None:
    event_id = await world.event(1)
    owner, other = await world.users(2)
    booking_id = await world.booked(owner, event_id, "S1")
    path = f"/bookings/{booking_id}/ticket"
    ticket = await world.http.get(path, headers=owner.headers)
    assert ticket.status_code == 200
    assert ticket.headers["content-type"].startswith("image/svg+xml")
    assert ticket.headers["cache-control"] == "no-store"
    assert ticket.text.startswith("<svg")
    assert (await world.http.get(path, headers=(await world.admin()).headers)).text == ticket.text
    assert code_of(await world.http.get(path, headers=other.headers)) == (404, "booking_not_found")
    assert code_of(await world.http.get(path)) == (401, "unauthorized")
    await world.cancel(owner, booking_id)
    assert code_of(await world.http.get(path, headers=owner.headers)) == (404, "ticket_not_found")
