"""Nobody jumps the queue, however fast they ask; and everybody is served once."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.house.world import Someone, World
from tests.races.race import at_once, outcomes, sniping, until

pytestmark = pytest.mark.anyio


async def waiter_of(world: World, event_id: str, seats: int = 1) -> Someone:
    """Somebody who waits there."""
    user = await world.user()
    answer = await world.join(user, event_id, seats)
    assert answer.status_code == 202, answer.text
    return user


async def served(world: World, user: Someone, seats: int = 1) -> None:
    """Wait until the queue has served them, once."""

    async def has_it() -> bool:
        return len(await world.bookings(user)) > 0

    await until(has_it)
    bookings = await world.bookings(user)
    assert [(booking["status"], booking["seats_count"]) for booking in bookings] == [("active", seats)]


async def test_a_hundred_joins_draw_the_places_one_to_a_hundred(world: World) -> None:
    event_id = await world.event(1)
    owner, *users = await world.users(101)
    await world.booked(owner, event_id, "S1")
    answers = await at_once(world.join(user, event_id, 1) for user in users)
    assert outcomes(answers) == {202: 100}
    assert sorted(answer.json()["position"] for answer in answers) == list(range(1, 101))
    # The place told at joining is the place that is told later.
    for user, answer in zip(users[:5], answers[:5], strict=True):
        place = await world.http.get(f"/events/{event_id}/waitlist/me", headers=user.headers)
        assert place.json()["position"] == answer.json()["position"]
    again = await at_once(world.join(user, event_id, 1) for user in users[:10] for _ in range(2))
    assert outcomes(again) == {"already_waiting": 20}
    await world.assert_lawful()


async def test_one_user_joins_many_times_at_once(world: World) -> None:
    event_id = await world.event(1)
    await world.booked(await world.user(), event_id, "S1")
    user = await world.user()
    answers = await at_once(world.join(user, event_id, 1) for _ in range(20))
    assert outcomes(answers) == {202: 1, "already_waiting": 19}
    await world.assert_lawful()


async def test_two_cancellations_at_once_promote_one_waiter_once(world: World) -> None:
    async def one_round() -> None:
        event_id = await world.event(2)
        owners = await world.users(2)
        bookings = [await world.booked(owner, event_id, f"S{n}") for n, owner in enumerate(owners, start=1)]
        waiter = await waiter_of(world, event_id)
        answers = await at_once(
            [world.cancel(owner, booking) for owner, booking in zip(owners, bookings, strict=True)]
            + [world.cancel(owners[0], bookings[0])]
        )
        assert outcomes(answers) == {200: 3}
        assert [booking["seats_count"] for booking in await world.bookings(waiter)] == [1]
        assert sorted((await world.seat_statuses(event_id)).values()) == ["available", "booked"]

    for _ in range(10):
        await asyncio.gather(*(one_round() for _ in range(5)))
    await world.assert_lawful()


async def test_leaving_against_being_served(world: World) -> None:
    """Either the waiter leaves or is served, and whoever is behind gets what is left."""
    for _ in range(10):
        event_id = await world.event(1)
        owner = await world.user()
        booking = await world.booked(owner, event_id, "S1")
        first, second = await waiter_of(world, event_id), await waiter_of(world, event_id)
        left, _ = await at_once(
            [
                world.http.delete(f"/events/{event_id}/waitlist/me", headers=first.headers),
                world.cancel(owner, booking),
            ]
        )
        got = [len(await world.bookings(user)) for user in (first, second)]
        assert got == ([0, 1] if left.status_code == 204 else [1, 0])
    await world.assert_lawful()


# What comes before a seat is freed: who waits for it, and the request that frees it.
Freeing = Callable[[World, str], Awaitable[tuple[Someone, Callable[[], Awaitable[object]]]]]


async def patched(world: World, event_id: str, **fields: object) -> None:
    admin = await world.admin()
    answer = await world.http.patch(f"/events/{event_id}", json=fields, headers=admin.headers)
    assert answer.status_code == 200, answer.text


async def organised(world: World, event_id: str, what: str, *seat_nos: str) -> None:
    """Seats added (""), blocked ("/block") or unblocked ("/unblock")."""
    admin = await world.admin()
    url = f"/events/{event_id}/seats{what}"
    answer = await world.http.post(url, json={"seat_nos": seat_nos}, headers=admin.headers)
    assert answer.is_success, answer.text


async def by_cancelling(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    owner = await world.user()
    booking = await world.booked(owner, event_id, "S1")
    return await waiter_of(world, event_id), lambda: world.cancel(owner, booking)


async def by_letting_go(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    owner = await world.user()
    token = await world.held(owner, event_id, "S1")
    waiter = await waiter_of(world, event_id)
    return waiter, lambda: world.http.delete(f"/holds/{token}", headers=owner.headers)


async def by_lapsing(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    token = await world.held(await world.user(), event_id, "S1")
    return await waiter_of(world, event_id), lambda: world.lapse(token)


async def by_unblocking(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    await organised(world, event_id, "/block", "S1")
    return await waiter_of(world, event_id), lambda: organised(world, event_id, "/unblock", "S1")


async def by_raising_the_cap(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    await organised(world, event_id, "", "S0")
    await patched(world, event_id, capacity=1)
    await world.booked(await world.user(), event_id, "S0")
    return await waiter_of(world, event_id), lambda: patched(world, event_id, capacity=None)


async def by_adding_seats(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    await organised(world, event_id, "/block", "S1")
    return await waiter_of(world, event_id), lambda: organised(world, event_id, "", NEW_SEAT)


async def by_going_on(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    """The sale is paused while the seat comes free, and then goes on."""
    owner = await world.user()
    booking = await world.booked(owner, event_id, "S1")
    waiter = await waiter_of(world, event_id)
    await patched(world, event_id, status="paused")
    assert (await world.cancel(owner, booking)).status_code == 200
    return waiter, lambda: patched(world, event_id, status="on_sale")


async def by_the_hour(world: World, event_id: str) -> tuple[Someone, Callable[[], Awaitable[object]]]:
    """The sale opens by itself at an hour that was set."""
    owner = await world.user()
    booking = await world.booked(owner, event_id, "S1")
    waiter = await waiter_of(world, event_id)
    opens = datetime.now(UTC) + timedelta(seconds=1.5)
    await patched(world, event_id, sales_open_at=opens.isoformat().replace("+00:00", "Z"))
    return waiter, lambda: world.cancel(owner, booking)


NEW_SEAT = "S9"
FREEINGS: list[Freeing] = [
    by_cancelling,
    by_letting_go,
    by_lapsing,
    by_unblocking,
    by_raising_the_cap,
    by_adding_seats,
    by_going_on,
    by_the_hour,
]


@pytest.mark.parametrize("freeing", FREEINGS, ids=lambda freeing: freeing.__name__)
async def test_who_polls_never_wins_against_who_waits(world: World, freeing: Freeing) -> None:
    event_id = await world.event(["S1"])
    waiter, free = await freeing(world, event_id)
    async with sniping(world, event_id, "S1", NEW_SEAT) as sniper:
        await free()
        await served(world, waiter)
        await sniper.until(6)
        assert sniper.won == []
    await world.assert_lawful()


async def test_a_sniper_wins_what_nobody_waits_for(world: World) -> None:
    """The check of these checks."""
    event_id = await world.event(["S1"])
    owner = await world.user()
    token = await world.held(owner, event_id, "S1")
    async with sniping(world, event_id, "S1") as sniper:
        assert (await world.http.delete(f"/holds/{token}", headers=owner.headers)).status_code == 204

        async def won() -> bool:
            return len(sniper.won) > 0

        await until(won)


async def test_freed_seats_go_to_the_queue_in_its_order_under_fire(world: World) -> None:
    """Twenty seats come free one by one, in parallel, with snipers; the twenty who waited longest have them."""
    event_id = await world.event(20)
    owners = await world.users(20)
    bookings = [await world.booked(owner, event_id, f"S{n}") for n, owner in enumerate(owners, start=1)]
    waiters = [await waiter_of(world, event_id) for _ in range(30)]
    async with sniping(world, event_id, *(f"S{n}" for n in range(1, 21, 4)), users=1) as sniper:
        answers = await at_once(world.cancel(owner, booking) for owner, booking in zip(owners, bookings, strict=True))
        assert outcomes(answers) == {200: 20}
        await sniper.until(10)
        assert sniper.won == []
    assert [len(await world.bookings(waiter)) for waiter in waiters] == [1] * 20 + [0] * 10
    order = await world.pool.fetch(
        """select b.user_id from bookings b
             join seat_changes c on c.event_id = b.event_id and c.booking_id = b.booking_id
            where b.event_id = $1 and b.entry_id is not null and c.to_status = 'booked' order by c.version""",
        uuid.UUID(event_id),
    )
    assert [row["user_id"] for row in order] == [waiter.id for waiter in waiters[:20]]
    await world.assert_lawful()
