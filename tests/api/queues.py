"""Sold-out houses and who waits for them, made and looked at in one line each."""

from typing import Any

import httpx

from tests.api.answers import accepted
from tests.house.world import Someone, World


async def sold_out(world: World, seats: int, **fields: Any) -> tuple[str, Someone, list[str]]:
    """An event whose seats are all booked one by one: its id, the buyer, and the bookings in the order of seats."""
    event_id = await world.event(seats, **fields)
    buyer = await world.user()
    return event_id, buyer, [await world.booked(buyer, event_id, f"S{number}") for number in range(1, seats + 1)]


async def place(world: World, user: Someone, event_id: str) -> httpx.Response:
    return await world.http.get(f"/events/{event_id}/waitlist/me", headers=user.headers)


async def position(world: World, user: Someone, event_id: str) -> int:
    found: int = accepted(await place(world, user, event_id))["position"]
    return found


async def leave(world: World, user: Someone, event_id: str) -> httpx.Response:
    return await world.http.delete(f"/events/{event_id}/waitlist/me", headers=user.headers)


async def waiters(world: World, event_id: str, *sizes: int) -> list[Someone]:
    """Users who have joined in this order, each for so many seats."""
    users = await world.users(len(sizes))
    for user, size in zip(users, sizes, strict=True):
        accepted(await world.join(user, event_id, size), 202)
    return users


async def seats_of(world: World, user: Someone) -> list[list[str]]:
    """The seats of each active booking, newest first."""
    return [booking["seat_numbers"] for booking in await world.bookings(user) if booking["status"] == "active"]


async def organise(world: World, method: str, path: str, **body: Any) -> Any:
    admin = await world.admin()
    answer = await world.http.request(method, path, json=body, headers=admin.headers)
    assert answer.status_code < 300, answer.text
    return answer.json()
