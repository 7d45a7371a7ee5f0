"""Many who want the same at the same instant, through two API processes."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from tests.house.stage import seeded_random
from tests.house.world import World, code_of
from tests.races.race import at_once, outcomes

pytestmark = pytest.mark.anyio


async def test_fifty_want_the_last_seat(world: World) -> None:
    event_id = await world.event(1)
    buyers = await world.users(50)
    answers = await at_once(world.hold(buyer, event_id, "S1") for buyer in buyers)
    assert outcomes(answers) == {201: 1, "seats_unavailable": 49}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["conflicts"] == [{"seat_no": "S1", "status": "held"}]
    await world.assert_lawful()


async def test_overlapping_wishes_are_all_or_nothing(world: World) -> None:
    dice = seeded_random()
    seats = [f"S{n}" for n in range(1, 13)]
    event_id = await world.event(seats)
    buyers = await world.users(80)
    wishes = [dice.sample(seats, 3) for _ in buyers]
    answers = await at_once(world.hold(buyer, event_id, *wish) for buyer, wish in zip(buyers, wishes, strict=True))
    got = [wish for answer, wish in zip(answers, wishes, strict=True) if answer.status_code == 201]
    taken = [seat for wish in got for seat in wish]
    assert len(taken) == len(set(taken))
    statuses = await world.seat_statuses(event_id)
    assert {seat for seat, status in statuses.items() if status == "held"} == set(taken)
    for answer, wish in zip(answers, wishes, strict=True):
        if answer.status_code != 201:
            conflicts = answer.json()["conflicts"]
            assert conflicts
            assert {conflict["seat_no"] for conflict in conflicts} <= set(wish)
    await world.assert_lawful()


async def test_the_same_key_twenty_times_makes_one_booking_and_one_answer(world: World) -> None:
    event_id = await world.event(1)
    buyer = await world.user()
    token = await world.held(buyer, event_id, "S1")
    answers = await at_once(world.book(buyer, event_id, token, key="the key") for _ in range(20))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert sorted(map(str, replayed)) == ["None"] + ["true"] * 19
    assert len(await world.bookings(buyer)) == 1
    await world.assert_lawful()


async def test_twenty_keys_for_one_hold_make_one_booking(world: World) -> None:
    event_id = await world.event(1)
    buyer = await world.user()
    token = await world.held(buyer, event_id, "S1")
    answers = await at_once(world.book(buyer, event_id, token) for _ in range(20))
    assert outcomes(answers) == {201: 1, "hold_already_booked": 19}
    places = {answer.headers["Location"] for answer in answers}
    assert len(places) == 1
    await world.assert_lawful()


async def test_the_same_key_of_a_hold_makes_one_hold(world: World) -> None:
    event_id = await world.event(3)
    buyer = await world.user()
    answers = await at_once(world.hold(buyer, event_id, "S1", "S2", key="the key") for _ in range(20))
    assert outcomes(answers) == {201: 20}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 19
    assert list((await world.seat_statuses(event_id)).values()).count("held") == 2
    await world.assert_lawful()


async def test_the_same_key_is_two_keys_for_two_users(world: World) -> None:
    event_id = await world.event(2)
    buyers = await world.users(2)
    tokens = [await world.held(buyer, event_id, f"S{n}") for n, buyer in enumerate(buyers, start=1)]
    pairs = [(buyer, token) for buyer, token in zip(buyers, tokens, strict=True) for _ in range(10)]
    answers = await at_once(world.book(buyer, event_id, token, key="the key") for buyer, token in pairs)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers[:10]}) == 1
    assert len({answer.json()["id"] for answer in answers}) == 2
    # And neither reaches the other's hold with it.
    stolen = await world.book(buyers[0], event_id, tokens[1], key="another key")
    assert code_of(stolen) == (404, "hold_not_found")
    await world.assert_lawful()


async def test_the_same_key_of_a_hold_is_two_keys_for_two_users(world: World) -> None:
    event_id = await world.event(20)
    buyers = await world.users(10)
    answers = await at_once(
        world.hold(buyer, event_id, f"S{2 * n + 1}", f"S{2 * n + 2}", key="the key")
        for n, buyer in enumerate(buyers)
        for _ in range(3)
    )
    assert outcomes(answers) == {201: 30}
    assert len({answer.json()["hold_token"] for answer in answers}) == 10
    await world.assert_lawful()


async def test_fifty_releases_of_one_hold_free_it_once(world: World) -> None:
    event_id = await world.event(1)
    buyer = await world.user()
    token = await world.held(buyer, event_id, "S1")
    answers = await at_once(world.http.delete(f"/holds/{token}", headers=buyer.headers) for _ in range(50))
    assert outcomes(answers) == {204: 1, "hold_over": 49}
    assert {code_of(answer) for answer in answers if answer.status_code != 204} == {(410, "hold_over")}
    changes = await world.pool.fetchval(
        "select count(*) from seat_changes where event_id = $1 and to_status = 'available' and from_status = 'held'",
        uuid.UUID(event_id),
    )
    assert changes == 1
    await world.assert_lawful()


async def test_book_or_release_but_not_both(world: World) -> None:
    event_id = await world.event(20)
    buyers = await world.users(20)
    tokens = [await world.held(buyer, event_id, f"S{n}") for n, buyer in enumerate(buyers, start=1)]
    requests = []
    for n, (buyer, token) in enumerate(zip(buyers, tokens, strict=True)):
        both = [world.book(buyer, event_id, token), world.http.delete(f"/holds/{token}", headers=buyer.headers)]
        requests += both if n % 2 else both[::-1]
    answers = await at_once(requests)
    by_token: dict[int, list[httpx.Response]] = {n: answers[2 * n : 2 * n + 2] for n in range(20)}
    for pair in by_token.values():
        assert sum(answer.status_code < 300 for answer in pair) == 1, [answer.text for answer in pair]
    await world.assert_lawful()


async def test_cancelling_and_holding_in_opposite_orders_never_collide(world: World) -> None:
    event_id = await world.event(2)
    seller, buyer = await world.users(2)
    done = asyncio.Event()
    held = 0

    async def sell_and_cancel() -> None:
        for _ in range(25):
            while (answer := await world.hold(seller, event_id, "S1", "S2")).status_code != 201:
                assert answer.status_code == 409, answer.text
            booking = await world.book(seller, event_id, answer.json()["hold_token"])
            assert booking.status_code == 201
            assert (await world.cancel(seller, booking.json()["id"])).status_code == 200
        done.set()

    async def hold_and_release() -> None:
        nonlocal held
        while not done.is_set():
            answer = await world.hold(buyer, event_id, "S2", "S1")
            assert answer.status_code in (201, 409), answer.text
            if answer.status_code == 201:
                held += 1
                token = answer.json()["hold_token"]
                assert (await world.http.delete(f"/holds/{token}", headers=buyer.headers)).status_code == 204

    await asyncio.gather(sell_and_cancel(), *(hold_and_release() for _ in range(3)))
    assert held > 0
    await world.assert_lawful()


async def test_the_cap_holds_under_parallel_holds(world: World) -> None:
    event_id = await world.event(50, capacity=20)
    buyers = await world.users(50)
    answers = await at_once(world.hold(buyer, event_id, f"S{n}") for n, buyer in enumerate(buyers, start=1))
    assert outcomes(answers) == {201: 20, "capacity_exceeded": 30}
    event = await world.get_event(event_id)
    assert (event["held_count"], event["available"], event["capacity"]) == (20, 0, 20)
    await world.assert_lawful()


async def test_lowering_the_cap_against_holds(world: World) -> None:
    event_id = await world.event(40)
    buyers, admin = await world.users(40), await world.admin()
    patches = [
        world.http.patch(f"/events/{event_id}", json={"capacity": capacity}, headers=admin.headers)
        for capacity in (30, 20, 10, 5, 25)
    ]
    holds = [world.hold(buyer, event_id, f"S{n}") for n, buyer in enumerate(buyers, start=1)]
    answers = await at_once([*holds[:10], *patches[:3], *holds[10:25], *patches[3:], *holds[25:]])
    assert set(outcomes(answers)) <= {200, 201, "capacity_in_use", "capacity_exceeded"}
    event = await world.get_event(event_id)
    assert event["held_count"] <= event["capacity"]
    await world.assert_lawful()


def house_of(seats: int) -> dict[str, Any]:
    """A seating plan of one row."""
    places = [
        {"seat_number": str(n), "seat_guid": f"g{n}", "position": {"x": n * 25, "y": 0}, "category": "A"}
        for n in range(1, seats + 1)
    ]
    rows = [{"row_number": "1", "position": {"x": 0, "y": 0}, "seats": places}]
    return {
        "name": "House",
        "categories": [{"name": "A", "color": "#123456"}],
        "size": {"width": 1000, "height": 800},
        "zones": [{"name": "Z", "position": {"x": 0, "y": 0}, "rows": rows}],
    }


async def test_a_seating_plan_is_replaced_while_its_seats_are_sold(world: World) -> None:
    event_id = await world.event()
    admin, buyers = await world.admin(), await world.users(6)
    url = f"/events/{event_id}/seating-plan"
    assert (await world.http.put(url, json=house_of(20), headers=admin.headers)).status_code == 201
    labels = list(await world.seat_statuses(event_id))
    replaced = asyncio.Event()
    plans: list[httpx.Response] = []
    asked: list[httpx.Response] = []

    async def replace() -> None:
        for round_number in range(24):
            plans.append(
                await world.http.put(url, json=house_of(20 if round_number % 2 else 10), headers=admin.headers)
            )
        replaced.set()

    async def buy(number: int) -> None:
        buyer = buyers[number]
        while not replaced.is_set():
            answer = await world.hold(buyer, event_id, labels[10 + number], labels[number])
            asked.append(answer)
            if answer.status_code == 201:
                token = answer.json()["hold_token"]
                assert (await world.http.delete(f"/holds/{token}", headers=buyer.headers)).status_code == 204
            await asyncio.sleep(0.003 * (number + 1))

    await asyncio.gather(replace(), *(buy(number) for number in range(6)))
    assert set(outcomes(plans)) <= {201, "seats_in_use"}
    assert outcomes(plans)[201] > 1
    assert set(outcomes(asked)) <= {201, "seats_not_found"}
    for answer in plans:
        if answer.status_code == 409:
            assert set(answer.json()["seat_nos"]) <= set(labels[10:])
    await world.assert_lawful()


class TestShare:
    """Ten seats of an event, held and booked together, is what a user may have at any instant."""

    async def most_ever(self, world: World, event_id: str, user_id: uuid.UUID, done: asyncio.Event) -> int:
        """The largest number seen while it went on; one statement sees one instant."""
        most = 0
        while True:
            last = done.is_set()
            seats: int = await world.pool.fetchval(
                """select coalesce((select sum(cardinality(seat_nos)) from holds
                                     where event_id = $1 and user_id = $2 and status = 'active'), 0)
                        + coalesce((select sum(seats_count) from bookings
                                     where event_id = $1 and user_id = $2 and status = 'active'), 0)""",
                uuid.UUID(event_id),
                user_id,
            )
            most = max(most, seats)
            if last:
                return most
            await asyncio.sleep(0)

    async def test_thirty_holds_of_a_seat_each(self, world: World) -> None:
        event_id = await world.event(30)
        user = await world.user()
        done = asyncio.Event()
        watching = asyncio.create_task(self.most_ever(world, event_id, user.id, done))
        answers = await at_once(world.hold(user, event_id, f"S{n}") for n in range(1, 31))
        done.set()
        assert await watching == 10
        assert outcomes(answers) == {201: 10, "hold_limit": 20}
        await world.assert_lawful()

    async def test_holds_bookings_releases_and_cancellations_at_once(self, world: World) -> None:
        event_id = await world.event(60)
        user = await world.user()
        done = asyncio.Event()
        watching = asyncio.create_task(self.most_ever(world, event_id, user.id, done))

        async def shop(number: int) -> None:
            for seat in (number * 4 + offset for offset in (1, 2, 3, 4)):
                answer = await world.hold(user, event_id, f"S{seat}")
                assert answer.status_code in (201, 409), answer.text
                if answer.status_code != 201:
                    continue
                token = answer.json()["hold_token"]
                if seat % 3 == 0:
                    await world.http.delete(f"/holds/{token}", headers=user.headers)
                    continue
                booking = await world.book(user, event_id, token)
                assert booking.status_code == 201, booking.text
                if seat % 3 == 1:
                    await world.cancel(user, booking.json()["id"])

        await asyncio.gather(*(shop(number) for number in range(15)))
        done.set()
        assert await watching <= 10
        await world.assert_lawful()

    async def test_holds_and_promotions_at_once(self, world: World) -> None:
        event_id = await world.event(24)
        user, sellers = await world.user(), await world.users(4)
        bookings = [
            (seller, await world.booked(seller, event_id, *(f"S{n * 6 + offset}" for offset in range(1, 7))))
            for n, seller in enumerate(sellers)
        ]
        assert (await world.join(user, event_id, 6)).status_code == 202
        done = asyncio.Event()
        watching = asyncio.create_task(self.most_ever(world, event_id, user.id, done))
        cancels = [world.cancel(seller, booking_id) for seller, booking_id in bookings]
        holds = [world.hold(user, event_id, f"S{n}") for n in range(1, 25)]
        await at_once([*cancels[:1], *holds[:8], *cancels[1:2], *holds[8:16], *cancels[2:], *holds[16:]])
        done.set()
        assert await watching <= 10
        await world.assert_lawful()
