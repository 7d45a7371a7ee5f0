"""Seats: how they come to be, how a map shows them, and how they are taken off sale."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted, is_id, time_of
from tests.api.bodies import assert_refused, spoilt
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio

FIELDS = {"id", "seat_no", "status", "section", "row", "category", "created_at", "updated_at"}


async def add(world: World, event_id: str, *labels: str) -> httpx.Response:
    admin = await world.admin()
    return await world.http.post(f"/events/{event_id}/seats", json={"seat_nos": labels}, headers=admin.headers)


async def block(world: World, event_id: str, *labels: str, word: str = "block", **members: Any) -> httpx.Response:
    admin = await world.admin()
    return await world.http.post(
        f"/events/{event_id}/seats/{word}", json={"seat_nos": labels} | members, headers=admin.headers
    )


async def seats_of(world: World, event_id: str) -> list[dict[str, Any]]:
    seats: list[dict[str, Any]] = accepted(await world.http.get(f"/events/{event_id}/seats"))
    return seats


async def test_new_seats_are_answered_with_every_field(world: World) -> None:
    event_id = await world.event()
    created = accepted(await add(world, event_id, "B1", "A1"), 201)
    assert [seat["seat_no"] for seat in created] == ["A1", "B1"]
    for seat in created:
        assert seat.keys() == FIELDS
        assert is_id(seat["id"])
        assert seat["status"] == "available"
        assert (seat["section"], seat["row"], seat["category"]) == (None, None, None)
        assert time_of(seat["created_at"]) == time_of(seat["updated_at"])
    assert await seats_of(world, event_id) == created


async def test_seats_that_exist_are_skipped(world: World) -> None:
    event_id = await world.event(2)
    before = await seats_of(world, event_id)
    created = accepted(await add(world, event_id, "S2", "S3", "S3", " S3 "), 201)
    assert [seat["seat_no"] for seat in created] == ["S3"]
    assert accepted(await add(world, event_id, "S1", "S2"), 201) == []
    assert (await seats_of(world, event_id))[:2] == before
    await world.assert_lawful()


async def test_labels_are_trimmed(world: World) -> None:
    event_id = await world.event()
    created = accepted(await add(world, event_id, " A1", "A1 ", "\u00a0A2\u3000", "A 3"), 201)
    assert [seat["seat_no"] for seat in created] == ["A 3", "A1", "A2"]
    accepted(await world.hold(await world.user(), event_id, " A1 "), 201)
    assert (await world.seat_statuses(event_id))["A1"] == "held"


async def test_labels_may_be_long_and_in_any_script(world: World) -> None:
    event_id = await world.event()
    labels = [
        "x" * 64,
        "🎻" * 64,
        "Ложа 1",
        "'; drop table seats; --",
        '"quoted"',
        "a\\b",
        "<b>&",
        "{1,2}",
        "NULL",
        "null",
    ]
    created = accepted(await add(world, event_id, *labels), 201)
    assert sorted(seat["seat_no"] for seat in created) == sorted(labels)
    user = await world.user()
    accepted(await world.hold(user, event_id, *labels[:3], *labels[4:]), 201)
    accepted(await world.hold(user, event_id, labels[3]), 201)
    assert set((await world.seat_statuses(event_id)).values()) == {"held"}
    await world.assert_lawful()


async def test_a_thousand_of_the_longest_labels_fit_into_one_request(world: World) -> None:
    event_id = await world.event()
    labels = [f"{'Ж' * 60}{number:04}" for number in range(1000)]
    created = accepted(await add(world, event_id, *labels), 201)
    assert [seat["seat_no"] for seat in created] == labels
    assert (await world.get_event(event_id))["available"] == 1000
    accepted(await block(world, event_id, *labels))
    assert (await world.get_event(event_id))["available"] == 0


@pytest.mark.parametrize("path", ["seats", "seats/block", "seats/unblock"])
async def test_bodies_that_name_no_seats(world: World, path: str) -> None:
    event_id = await world.event(1)
    admin = await world.admin()
    sound: dict[str, Any] = {"seat_nos": ["S1"]}
    kinds = {"seat_nos": "labels"}
    if path != "seats":
        sound["reason"] = "broken"
        kinds["reason"] = "reason"
    bodies = spoilt(sound, optional="reason", nullable="reason", **kinds)
    await assert_refused(world.http, "POST", f"/events/{event_id}/{path}", admin.headers, bodies)
    assert await world.seat_statuses(event_id) == {"S1": "available"}


async def test_seats_are_in_the_order_people_count(world: World) -> None:
    shuffled = [
        "S10",
        "S2",
        "A10",
        "S1",
        "S100",
        "a9",
        "Row 2 Seat 1",
        "Row 10 Seat 1",
        "Row 2 Seat 11",
        "Row 2 Seat 2",
        "7",
    ]
    event_id = await world.event(shuffled)
    assert [seat["seat_no"] for seat in await seats_of(world, event_id)] == [
        "7", "a9", "A10", "Row 2 Seat 1", "Row 2 Seat 2", "Row 2 Seat 11", "Row 10 Seat 1", "S1", "S2", "S10", "S100",
    ]  # fmt: skip


async def test_a_seat_shows_what_is_so_now(world: World) -> None:
    event_id = await world.event(4)
    holder, buyer = await world.users(2)
    token = await world.held(holder, event_id, "S1")
    await world.booked(buyer, event_id, "S2")
    accepted(await block(world, event_id, "S3"))
    assert await world.seat_statuses(event_id) == {"S1": "held", "S2": "booked", "S3": "blocked", "S4": "available"}
    await world.lapse(token)
    assert (await world.seat_statuses(event_id))["S1"] == "available"


async def test_nobody_can_be_found_out_from_a_map(world: World) -> None:
    event_id = await world.event(3)
    buyer = await world.user()
    token = await world.held(buyer, event_id, "S1")
    booking_id = await world.booked(buyer, event_id, "S2")
    admin = await world.admin()
    for path in ("seats", "availability", ""):
        for headers in ({}, buyer.headers, admin.headers):
            text = (await world.http.get(f"/events/{event_id}/{path}".rstrip("/"), headers=headers)).text
            for secret in (token, booking_id, str(buyer.id), buyer.email):
                assert secret not in text, path
    assert {*(key for seat in await seats_of(world, event_id) for key in seat)} == FIELDS


@pytest.mark.parametrize("path", ["seats", "availability"])
async def test_an_unchanged_map_is_not_sent_again(world: World, path: str) -> None:
    event_id = await world.event(3)
    user = await world.user()
    tags: list[str] = []

    async def look() -> None:
        """Assert that the map differs from all before, and that its tag is good for a 304 and older ones are not."""
        answer = await world.http.get(f"/events/{event_id}/{path}")
        accepted(answer)
        tag = answer.headers["etag"]
        assert tag not in tags
        same = await world.http.get(f"/events/{event_id}/{path}", headers={"If-None-Match": f'"other", W/{tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        for old in tags:
            accepted(await world.http.get(f"/events/{event_id}/{path}", headers={"If-None-Match": old}))
        tags.append(tag)

    await look()
    token = await world.held(user, event_id, "S1")
    await look()
    await world.lapse(token)
    await look()
    await world.booked(user, event_id, "S2")
    await look()
    accepted(await block(world, event_id, "S3"))
    await look()
    accepted(await add(world, event_id, "S4"), 201)
    await look()


async def test_both_processes_send_the_same_map_at_once(world: World) -> None:
    """Each process keeps maps of its own; none may be stale after a change was answered."""
    event_id = await world.event(2)
    user = await world.user()
    for _ in range(5):
        token = await world.held(user, event_id, "S1")
        maps = await asyncio.gather(*(world.seat_statuses(event_id) for _ in range(6)))
        assert maps == [{"S1": "held", "S2": "available"}] * 6
        accepted(await world.http.delete(f"/holds/{token}", headers=user.headers), 204)
        maps = await asyncio.gather(*(world.seat_statuses(event_id) for _ in range(6)))
        assert maps == [{"S1": "available", "S2": "available"}] * 6


async def test_availability_names_only_what_cannot_be_had(world: World) -> None:
    event_id = await world.event(12)
    holder, buyer = await world.users(2)
    await world.held(holder, event_id, "S10", "S2")
    await world.booked(buyer, event_id, "S3")
    accepted(await block(world, event_id, "S4", "S5"))
    document = accepted(await world.http.get(f"/events/{event_id}/availability"))
    event = await world.get_event(event_id)
    assert document == {
        "event_id": event_id, "version": event["version"], "chart_version": 0, "available": 7,
        "held": ["S2", "S10"], "booked": ["S3"], "blocked": ["S4", "S5"],
    }  # fmt: skip
    assert event["available"] == 7


async def test_an_event_without_seats_has_an_empty_map(world: World) -> None:
    event_id = await world.event()
    assert await seats_of(world, event_id) == []
    document = accepted(await world.http.get(f"/events/{event_id}/availability"))
    assert (document["available"], document["held"], document["booked"], document["blocked"]) == (0, [], [], [])


async def test_blocked_seats_cannot_be_had_until_unblocked(world: World) -> None:
    event_id = await world.event(3)
    user = await world.user()
    blocked = accepted(await block(world, event_id, "S1", " S2 ", reason="The lights fell down."))
    assert blocked == {"event_id": event_id, "seat_nos": ["S1", "S2"], "status": "blocked"}
    event = await world.get_event(event_id)
    assert (event["capacity"], event["available"]) == (1, 1)
    refused = await world.hold(user, event_id, "S1", "S3")
    assert code_of(refused) == (409, "seats_unavailable")
    assert refused.json()["conflicts"] == [{"seat_no": "S1", "status": "blocked"}]
    accepted(await block(world, event_id, "S1", "S2"))
    unblocked = accepted(await block(world, event_id, "S1", "S2", "S3", word="unblock"))
    assert unblocked == {"event_id": event_id, "seat_nos": ["S1", "S2", "S3"], "status": "available"}
    assert (await world.get_event(event_id))["available"] == 3
    accepted(await world.hold(user, event_id, "S1", "S3"), 201)
    await world.assert_lawful()


@pytest.mark.parametrize("word", ["block", "unblock"])
async def test_sold_and_held_seats_cannot_be_blocked_or_unblocked(world: World, word: str) -> None:
    event_id = await world.event(5)
    holder, buyer = await world.users(2)
    token = await world.held(holder, event_id, "S1")
    await world.booked(buyer, event_id, "S2")
    accepted(await block(world, event_id, "S5"))
    before = await world.seat_statuses(event_id)
    refused = await block(world, event_id, "S5", "S4", "S2", "S1", word=word)
    assert code_of(refused) == (409, "seats_unavailable")
    conflicts = refused.json()["conflicts"]
    assert sorted(conflicts, key=str) == [{"seat_no": "S1", "status": "held"}, {"seat_no": "S2", "status": "booked"}]
    assert await world.seat_statuses(event_id) == before
    await world.lapse(token)
    accepted(await block(world, event_id, "S1", word=word))
    await world.assert_lawful()


@pytest.mark.parametrize("word", ["block", "unblock"])
async def test_unknown_seats_are_named(world: World, word: str) -> None:
    event_id = await world.event(2)
    refused = await block(world, event_id, "S1", "X1", "s1", word=word)
    assert code_of(refused) == (404, "seats_not_found")
    assert refused.json()["seat_nos"] == ["X1", "s1"]
    assert await world.seat_statuses(event_id) == {"S1": "available", "S2": "available"}


async def test_a_seat_of_another_event_is_unknown_here(world: World) -> None:
    here, there = await world.event(["A1"]), await world.event(["B1"])
    assert code_of(await block(world, here, "B1")) == (404, "seats_not_found")
    assert code_of(await world.hold(await world.user(), here, "A1", "B1")) == (404, "seats_not_found")
    assert await world.seat_statuses(there) == {"B1": "available"}


async def test_only_organisers_change_seats(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    for headers, expected in (({}, (401, "unauthorized")), (user.headers, (403, "forbidden"))):
        for path in ("seats", "seats/block", "seats/unblock"):
            answer = await world.http.post(f"/events/{event_id}/{path}", json={"seat_nos": ["S1"]}, headers=headers)
            assert code_of(answer) == expected
        answer = await world.http.put(f"/events/{event_id}/seating-plan", json={}, headers=headers)
        assert code_of(answer) == expected
        answer = await world.http.post("/seating-plans/preview", json={}, headers=headers)
        assert code_of(answer) == expected
    assert await world.seat_statuses(event_id) == {"S1": "available"}


async def test_seats_added_to_a_full_house_go_to_waiters(world: World) -> None:
    event_id = await world.event(1)
    buyer, waiter = await world.users(2)
    await world.booked(buyer, event_id, "S1")
    accepted(await world.join(waiter, event_id, 2), 202)
    created = accepted(await add(world, event_id, "S2", "S3", "S4"), 201)
    assert [seat["seat_no"] for seat in created] == ["S2", "S3", "S4"]
    assert await world.seat_statuses(event_id) == {"S1": "booked", "S2": "booked", "S3": "booked", "S4": "available"}
    assert [booking["seat_numbers"] for booking in await world.bookings(waiter)] == [["S2", "S3"]]


async def test_unblocked_seats_go_to_waiters(world: World) -> None:
    event_id = await world.event(3)
    buyer, waiter = await world.users(2)
    await world.booked(buyer, event_id, "S1")
    accepted(await block(world, event_id, "S2", "S3"))
    accepted(await world.join(waiter, event_id, 2), 202)
    accepted(await block(world, event_id, "S2", word="unblock"))
    assert (await world.seat_statuses(event_id))["S2"] == "available"
    accepted(await block(world, event_id, "S3", word="unblock"))
    assert set((await world.seat_statuses(event_id)).values()) == {"booked"}
    assert [booking["seat_numbers"] for booking in await world.bookings(waiter)] == [["S2", "S3"]]
    await world.assert_lawful()


async def test_two_organisers_adding_the_same_seats_make_them_once(world: World) -> None:
    event_id = await world.event()
    labels = [f"R{number}" for number in range(1, 51)]
    answers = await asyncio.gather(*(add(world, event_id, *labels) for _ in range(4)))
    created = [seat["seat_no"] for answer in answers for seat in accepted(answer, 201)]
    assert sorted(created) == sorted(labels)
    assert (await world.get_event(event_id))["available"] == 50
    await world.assert_lawful()


async def test_a_large_house_is_listed_whole(world: World) -> None:
    event_id = await world.event(1500)
    seats = await seats_of(world, event_id)
    assert [seat["seat_no"] for seat in seats] == [f"S{number}" for number in range(1, 1501)]
    assert len({seat["id"] for seat in seats}) == 1500
    assert json.dumps(seats)
    assert str(uuid.UUID(seats[0]["id"])) == seats[0]["id"]
