"""Holds: seats set aside for one user, all or none, for a few minutes, within everybody's share."""

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted, is_id, time_of
from tests.api.bodies import assert_refused, spoilt
from tests.house.world import Someone, World, code_of

pytestmark = pytest.mark.anyio

NOBODYS = "00000000-0000-0000-0000-000000000000"


async def release(world: World, user: Someone, token: str) -> httpx.Response:
    return await world.http.delete(f"/holds/{token}", headers=user.headers)


async def look_up(world: World, user: Someone, token: str) -> httpx.Response:
    return await world.http.get(f"/holds/{token}", headers=user.headers)


async def change(world: World, event_id: str, **fields: Any) -> dict[str, Any]:
    admin = await world.admin()
    event: dict[str, Any] = accepted(await world.http.patch(f"/events/{event_id}", json=fields, headers=admin.headers))
    return event


async def test_a_hold_is_answered_with_every_field(world: World) -> None:
    event_id = await world.event(3)
    user = await world.user()
    before = datetime.now(UTC)
    hold = accepted(await world.hold(user, event_id, "S3", "S1"), 201)
    assert hold.keys() == {"hold_token", "event_id", "seat_nos", "expires_at"}
    assert is_id(hold["hold_token"])
    assert (hold["event_id"], hold["seat_nos"]) == (event_id, ["S3", "S1"])
    left = time_of(hold["expires_at"]) - before
    assert timedelta(seconds=290) < left < timedelta(seconds=320)
    found = accepted(await look_up(world, user, hold["hold_token"]))
    assert found.items() >= hold.items()
    assert found["status"] == "active"
    assert time_of(found["expires_at"]) - time_of(found["created_at"]) == timedelta(seconds=300)
    assert await world.seat_statuses(event_id) == {"S1": "held", "S2": "available", "S3": "held"}


async def test_bodies_that_hold_nothing(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    bodies = [
        *spoilt({"event_id": event_id, "seat_nos": ["S1"]}, event_id="id", seat_nos="labels"),
        ("a seat twice", f'{{"event_id": "{event_id}", "seat_nos": ["S1", "S1"]}}'.encode()),
        ("a seat twice but for blanks", f'{{"event_id": "{event_id}", "seat_nos": ["S1", " S1 "]}}'.encode()),
    ]
    await assert_refused(world.http, "POST", "/holds", user.headers, bodies)
    assert await world.seat_statuses(event_id) == {"S1": "available", "S2": "available"}


async def test_a_hold_takes_ten_seats_at_most(world: World) -> None:
    event_id = await world.event(11)
    labels = [f"S{number}" for number in range(1, 12)]
    assert code_of(await world.hold(await world.user(), event_id, *labels)) == (400, "invalid_request")
    assert len(accepted(await world.hold(await world.user(), event_id, *labels[:10]), 201)["seat_nos"]) == 10


async def test_all_seats_or_none_and_every_conflict_is_named(world: World) -> None:
    event_id = await world.event(6)
    admin, holder, buyer, late = await world.admin(), *await world.users(3)
    await world.held(holder, event_id, "S2")
    await world.booked(buyer, event_id, "S3")
    accepted(await world.http.post(f"/events/{event_id}/seats/block", json={"seat_nos": ["S5"]}, headers=admin.headers))
    refused = await world.hold(late, event_id, "S1", "S2", "S3", "S4", "S5")
    assert code_of(refused) == (409, "seats_unavailable")
    assert refused.json()["conflicts"] == [
        {"seat_no": "S2", "status": "held"},
        {"seat_no": "S3", "status": "booked"},
        {"seat_no": "S5", "status": "blocked"},
    ]
    statuses = await world.seat_statuses(event_id)
    assert (statuses["S1"], statuses["S4"]) == ("available", "available")


async def test_ones_own_held_seat_is_taken_too(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    await world.held(user, event_id, "S1")
    refused = await world.hold(user, event_id, "S1", "S2")
    assert refused.json()["conflicts"] == [{"seat_no": "S1", "status": "held"}]


async def test_unknown_seats_are_named(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    await world.held(await world.user(), event_id, "S2")
    refused = await world.hold(user, event_id, "X9", "S1", "S2", "s1")
    assert code_of(refused) == (404, "seats_not_found")
    assert refused.json()["seat_nos"] == ["X9", "s1"]
    assert (await world.seat_statuses(event_id))["S1"] == "available"


async def test_an_unknown_event_is_said_to_be_so(world: World) -> None:
    assert code_of(await world.hold(await world.user(), NOBODYS, "S1")) == (404, "event_not_found")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "draft"},
        {"status": "paused"},
        {"status": "closed"},
        {"status": "cancelled"},
        {"sales_open_at": "2030-01-01T00:00:00Z"},
        {"sales_close_at": "2020-01-01T00:00:00Z"},
        {"start_time": "2020-01-01T00:00:00Z"},
    ],
    ids=str,
)
async def test_what_is_not_on_sale_cannot_be_held(world: World, fields: dict[str, Any]) -> None:
    event_id = await world.event(1, **fields)
    user = await world.user()
    assert code_of(await world.hold(user, event_id, "S1")) == (409, "not_on_sale")
    on_sale = {"status": "on_sale", "sales_open_at": None, "sales_close_at": None, "start_time": "2031-01-01T00:00:00Z"}
    await change(world, event_id, **on_sale)
    accepted(await world.hold(user, event_id, "S1"), 201)


