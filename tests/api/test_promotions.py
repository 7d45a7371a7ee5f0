"""Promotions: who of those who wait gets the seats that come free, whatever freed them."""

import asyncio

import pytest

from tests.api.answers import accepted
from tests.api.queues import leave, organise, position, seats_of, sold_out, waiters
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio


async def test_a_promotion_is_an_ordinary_booking(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 2)
    (user,) = await waiters(world, event_id, 2)
    await world.cancel(buyer, bookings[0])
    assert await world.bookings(user) == []
    await world.cancel(buyer, bookings[1])
    (booking,) = await world.bookings(user)
    assert booking.items() >= {"event_id": event_id, "seats_count": 2, "status": "active"}.items()
    assert sorted(booking["seat_numbers"]) == ["S1", "S2"]
    assert accepted(await world.http.get(f"/bookings/{booking['id']}", headers=user.headers)) == booking
    assert set((await world.seat_statuses(event_id)).values()) == {"booked"}
    mails = await world.pool.fetch("select kind from mails where booking_id = $1::text::uuid", booking["id"])
    assert [kind for (kind,) in mails] == ["waitlist_promoted"]
    accepted(await world.cancel(user, booking["id"]))
    assert set((await world.seat_statuses(event_id)).values()) == {"available"}
    await world.assert_lawful()


async def test_a_cancel_passes_the_seats_down_the_queue(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 1)
    first, second = await waiters(world, event_id, 1, 1)
    await world.cancel(buyer, bookings[0])
    assert (await seats_of(world, first), await seats_of(world, second)) == ([["S1"]], [])
    await world.cancel(first, (await world.bookings(first))[0]["id"])
    assert (await seats_of(world, first), await seats_of(world, second)) == ([], [["S1"]])
    await world.assert_lawful()


async def test_a_released_hold_goes_to_a_waiter(world: World) -> None:
    event_id = await world.event(2)
    holder = await world.user()
    token = await world.held(holder, event_id, "S1", "S2")
    first, second = await waiters(world, event_id, 1, 1)
    accepted(await world.http.delete(f"/holds/{token}", headers=holder.headers), 204)
    assert [await seats_of(world, user) for user in (first, second)] == [[["S1"]], [["S2"]]]
    await world.assert_lawful()


async def test_a_lapsed_hold_goes_to_a_waiter_before_anybody_else(narrow_world: World) -> None:
    world = narrow_world
    event_id = await world.event(1)
    token = await world.held(await world.user(), event_id, "S1")
    (waiter,) = await waiters(world, event_id, 1)
    await world.lapse(token)
    assert code_of(await world.hold(await world.user(), event_id, "S1")) == (409, "seats_unavailable")
    assert await seats_of(world, waiter) == [["S1"]]
    await world.assert_lawful(user_seats_max=4)


async def test_a_worker_serves_waiters_when_nobody_asks(world: World) -> None:
    event_id = await world.event(1)
    token = await world.held(await world.user(), event_id, "S1")
    (waiter,) = await waiters(world, event_id, 1)
    await world.lapse(token)
    deadline = asyncio.get_running_loop().time() + 60
    while not await seats_of(world, waiter):
        assert asyncio.get_running_loop().time() < deadline, "the worker did not settle the event"
        await asyncio.sleep(0.1)
    await world.assert_lawful()


async def test_seats_freed_while_the_sale_is_paused_are_given_out_on_its_return(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 2)
    (user,) = await waiters(world, event_id, 2)
    await organise(world, "PATCH", f"/events/{event_id}", status="paused")
    for booking_id in bookings:
        accepted(await world.cancel(buyer, booking_id))
    assert await world.bookings(user) == []
    assert await position(world, user, event_id) == 1
    await organise(world, "PATCH", f"/events/{event_id}", status="on_sale")
    assert await seats_of(world, user) == [["S1", "S2"]]
    await world.assert_lawful()


@pytest.mark.parametrize("how", ["seats", "unblock", "capacity", "leave", "delete the cap"])
async def test_whatever_makes_room_serves_waiters(world: World, how: str) -> None:
    event_id = await world.event(4, **({"capacity": 2} if "cap" in how else {}))
    if "cap" not in how:
        await organise(world, "POST", f"/events/{event_id}/seats/block", seat_nos=["S3", "S4"])
    await world.booked(await world.user(), event_id, "S1", "S2")
    (user,) = await waiters(world, event_id, 2)
    if how == "seats":
        await organise(world, "POST", f"/events/{event_id}/seats", seat_nos=["S8", "S9"])
    elif how == "unblock":
        await organise(world, "POST", f"/events/{event_id}/seats/unblock", seat_nos=["S3", "S4"])
    elif how == "leave":
        await organise(world, "PATCH", f"/events/{event_id}", waitlist_policy="strict")
        (other,) = await waiters(world, event_id, 1)
        await organise(world, "POST", f"/events/{event_id}/seats/unblock", seat_nos=["S3"])
        assert await world.bookings(other) == []
        accepted(await leave(world, user, event_id), 204)
        user = other
    else:
        await organise(world, "PATCH", f"/events/{event_id}", capacity=4 if how == "capacity" else None)
    assert [len(seats) for seats in await seats_of(world, user)] == [1 if how == "leave" else 2]
    await world.assert_lawful()


