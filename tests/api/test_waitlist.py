"""The waitlist: who is served when seats come free, whatever freed them, and where one stands meanwhile."""

import asyncio
from typing import Any

import pytest

from tests.api.answers import accepted, is_id, links_of, time_of
from tests.api.bodies import assert_refused, spoilt
from tests.api.queues import leave, organise, place, position, seats_of, sold_out, waiters
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio


async def test_joining_is_answered_with_every_field(world: World) -> None:
    event_id, _, _ = await sold_out(world, 2)
    user = await world.user()
    entry = accepted(await world.join(user, event_id, 2), 202)
    assert entry.keys() == {"id", "position", "requested_seats", "status", "created_at"}
    assert is_id(entry["id"])
    assert (entry["position"], entry["requested_seats"], entry["status"]) == (1, 2, "waiting")
    assert time_of(entry["created_at"])
    found = accepted(await place(world, user, event_id))
    assert found == entry | {"event_id": event_id}
    assert (await world.get_event(event_id))["waiting_count"] == 1


async def test_bodies_that_join_nothing(world: World) -> None:
    event_id, _, _ = await sold_out(world, 1)
    user = await world.user()
    bodies = [*spoilt({"requested_seats": 1}, requested_seats="count"), ("eleven", b'{"requested_seats": 11}')]
    await assert_refused(world.http, "POST", f"/events/{event_id}/waitlist", user.headers, bodies)
    assert code_of(await place(world, user, event_id)) == (404, "waitlist_entry_not_found")


async def test_nobody_waits_while_seats_are_free(world: World) -> None:
    event_id = await world.event(3)
    buyer, user = await world.users(2)
    await world.booked(buyer, event_id, "S1")
    for seats in (1, 2):
        assert code_of(await world.join(user, event_id, seats)) == (409, "seats_available")
    accepted(await world.join(user, event_id, 3), 202)


async def test_a_cap_counts_as_sold_out(world: World) -> None:
    event_id, _, _ = await sold_out(world, 1)
    capped = await world.event(3, capacity=1)
    await world.booked(await world.user(), capped, "S1")
    user = await world.user()
    for sold in (event_id, capped):
        accepted(await world.join(user, sold, 1), 202)


async def test_seats_whose_hold_has_lapsed_are_free(world: World) -> None:
    event_id = await world.event(1)
    holder, user = await world.users(2)
    token = await world.held(holder, event_id, "S1")
    accepted(await world.join(await world.user(), event_id, 2), 202)
    await world.lapse(token)
    assert code_of(await world.join(user, event_id, 1)) == (409, "seats_available")


async def test_one_waits_once(world: World) -> None:
    event_id, _, _ = await sold_out(world, 1)
    (user,) = await waiters(world, event_id, 1)
    for seats in (1, 2):
        assert code_of(await world.join(user, event_id, seats)) == (409, "already_waiting")
    answers = await asyncio.gather(*(world.join(other, event_id, 1) for other in [await world.user()] * 10))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 9
    assert (await world.get_event(event_id))["waiting_count"] == 2
    elsewhere, _, _ = await sold_out(world, 1)
    accepted(await world.join(user, elsewhere, 1), 202)


async def test_nobody_waits_for_more_than_their_share(world: World) -> None:
    event_id = await world.event(10)
    user = await world.user()
    ten = [f"S{number}" for number in range(1, 11)]
    await world.booked(user, event_id, *ten[:8])
    await world.held(await world.user(), event_id, *ten[8:])
    assert code_of(await world.join(user, event_id, 3)) == (409, "hold_limit")
    accepted(await world.join(user, event_id, 2), 202)
    accepted(await world.join(await world.user(), event_id, 10), 202)


async def test_a_waiter_who_has_bought_meanwhile_stays_within_the_share(world: World) -> None:
    event_id = await world.event(12)
    first, second = await world.users(2)
    labels = [f"S{number}" for number in range(1, 13)]
    sold = [await world.booked(first, event_id, label) for label in labels[:10]]
    sold += [await world.booked(second, event_id, label) for label in labels[10:]]
    greedy = await world.user()
    accepted(await world.join(greedy, event_id, 10), 202)
    await world.cancel(first, sold[0])
    taken = accepted(await world.book(greedy, event_id, await world.held(greedy, event_id, "S1")), 201)
    for booking in sold[1:]:
        await world.cancel(first if booking in sold[:10] else second, booking)
    assert await seats_of(world, greedy) == [["S1"]]
    await world.cancel(greedy, taken["id"])
    assert [len(seats) for seats in await seats_of(world, greedy)] == [10]
    await world.assert_lawful()