async def test_a_sale_window_that_is_open_sells(world: World) -> None:
    event_id = await world.event(1, sales_open_at="2020-01-01T00:00:00Z", sales_close_at="2030-12-31T00:00:00Z")
    accepted(await world.hold(await world.user(), event_id, "S1"), 201)


async def test_one_user_has_a_share_of_held_and_booked_seats(world: World) -> None:
    event_id = await world.event(14)
    user, other = await world.users(2)
    await world.booked(user, event_id, "S1", "S2", "S3", "S4")
    token = await world.held(user, event_id, "S5", "S6", "S7", "S8", "S9")
    assert code_of(await world.hold(user, event_id, "S10", "S11")) == (409, "hold_limit")
    accepted(await world.hold(user, event_id, "S10"), 201)
    assert code_of(await world.hold(user, event_id, "S11")) == (409, "hold_limit")
    accepted(await world.hold(other, event_id, "S11", "S12"), 201)
    await world.lapse(token)
    accepted(await world.hold(user, event_id, "S5", "S6", "S7", "S8", "S9"), 201)
    elsewhere = await world.event(1)
    accepted(await world.hold(user, elsewhere, "S1"), 201)
    await world.assert_lawful()


async def test_many_holds_at_once_stay_within_the_share(world: World) -> None:
    event_id = await world.event(30)
    user = await world.user()
    answers = await asyncio.gather(*(world.hold(user, event_id, f"S{number}") for number in range(1, 31)))
    assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 20}
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"hold_limit"}
    assert Counter((await world.seat_statuses(event_id)).values()) == {"held": 10, "available": 20}
    await world.assert_lawful()


async def test_a_cap_bounds_what_is_held(world: World) -> None:
    event_id = await world.event(5, capacity=3)
    first, second = await world.users(2)
    await world.booked(first, event_id, "S1")
    token = await world.held(second, event_id, "S2")
    assert code_of(await world.hold(second, event_id, "S3", "S4")) == (409, "capacity_exceeded")
    accepted(await world.hold(second, event_id, "S3"), 201)
    assert code_of(await world.hold(first, event_id, "S4")) == (409, "capacity_exceeded")
    accepted(await release(world, second, token), 204)
    accepted(await world.hold(first, event_id, "S4"), 201)
    await world.assert_lawful()


async def test_a_cap_bounds_many_holds_at_once(world: World) -> None:
    event_id = await world.event(40, capacity=7)
    users = await world.users(20)
    answers = await asyncio.gather(
        *(world.hold(user, event_id, f"S{2 * place + 1}", f"S{2 * place + 2}") for place, user in enumerate(users))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 17}
    assert {code_of(answer) for answer in answers if answer.status_code == 409} == {(409, "capacity_exceeded")}
    event = await world.get_event(event_id)
    assert (event["held_count"], event["available"]) == (6, 1)
    await world.assert_lawful()


