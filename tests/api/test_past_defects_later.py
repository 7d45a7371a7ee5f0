"""More of what once went wrong in the Go project that inspired Overbookr: queues, maps, lists, analytics, operations.

The rest, and the defects that other tests show to be absent, are in test_past_defects.py.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.api.answers import accepted
from tests.api.queues import organise, waiters
from tests.house.postgres import PostgresServer
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio


async def test_the_head_of_a_strict_queue_is_not_starved(world: World) -> None:
    """Whoever waited for two seats was overtaken by everybody who waited for one, each time a seat came free."""
    event_id = await world.event(3, waitlist_policy="strict")
    buyer = await world.user()
    sold = [await world.booked(buyer, event_id, f"S{number}") for number in (1, 2, 3)]
    head, *others = await waiters(world, event_id, 2, 1, 1)
    await world.cancel(buyer, sold[0])
    assert [await world.bookings(user) for user in (head, *others)] == [[], [], []]
    await world.cancel(buyer, sold[1])
    assert [len(await world.bookings(user)) for user in (head, *others)] == [1, 0, 0]
    await world.cancel(buyer, sold[2])
    assert [len(await world.bookings(user)) for user in (head, *others)] == [1, 1, 0]


async def test_nobody_gets_seats_by_waiting_for_what_is_free(world: World) -> None:
    """Joining with seats free and cancelling any booking gave fifty seats without hold, limit or consent."""
    event_id = await world.event(60)
    user = await world.user()
    booking_id = await world.booked(user, event_id, "S1")
    assert code_of(await world.join(user, event_id, 50)) == (400, "invalid_request")
    assert code_of(await world.join(user, event_id, 9)) == (409, "seats_available")
    await world.cancel(user, booking_id)
    assert [booking["status"] for booking in await world.bookings(user)] == ["cancelled"]


async def test_the_queue_can_be_left_joined_again_and_listed_and_moves_up(world: World) -> None:
    """After a promotion one could never wait again; there was no leaving and no list, and positions never shrank."""
    event_id = await world.event(2)
    buyer, admin = await world.user(), await world.admin()
    sold = [await world.booked(buyer, event_id, label) for label in ("S1", "S2")]
    first, second, third = await waiters(world, event_id, 1, 1, 1)
    await world.cancel(buyer, sold[0])
    accepted(await world.join(first, event_id, 1), 202)
    accepted(await world.http.delete(f"/events/{event_id}/waitlist/me", headers=second.headers), 204)
    place = await world.http.get(f"/events/{event_id}/waitlist/me", headers=third.headers)
    assert accepted(place)["position"] == 1
    queue = accepted(await world.http.get(f"/events/{event_id}/waitlist", headers=admin.headers))
    assert [(entry["user_id"], entry["position"]) for entry in queue] == [(str(third.id), 1), (str(first.id), 2)]


async def test_new_seats_and_a_raised_capacity_serve_waiters(world: World) -> None:
    """Only a cancel or an expiry promoted anybody."""
    event_id = await world.event(2, capacity=1)
    await world.booked(await world.user(), event_id, "S1")
    first, second = await waiters(world, event_id, 1, 2)
    await organise(world, "PATCH", f"/events/{event_id}", capacity=10)
    await organise(world, "POST", f"/events/{event_id}/seats", seat_nos=["S3", "S4"])
    assert [booking["seat_numbers"] for user in (first, second) for booking in await world.bookings(user)] == [
        ["S2"],
        ["S3", "S4"],
    ]


async def test_a_promotion_owes_a_mail_and_gives_neighbours(world: World) -> None:
    """Whoever was promoted was told nothing, and got seats strewn over the house."""
    event_id = await world.event(["S1", "T1", "T2", "U1"])
    buyer = await world.user()
    sold = await world.booked(buyer, event_id, "S1", "T1", "T2", "U1")
    (user,) = await waiters(world, event_id, 2)
    await world.cancel(buyer, sold)
    (booking,) = await world.bookings(user)
    assert booking["seat_numbers"] == ["T1", "T2"]
    kind = await world.pool.fetchval("select kind from mails where booking_id = $1", uuid.UUID(booking["id"]))
    assert kind == "waitlist_promoted"


async def test_nobody_waits_for_two_thousand_million_seats(world: World) -> None:
    """Any number of seats could be waited for, and an unknown event was a server error."""
    event_id = await world.event(1)
    user = await world.user()
    await world.booked(await world.user(), event_id, "S1")
    assert code_of(await world.join(user, event_id, 2_000_000_000)) == (400, "invalid_request")
    assert code_of(await world.join(user, str(uuid.uuid4()), 1)) == (404, "event_not_found")


async def test_cancelling_twice_is_cancelling_once_and_owes_a_mail(world: World) -> None:
    """The second cancel was refused with 409, and nobody was told of the first."""
    event_id = await world.event(1)
    user = await world.user()
    booking_id = await world.booked(user, event_id, "S1")
    first, second = await world.cancel(user, booking_id), await world.cancel(user, booking_id)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == 200
    owed = "select count(*) from mails where booking_id = $1 and kind = 'booking_cancelled'"
    assert await world.pool.fetchval(owed, uuid.UUID(booking_id)) == 1


async def test_a_seat_has_a_label_and_each_label_one_seat(world: World) -> None:
    """A seat without a label could be made and never be got rid of, and " A1" was another seat than "A1"."""
    event_id = await world.event(["A1"])
    admin = await world.admin()

    async def add(event_id: str, label: str) -> Any:
        body = {"seat_nos": [label]}
        return await world.http.post(f"/events/{event_id}/seats", json=body, headers=admin.headers)

    for nothing in ("", " ", "\u2003"):
        assert code_of(await add(event_id, nothing)) == (400, "invalid_request")
    assert accepted(await add(event_id, " A1"), 201) == []
    assert code_of(await add(str(uuid.uuid4()), "A1")) == (404, "event_not_found")
    assert await world.seat_statuses(event_id) == {"A1": "available"}


async def test_a_seat_map_is_in_order_and_known_or_unknown(world: World) -> None:
    """An unknown event had an empty map; S10 came before S2; and every look at the map cost the whole of it."""
    event_id = await world.event(["S100", "S10", "S2", "S1"])
    answer = await world.http.get(f"/events/{event_id}/seats")
    assert [seat["seat_no"] for seat in accepted(answer)] == ["S1", "S2", "S10", "S100"]
    again = await world.http.get(f"/events/{event_id}/seats", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert code_of(await world.http.get(f"/events/{uuid.uuid4()}/seats")) == (404, "event_not_found")


async def test_a_search_is_a_list_with_a_total_of_what_is_to_come(world: World) -> None:
    """No match was null, there was no total, % and _ stood for anything, and past events were listed."""
    word = uuid.uuid4().hex
    past, future = await world.event(name=f"{word} 50%"), await world.event(name=f"{word} 50_")
    await world.start_event(past)
    found = await world.http.get("/events", params={"q": word})
    assert ([event["id"] for event in accepted(found)], found.headers["x-total-count"]) == ([future], "1")
    for wildcard in (f"{word}%50", f"{word}_50", "%" + word, f"{word} 50%"):
        none = await world.http.get("/events", params={"q": wildcard})
        assert (accepted(none), none.headers["x-total-count"]) == ([], "0")


async def test_analytics_count_what_is_sold_up_to_the_last_day(world: World) -> None:
    """Cancelled seats counted as sold, the last day was left out, and nonsense was answered with zeros or an error."""
    event_id = await world.event(5)
    user, admin = await world.user(), await world.admin()
    await world.booked(user, event_id, "S1")
    await world.cancel(user, await world.booked(user, event_id, "S2", "S3"))
    now = datetime.now(UTC)
    today, yesterday = now.date().isoformat(), (now - timedelta(days=1)).date().isoformat()

    async def ask(**query: Any) -> Any:
        return await world.http.get("/analytics/total_bookings", params=query, headers=admin.headers)

    report = accepted(await ask(**{"from": yesterday, "to": today, "top_n": 100}))
    used = {used["event_id"]: used for used in report["event_utilization"]}
    top = {top["event_id"]: top for top in report["top_events"]} | used
    assert report["totals"]["total_bookings"] >= 2
    if event_id in top:
        assert top[event_id]["booked_count"] == 1
        assert used.get(event_id, {"bookings_seats_in_range": 1})["bookings_seats_in_range"] == 1
    for nonsense in ({"from": today, "to": yesterday}, {"top_n": 3_000_000_000}, {"from": "2000-01-01", "to": today}):
        assert code_of(await ask(**nonsense)) == (400, "invalid_request")


@asynccontextmanager
async def database_away(server: PostgresServer, world: World) -> AsyncIterator[None]:
    """Nobody gets into the database of this world for a while, and whoever is in it is thrown out."""
    name = world.served.dsn.partition("?")[0].rsplit("/", 1)[1]
    connection = await asyncpg.connect(server.dsn)
    try:
        await connection.execute(f'alter database "{name}" with allow_connections false')
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        try:
            yield
        finally:
            await connection.execute(f'alter database "{name}" with allow_connections true')
    finally:
        await connection.close()


async def test_a_lost_database_shows_and_comes_back(server: PostgresServer, narrow_world: World) -> None:
    """Health was answered as fine with the database down, and nothing told the two apart."""
    world, http = narrow_world, narrow_world.http
    event_id = await world.event(2)
    user = await world.user()
    body = {"event_id": event_id, "seat_nos": ["S1"]}

    async def becomes(status: int) -> None:
        deadline = asyncio.get_running_loop().time() + 15
        while (answer := await http.get("/readyz")).status_code != status:
            assert asyncio.get_running_loop().time() < deadline, answer.text
            await asyncio.sleep(0.05)

    async with database_away(server, world):
        await becomes(503)
        accepted(await http.get("/livez"))
        for answer in (
            await http.get("/readyz"),
            await http.get(f"/events/{event_id}"),
            await http.get(f"/events/{event_id}/seats"),
            await http.get("/bookings", headers=user.headers),
            await http.post("/holds", json=body, headers=user.headers),
        ):
            assert answer.status_code == 503, answer.text
    await becomes(200)
    accepted(await http.post("/holds", json=body, headers=user.headers), 201)
    await world.assert_lawful(user_seats_max=4)
