"""Idempotency keys: a booking that is asked for again is made once, and answered as it was."""

import asyncio
from collections import Counter

import httpx
import pytest

from tests.api.answers import accepted
from tests.house.world import Someone, World, code_of

pytestmark = pytest.mark.anyio
NOBODYS = "00000000-0000-0000-0000-000000000000"
FIELDS = {"id", "event_id", "seats_count", "seat_numbers", "status", "created_at", "updated_at"}


async def get(world: World, user: Someone, booking_id: str) -> httpx.Response:
    return await world.http.get(f"/bookings/{booking_id}", headers=user.headers)


async def test_the_same_key_and_body_have_the_same_answer(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    token = await world.held(user, event_id, "S2", "S1")
    first = await world.book(user, event_id, token, "my key")
    for _ in range(3):
        again = await world.book(user, event_id, token, "my key")
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]
    assert len(await world.bookings(user)) == 1
    assert (await world.get_event(event_id))["booked_count"] == 2
    await world.assert_lawful()


async def test_how_the_body_is_written_does_not_matter(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    first = await world.book(user, event_id, token, "k")
    body = f' {{ "hold_token" : "{token.upper()}",\n"event_id":"{event_id}" }} '
    headers = user.headers | {"Idempotency-Key": "k", "Content-Type": "application/json; charset=utf-8"}
    again = await world.http.post("/bookings/", content=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)


async def test_many_at_once_with_one_key_make_one_booking(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    token = await world.held(user, event_id, "S1", "S2")
    answers = await asyncio.gather(*(world.book(user, event_id, token, "k") for _ in range(20)))
    for answer in answers:
        assert answer.status_code == 201 or code_of(answer) == (409, "idempotency_in_flight")
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert len(await world.bookings(user)) == 1
    await world.assert_lawful()


async def test_many_at_once_with_keys_of_their_own_make_one_booking(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    answers = await asyncio.gather(*(world.book(user, event_id, token) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    assert len(await world.bookings(user)) == 1
    await world.assert_lawful()


async def test_a_key_used_for_another_body_is_refused(world: World) -> None:
    event_id = await world.event(3)
    user = await world.user()
    first, second = await world.held(user, event_id, "S1"), await world.held(user, event_id, "S2")
    booking = accepted(await world.book(user, event_id, first, "k"), 201)
    for token in (second, NOBODYS):
        refused = await world.book(user, event_id, token, "k")
        assert code_of(refused) == (422, "idempotency_key_reused")
        assert booking["id"] not in refused.text
    accepted(await world.book(user, event_id, second, "another"), 201)
    assert len(await world.bookings(user)) == 2


async def test_a_new_key_for_a_booked_hold_leads_to_the_booking(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    booking = accepted(await world.book(user, event_id, token, "k"), 201)
    refused = await world.book(user, event_id, token, "another")
    assert code_of(refused) == (409, "hold_already_booked")
    assert refused.headers["location"] == f"/bookings/{booking['id']}"
    accepted(await world.http.get(refused.headers["location"], headers=user.headers))


async def test_two_users_may_have_the_same_key(world: World) -> None:
    event_id = await world.event(2)
    first, second = await world.users(2)
    tokens = {first: await world.held(first, event_id, "S1"), second: await world.held(second, event_id, "S2")}
    mine = accepted(await world.book(first, event_id, tokens[first], "k"), 201)
    theirs = accepted(await world.book(second, event_id, tokens[second], "k"), 201)
    assert mine["id"] != theirs["id"]
    refused = await world.book(second, event_id, tokens[first], "k2")
    assert code_of(refused) == (404, "hold_not_found")
    assert mine["id"] not in refused.text


async def test_a_key_counts_for_each_event_by_itself(world: World) -> None:
    user = await world.user()
    ids = set()
    for _ in range(2):
        event_id = await world.event(1)
        token = await world.held(user, event_id, "S1")
        ids.add(accepted(await world.book(user, event_id, token, "k"), 201)["id"])
    assert len(ids) == 2


async def test_a_key_of_a_cancelled_booking_replays_the_first_answer(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    first = await world.book(user, event_id, token, "k")
    await world.cancel(user, first.json()["id"])
    again = await world.book(user, event_id, token, "k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert accepted(await get(world, user, first.json()["id"]))["status"] == "cancelled"
    assert (await world.seat_statuses(event_id))["S1"] == "available"
    refused = await world.book(user, event_id, await world.held(user, event_id, "S1"), "k")
    assert code_of(refused) == (422, "idempotency_key_reused")
    assert code_of(await world.book(user, event_id, token, "another")) == (409, "hold_already_booked")


async def test_a_refused_booking_leaves_its_key_unused(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    lapsed = await world.held(user, event_id, "S1")
    await world.lapse(lapsed)
    assert code_of(await world.book(user, event_id, lapsed, "k")) == (409, "hold_expired")
    assert code_of(await world.book(user, event_id, NOBODYS, "k")) == (404, "hold_not_found")
    accepted(await world.book(user, event_id, await world.held(user, event_id, "S1"), "k"), 201)


async def test_a_booking_needs_a_key(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    body = {"event_id": event_id, "hold_token": token}
    answer = await world.http.post("/bookings", json=body, headers=user.headers)
    assert code_of(answer) == (400, "idempotency_key_required")
    assert accepted(await world.http.get(f"/holds/{token}", headers=user.headers))["status"] == "active"


@pytest.mark.parametrize("key", ["x" * 256, '""', "", "ü", "a\tb", '"' + "x" * 256 + '"'])
async def test_keys_that_are_none(world: World, key: str) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    answer = await book_with_raw_key(world, user, event_id, token, key)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("idempotency_key_invalid", "idempotency_key_required")
    assert await world.bookings(user) == []


async def book_with_raw_key(world: World, user: Someone, event_id: str, token: str, *keys: str) -> httpx.Response:
    headers = httpx.Headers(
        [
            (b"Authorization", f"Bearer {user.token}".encode()),
            *((b"Idempotency-Key", key.encode("latin-1")) for key in keys),
        ]
    )
    return await world.http.post("/bookings", json={"event_id": event_id, "hold_token": token}, headers=headers)


@pytest.mark.parametrize("key", ["x", "x" * 255, "'; drop table bookings; --", "{}[]", '"' + "x" * 255 + '"', "a b"])
async def test_keys_that_are_fine(world: World, key: str) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    first = await book_with_raw_key(world, user, event_id, token, key)
    assert first.status_code == 201
    again = await book_with_raw_key(world, user, event_id, token, key)
    assert again.content == first.content


async def test_a_key_in_quotes_is_the_same_key(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    first = await world.book(user, event_id, token, '"my-key"')
    again = await world.book(user, event_id, token, "my-key")
    assert (again.status_code, again.content) == (201, first.content)


async def test_two_keys_are_one_too_many(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    answer = await book_with_raw_key(world, user, event_id, token, "a", "b")
    assert code_of(answer) == (400, "idempotency_key_invalid")


async def test_keys_differ_by_case(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    accepted(await world.book(user, event_id, token, "k"), 201)
    assert code_of(await world.book(user, event_id, token, "K")) == (409, "hold_already_booked")