async def test_first_fit_serves_the_first_who_fits(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 3)
    three, two, one = await waiters(world, event_id, 3, 2, 1)
    await world.cancel(buyer, bookings[0])
    assert [len(await seats_of(world, user)) for user in (three, two, one)] == [0, 0, 1]
    assert [await position(world, user, event_id) for user in (three, two)] == [1, 2]
    await world.cancel(buyer, bookings[1])
    await world.cancel(buyer, bookings[2])
    assert [len(await seats_of(world, user)) for user in (three, two, one)] == [0, 1, 1]
    assert await position(world, three, event_id) == 1
    await world.assert_lawful()


async def test_first_fit_keeps_the_order_among_equals(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 3)
    users = await waiters(world, event_id, 1, 1, 1)
    for number, booking_id in enumerate(bookings, 1):
        await world.cancel(buyer, booking_id)
        assert [len(await seats_of(world, user)) for user in users] == [1] * number + [0] * (3 - number)


async def test_first_fit_leaves_what_no_waiter_wants_to_everybody(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 2)
    await waiters(world, event_id, 2)
    await world.cancel(buyer, bookings[0])
    assert await world.seat_statuses(event_id) == {"S1": "available", "S2": "booked"}
    accepted(await world.hold(await world.user(), event_id, "S1"), 201)
    await world.assert_lawful()


async def test_under_strict_seats_gather_for_the_head_and_nobody_else(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 3, waitlist_policy="strict")
    head, next_ = await waiters(world, event_id, 2, 1)
    await world.cancel(buyer, bookings[0])
    assert [await seats_of(world, user) for user in (head, next_)] == [[], []]
    assert (await world.seat_statuses(event_id))["S1"] == "held"
    event = await world.get_event(event_id)
    assert (event["booked_count"], event["available"]) == (2, 0)
    for passer_by in (await world.user(), next_, head):
        refused = await world.hold(passer_by, event_id, "S1")
        assert code_of(refused) == (409, "seats_unavailable")
        assert refused.json()["conflicts"] == [{"seat_no": "S1", "status": "held"}]
    last = accepted(await world.join(await world.user(), event_id, 1), 202)
    assert last["position"] == 3
    await world.cancel(buyer, bookings[1])
    assert [await seats_of(world, user) for user in (head, next_)] == [[["S1", "S2"]], []]
    await world.cancel(buyer, bookings[2])
    assert await seats_of(world, next_) == [["S3"]]
    await world.assert_lawful()


async def test_under_strict_the_seats_are_free_again_when_nobody_waits(world: World) -> None:
    event_id, buyer, bookings = await sold_out(world, 2, waitlist_policy="strict")
    (head,) = await waiters(world, event_id, 2)
    await world.cancel(buyer, bookings[0])
    accepted(await leave(world, head, event_id), 204)
    assert await world.seat_statuses(event_id) == {"S1": "available", "S2": "booked"}
    assert (await world.get_event(event_id))["available"] == 1
    accepted(await world.hold(head, event_id, "S1"), 201)
    await world.assert_lawful()


async def test_neighbours_are_preferred_for_a_promotion(world: World) -> None:
    event_id = await world.event(6)
    buyer, other, user = await world.users(3)
    free_soon = [await world.booked(buyer, event_id, label) for label in ("S1", "S5", "S6")]
    await world.booked(other, event_id, "S2", "S3", "S4")
    await organise(world, "PATCH", f"/events/{event_id}", status="paused")
    for booking_id in free_soon:
        await world.cancel(buyer, booking_id)
    await organise(world, "PATCH", f"/events/{event_id}", status="on_sale", capacity=3)
    accepted(await world.join(user, event_id, 2), 202)
    await organise(world, "PATCH", f"/events/{event_id}", capacity=None)
    assert await seats_of(world, user) == [["S5", "S6"]]


async def test_seats_of_different_rows_are_no_neighbours(world: World) -> None:
    event_id = await world.event(["A1", "A2", "B1", "B2"])
    buyer, user = await world.users(2)
    await world.booked(buyer, event_id, "A1")
    ends = await world.booked(buyer, event_id, "A2", "B1", "B2")
    accepted(await world.join(user, event_id, 2), 202)
    await world.cancel(buyer, ends)
    assert await seats_of(world, user) == [["B1", "B2"]]


async def test_a_capped_event_serves_only_within_its_cap(world: World) -> None:
    event_id = await world.event(5, capacity=2)
    buyer = await world.user()
    booking_id = await world.booked(buyer, event_id, "S1", "S2")
    first, second = await waiters(world, event_id, 2, 1)
    await world.cancel(buyer, booking_id)
    assert [len(await seats_of(world, user)) for user in (first, second)] == [1, 0]
    assert (await world.get_event(event_id))["available"] == 0
    await world.assert_lawful()


async def test_nobody_is_promoted_once_the_event_has_begun(world: World) -> None:
    event_id, _, bookings = await sold_out(world, 1)
    (user,) = await waiters(world, event_id, 1)
    await world.start_event(event_id)
    accepted(await world.cancel(await world.admin(), bookings[0]))
    assert await world.bookings(user) == []