async def test_of_many_for_one_seat_one_gets_it(world: World) -> None:
    event_id = await world.event(1)
    answers = await asyncio.gather(*(world.hold(user, event_id, "S1") for user in await world.users(30)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 29}
    await world.assert_lawful()


async def test_a_released_hold_frees_its_seats(world: World) -> None:
    event_id = await world.event(2)
    user, other = await world.users(2)
    token = await world.held(user, event_id, "S1", "S2")
    answer = await release(world, user, token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert code_of(await release(world, user, token)) == (410, "hold_over")
    assert code_of(await look_up(world, user, token)) == (410, "hold_over")
    accepted(await world.hold(other, event_id, "S1", "S2"), 201)
    await world.assert_lawful()


async def test_a_hold_whose_time_has_passed_is_over(world: World) -> None:
    event_id = await world.event(1)
    user, other = await world.users(2)
    token = await world.held(user, event_id, "S1")
    await world.lapse(token)
    assert code_of(await look_up(world, user, token)) == (410, "hold_over")
    assert code_of(await release(world, user, token)) == (410, "hold_over")
    assert code_of(await world.book(user, event_id, token)) == (409, "hold_expired")
    accepted(await world.hold(other, event_id, "S1"), 201)
    assert code_of(await release(world, user, token)) == (410, "hold_over")
    assert (await world.seat_statuses(event_id))["S1"] == "held"
    await world.assert_lawful()


async def test_a_booked_hold_is_over(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    accepted(await world.book(user, event_id, token), 201)
    assert code_of(await look_up(world, user, token)) == (410, "hold_over")
    assert code_of(await release(world, user, token)) == (410, "hold_over")
    assert (await world.seat_statuses(event_id))["S1"] == "booked"


async def test_another_users_hold_is_not_found(world: World) -> None:
    event_id = await world.event(1)
    user, stranger, admin = *await world.users(2), await world.admin()
    token = await world.held(user, event_id, "S1")
    for other in (stranger, admin):
        assert code_of(await look_up(world, other, token)) == (404, "hold_not_found")
        assert code_of(await release(world, other, token)) == (404, "hold_not_found")
        assert code_of(await world.book(other, event_id, token)) == (404, "hold_not_found")
    assert accepted(await look_up(world, user, token))["status"] == "active"
    await world.lapse(token)
    assert code_of(await look_up(world, stranger, token)) == (404, "hold_not_found")


@pytest.mark.parametrize("token", [NOBODYS, "nonsense", "%00", "1", "x" * 2000])
async def test_unknown_holds(world: World, token: str) -> None:
    user = await world.user()
    for answer in (await look_up(world, user, token), await release(world, user, token)):
        assert answer.status_code == 404


async def test_a_hold_needs_a_user(world: World) -> None:
    event_id = await world.event(1)
    token = await world.held(await world.user(), event_id, "S1")
    body = {"event_id": event_id, "seat_nos": ["S1"]}
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic dTpw"}):
        assert code_of(await world.http.post("/holds", json=body, headers=headers)) == (401, "unauthorized")
        assert code_of(await world.http.get(f"/holds/{token}", headers=headers)) == (401, "unauthorized")
        assert code_of(await world.http.delete(f"/holds/{token}", headers=headers)) == (401, "unauthorized")


async def test_a_key_gives_the_same_hold_again(world: World) -> None:
    event_id = await world.event(3)
    user = await world.user()
    first = await world.hold(user, event_id, "S2", "S1", key="my key")
    again = await world.hold(user, event_id, "S2", "S1", key="my key")
    assert accepted(again, 201) == accepted(first, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert (await world.get_event(event_id))["held_count"] == 2
    await world.assert_lawful()


async def test_a_key_for_other_seats_is_refused(world: World) -> None:
    event_id = await world.event(3)
    user = await world.user()
    await world.hold(user, event_id, "S1", key="k")
    for seats in (("S2",), ("S1", "S2")):
        assert code_of(await world.hold(user, event_id, *seats, key="k")) == (422, "idempotency_key_reused")
    assert (await world.get_event(event_id))["held_count"] == 1


async def test_a_key_belongs_to_one_user_and_one_event(world: World) -> None:
    here, there = await world.event(2), await world.event(2)
    user, other = await world.users(2)
    tokens = {
        accepted(await world.hold(who, event_id, seat, key="k"), 201)["hold_token"]
        for who, event_id, seat in ((user, here, "S1"), (other, here, "S2"), (user, there, "S1"))
    }
    assert len(tokens) == 3


async def test_a_key_of_a_booked_hold_leads_to_the_booking(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = accepted(await world.hold(user, event_id, "S1", key="k"), 201)["hold_token"]
    booking = accepted(await world.book(user, event_id, token), 201)
    again = await world.hold(user, event_id, "S1", key="k")
    assert code_of(again) == (409, "hold_already_booked")
    assert again.headers["location"] == f"/bookings/{booking['id']}"


@pytest.mark.parametrize("ended", ["released", "lapsed"])
async def test_a_key_of_an_ended_hold_makes_no_new_one(world: World, ended: str) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = accepted(await world.hold(user, event_id, "S1", key="k"), 201)["hold_token"]
    await (world.lapse(token) if ended == "lapsed" else release(world, user, token))
    assert code_of(await world.hold(user, event_id, "S1", key="k")) == (409, "hold_expired")
    accepted(await world.hold(user, event_id, "S1", key="k2"), 201)


async def test_a_refused_hold_leaves_its_key_unused(world: World) -> None:
    event_id = await world.event(1)
    user, other = await world.users(2)
    token = await world.held(other, event_id, "S1")
    assert code_of(await world.hold(user, event_id, "S1", key="k")) == (409, "seats_unavailable")
    accepted(await release(world, other, token), 204)
    accepted(await world.hold(user, event_id, "S1", key="k"), 201)


@pytest.mark.parametrize("key", ["x" * 256, '""', '"', "ü"])
async def test_keys_that_are_none(world: World, key: str) -> None:
    event_id = await world.event(1)
    user = await world.user()
    headers = [("Authorization", f"Bearer {user.token}"), ("Idempotency-Key", key.encode("latin-1"))]
    body = {"event_id": event_id, "seat_nos": ["S1"]}
    answer = await world.http.post("/holds", json=body, headers=headers)  # type: ignore[arg-type]
    if key == '"':
        accepted(answer, 201)
    else:
        assert code_of(answer) == (400, "idempotency_key_invalid")


async def test_small_limits_of_the_settings_are_kept(narrow_world: World) -> None:
    world = narrow_world
    event_id = await world.event(10)
    user = await world.user()
    assert code_of(await world.hold(user, event_id, "S1", "S2", "S3", "S4")) == (400, "invalid_request")
    hold = accepted(await world.hold(user, event_id, "S1", "S2", "S3"), 201)
    found = accepted(await look_up(world, user, hold["hold_token"]))
    assert time_of(found["expires_at"]) - time_of(found["created_at"]) == timedelta(seconds=90)
    assert code_of(await world.hold(user, event_id, "S4", "S5")) == (409, "hold_limit")
    accepted(await world.hold(user, event_id, "S4"), 201)
    assert code_of(await world.join(user, event_id, 5)) == (400, "invalid_request")
    await world.assert_lawful(user_seats_max=4)


async def test_expiry_needs_no_worker(narrow_world: World) -> None:
    world = narrow_world
    event_id = await world.event(2)
    user, other = await world.users(2)
    token = await world.held(user, event_id, "S1")
    await world.lapse(token)
    assert (await world.seat_statuses(event_id))["S1"] == "available"
    event = await world.get_event(event_id)
    assert (event["held_count"], event["available"]) == (0, 2)
    assert code_of(await look_up(world, user, token)) == (410, "hold_over")
    still_active = await world.pool.fetchval("select status from holds where hold_id = $1", uuid.UUID(token))
    assert still_active == "active", "a worker tidied up, so this showed nothing"
    accepted(await world.hold(other, event_id, "S1"), 201)
    await world.assert_lawful(user_seats_max=4)