@pytest.mark.parametrize("fields", [{"status": "paused"}, {"status": "closed"}, {"status": "cancelled"},
                                    {"status": "draft"}, {"sales_close_at": "2020-01-01T00:00:00Z"},
                                    {"start_time": "2020-01-01T00:00:00Z"}], ids=str)  # fmt: skip
async def test_nobody_joins_when_the_event_is_not_on_sale(world: World, fields: dict[str, Any]) -> None:
    event_id, _, _ = await sold_out(world, 1)
    await organise(world, "PATCH", f"/events/{event_id}", **fields)
    assert code_of(await world.join(await world.user(), event_id, 1)) == (409, "not_on_sale")


async def test_positions_are_live(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 1)
    users = await waiters(world, event_id, 1, 1, 1, 1)
    assert [await position(world, user, event_id) for user in users] == [1, 2, 3, 4]
    accepted(await leave(world, users[1], event_id), 204)
    assert code_of(await place(world, users[1], event_id)) == (404, "waitlist_entry_not_found")
    assert [await position(world, users[place], event_id) for place in (0, 2, 3)] == [1, 2, 3]
    await world.cancel(buyer, bookings[0])
    assert [await position(world, users[place], event_id) for place in (2, 3)] == [1, 2]
    entry = accepted(await world.join(users[1], event_id, 1), 202)
    assert entry["position"] == 3


async def test_many_joining_at_once_have_places_of_their_own(world: World) -> None:
    event_id, _, _ = await sold_out(world, 1)
    users = await world.users(40)
    answers = await asyncio.gather(*(world.join(user, event_id, 1) for user in users))
    assert sorted(accepted(answer, 202)["position"] for answer in answers) == list(range(1, 41))
    assert sorted([await position(world, user, event_id) for user in users]) == list(range(1, 41))


async def test_leaving_is_final_and_joining_again_is_fine(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 1)
    (user,) = await waiters(world, event_id, 1)
    answer = await leave(world, user, event_id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert code_of(await leave(world, user, event_id)) == (404, "waitlist_entry_not_found")
    await world.cancel(buyer, bookings[0])
    assert await world.bookings(user) == []
    assert await world.seat_statuses(event_id) == {"S1": "available"}
    await world.booked(buyer, event_id, "S1")
    accepted(await world.join(user, event_id, 1), 202)


async def test_one_may_wait_again_after_a_promotion(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 2)
    (user,) = await waiters(world, event_id, 1)
    for round_, booking_id in enumerate(bookings, 1):
        await world.cancel(buyer, booking_id)
        assert len(await seats_of(world, user)) == round_
        assert code_of(await place(world, user, event_id)) == (404, "waitlist_entry_not_found")
        accepted(await world.join(user, event_id, 1), 202)
    await world.assert_lawful()


async def test_organisers_see_the_queue_by_pages(world: World) -> None:
    event_id, _, _ = await sold_out(world, 1)
    users = await waiters(world, event_id, 1, 2, 3)
    admin = await world.admin()
    answer = await world.http.get(f"/events/{event_id}/waitlist", params={"limit": 2}, headers=admin.headers)
    page = accepted(answer)
    assert answer.headers["x-total-count"] == "3"
    rest = await world.http.get(links_of(answer)["next"], headers=admin.headers)
    queue = page + accepted(rest)
    assert [(entry["position"], entry["requested_seats"], entry["user_id"]) for entry in queue] == [
        (number, number, str(user.id)) for number, user in enumerate(users, 1)
    ]
    assert {entry["event_id"] for entry in queue} == {event_id}
    assert [entry["email"] for entry in queue] == [user.email for user in users]
    assert all(entry["name"] for entry in queue)
    assert {entry["status"] for entry in queue} == {"waiting"}
    assert all(is_id(entry["id"]) and time_of(entry["created_at"]) for entry in queue)
    for query in ("limit=0", "offset=-1", "limit=x"):
        refused = await world.http.get(f"/events/{event_id}/waitlist?{query}", headers=admin.headers)
        assert code_of(refused) == (400, "invalid_request")
    assert code_of(await world.http.get(f"/events/{event_id}/waitlist", headers=users[0].headers)) == (403, "forbidden")


async def test_the_waitlist_needs_a_user(world: World) -> None:
    event_id, _, _ = await sold_out(world, 1)
    for method, path in (("POST", ""), ("GET", "/me"), ("DELETE", "/me"), ("GET", "")):
        answer = await world.http.request(method, f"/events/{event_id}/waitlist{path}")
        assert code_of(answer) == (401, "unauthorized")
