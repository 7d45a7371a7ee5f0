"""The instant at which a hold ends: before it one may book, from it on others may have the seats, and never both."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx
import pytest

from tests.house.serving import Served
from tests.house.stage import seeded_random
from tests.house.world import World, open_world
from tests.races.race import at_once, outcomes, until

pytestmark = pytest.mark.anyio

OFFSETS = [-0.05, -0.03, -0.015, 0.0, 0.015, 0.03, 0.05]


@pytest.fixture
async def brief(start_server: Callable[..., Served]) -> AsyncIterator[World]:
    """Holds last for one second here."""
    async with open_world(start_server(OVERBOOKR_HOLD_TTL_SECONDS="1")) as world:
        yield world


async def test_bookings_around_the_instant_of_expiry(brief: World) -> None:
    dice = seeded_random()
    booked = lost = 0

    async def one_round() -> None:
        nonlocal booked, lost
        event_id = await brief.event(1)
        buyer, *others = await brief.users(3)
        held = await brief.hold(buyer, event_id, "S1")
        assert held.status_code == 201
        expires_at = datetime.fromisoformat(held.json()["expires_at"])
        over = asyncio.Event()
        # A request is underway for longer or shorter; shifted so, some bookings of some rounds hit the very instant.
        shift = dice.uniform(-0.1, 0.1)

        async def book_at(offset: float) -> httpx.Response:
            # A delay, not a synchronisation: the race is meant to be hit now from one side, now from the other.
            await asyncio.sleep(expires_at.timestamp() + offset + shift - datetime.now().timestamp())
            return await brief.book(buyer, event_id, held.json()["hold_token"])

        async def compete(number: int) -> list[httpx.Response]:
            answers = []
            while not over.is_set():
                answers.append(await brief.hold(others[number], event_id, "S1"))
                await asyncio.sleep(0.02)
            return answers

        rivals = [asyncio.create_task(compete(number)) for number in range(2)]
        answers = await at_once(book_at(offset) for offset in OFFSETS)
        over.set()
        rival_answers = [answer for answers in await asyncio.gather(*rivals) for answer in answers]
        assert set(outcomes(answers)) <= {201, "hold_already_booked", "hold_expired"}
        assert set(outcomes(rival_answers)) <= {201, "seats_unavailable", "hold_limit"}
        made = [answer.json() for answer in answers if answer.status_code == 201]
        assert len(made) <= 1
        if made:
            booked += 1
            assert datetime.fromisoformat(made[0]["created_at"]) < expires_at
            assert await brief.seat_statuses(event_id) == {"S1": "booked"}
            assert 201 not in outcomes(rival_answers)
        else:
            lost += 1
            assert (await brief.get_event(event_id))["booked_count"] == 0

    for _ in range(5):
        await asyncio.gather(*(one_round() for _ in range(3)))
    print(f"{booked} booked, {lost} lost")
    await brief.assert_lawful()


async def test_everything_lapses_at_once_while_two_workers_and_buyers_settle(brief: World) -> None:
    """Twenty events whose holds end in the same second; the served duty, two more workers and buyers all come to it."""
    events = [await brief.event(2) for _ in range(20)]
    holders, waiters, buyers = await brief.users(20), await brief.users(10), await brief.users(5)
    await at_once(brief.hold(user, event_id, "S1", "S2") for user, event_id in zip(holders, events, strict=True))
    joined = await at_once(brief.join(user, event_id, 1) for user, event_id in zip(waiters, events[:10], strict=True))
    # On a slow machine a hold may be over before the waiter comes; then there is no queue for it.
    waiting = [n for n, answer in enumerate(joined) if answer.status_code == 202]
    over = asyncio.Event()

    async def settle() -> None:
        while not over.is_set():
            await brief.pool.fetchval("select settle_due_events_v1(7, 10)")
            await asyncio.sleep(0.02)

    async def buy(number: int) -> None:
        while not over.is_set():
            await at_once(brief.hold(buyers[number], events[n], "S1") for n in range(number, 20, 5))
            await asyncio.sleep(0.02)

    async def end_when_settled() -> None:
        async def first_holds_are_over() -> bool:
            active = "select exists (select 1 from holds where user_id = any ($1) and status = 'active')"
            return not await brief.pool.fetchval(active, [user.id for user in holders])

        await until(first_holds_are_over)
        over.set()

    await asyncio.gather(end_when_settled(), settle(), settle(), *(buy(number) for number in range(5)))
    for n in waiting:
        assert len(await brief.bookings(waiters[n])) == 1, "a waiter was passed over"
    promoted = await brief.pool.fetchval(
        "select count(*) from bookings where entry_id is not null and event_id = any ($1)",
        [uuid.UUID(event_id) for event_id in events],
    )
    assert promoted == len(waiting)
    await brief.assert_lawful()


async def test_a_seat_can_be_had_again_at_its_instant(brief: World) -> None:
    event_id = await brief.event(1)
    first, second = await brief.users(2)
    held = await brief.hold(first, event_id, "S1")
    expires_at = datetime.fromisoformat(held.json()["expires_at"])
    while True:
        asked_at = datetime.now(UTC)
        answer = await brief.hold(second, event_id, "S1")
        if answer.status_code == 201:
            break
        assert answer.json()["code"] == "seats_unavailable"
        assert asked_at < expires_at, "who asked after its time could not have it"
        await asyncio.sleep(0.005)
    placed_at = await brief.pool.fetchval(
        "select created_at from holds where hold_id = $1", uuid.UUID(answer.json()["hold_token"])
    )
    assert placed_at >= expires_at
    await brief.assert_lawful()
