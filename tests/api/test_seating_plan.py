"""Seating plans: a house drawn elsewhere is imported, shown, and replaced without touching what is sold."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import httpx
import pytest

from overbookr.http.body_bounds import BODY_LIMIT
from tests.api.answers import accepted
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio


def house_of(**rows: int) -> dict[str, Any]:
    """A plan with one zone, Stalls, and the rows given by name with so many seats each."""
    return {
        "name": "House",
        "categories": [{"name": "Best", "color": "#123456"}],
        "size": {"width": 1000, "height": 800},
        "zones": [
            {
                "name": "Stalls",
                "position": {"x": 0, "y": 0},
                "rows": [
                    {
                        "row_number": row,
                        "position": {"x": 0, "y": 30 * place},
                        "seats": [
                            {
                                "seat_number": str(number),
                                "seat_guid": f"{row}{number}",
                                "position": {"x": 25 * number, "y": 0},
                                "category": "Best",
                            }
                            for number in range(1, seats + 1)
                        ],
                    }
                    for place, (row, seats) in enumerate(rows.items())
                ],
            }
        ],
    }


async def preview(world: World, body: bytes) -> httpx.Response:
    admin = await world.admin()
    headers = admin.headers | {"Content-Type": "application/json"}
    return await world.http.post("/seating-plans/preview", content=body, headers=headers)


async def put(world: World, event_id: str, plan: dict[str, Any] | bytes) -> httpx.Response:
    admin = await world.admin()
    body = plan if isinstance(plan, bytes) else json.dumps(plan).encode()
    return await world.http.put(
        f"/events/{event_id}/seating-plan", content=body, headers=admin.headers | {"Content-Type": "application/json"}
    )


async def test_a_theatre_is_imported(world: World) -> None:
    theatre = resources.files("overbookr.seats").joinpath("plans", "theatre.json").read_bytes()
    rows = [(zone, row) for zone in json.loads(theatre)["zones"] for row in zone["rows"]]
    drawn = {
        f"{zone['name']}-{row['row_number']}-{seat['seat_number']}": seat for zone, row in rows for seat in row["seats"]
    }
    event_id = await world.event()
    assert accepted(await put(world, event_id, theatre), 201) == {"chart_version": 1, "seats": len(drawn)}
    seats = accepted(await world.http.get(f"/events/{event_id}/seats"))
    assert {seat["seat_no"] for seat in seats} == drawn.keys()
    for seat in seats:
        assert seat["seat_no"].startswith(f"{seat['section']}-{seat['row']}-")
        assert seat["category"] == drawn[seat["seat_no"]]["category"]
        assert seat["status"] == "available"
    assert (await world.get_event(event_id))["available"] == len(drawn)
    await world.assert_lawful()


async def test_a_preview_is_the_chart_that_an_event_gets(world: World) -> None:
    theatre = resources.files("overbookr.seats").joinpath("plans", "theatre.json").read_bytes()
    event_id = await world.event()
    accepted(await put(world, event_id, theatre), 201)
    # Larger than other bodies may be, as a plan is.
    assert len(theatre) > BODY_LIMIT
    chart = accepted(await world.http.get(f"/events/{event_id}/chart"))
    assert accepted(await preview(world, theatre)) == chart

    async def in_parts() -> AsyncIterator[bytes]:
        yield theatre[:100]
        yield theatre[100:]

    admin = await world.admin()
    headers = admin.headers | {"Content-Type": "application/json"}
    answer = await world.http.post("/seating-plans/preview", content=in_parts(), headers=headers)
    assert accepted(answer) == chart


async def test_an_arena_is_imported_and_sells(world: World, arena: bytes) -> None:
    event_id = await world.event()
    imported = accepted(await put(world, event_id, arena), 201)
    count = sum(len(row["seats"]) for zone in json.loads(arena)["zones"] for row in zone["rows"])
    assert imported == {"chart_version": 1, "seats": count}
    seats = accepted(await world.http.get(f"/events/{event_id}/seats"))
    assert len({seat["seat_no"] for seat in seats}) == count
    chosen = [seats[0]["seat_no"], seats[-1]["seat_no"]]
    booking = accepted(
        await world.book(user := await world.user(), event_id, await world.held(user, event_id, *chosen)), 201
    )
    assert booking["seat_numbers"] == chosen
    assert Counter(seat["status"] for seat in accepted(await world.http.get(f"/events/{event_id}/seats"))) == {
        "available": count - 2,
        "booked": 2,
    }
    chart = accepted(await world.http.get(f"/events/{event_id}/chart"))
    assert sum(len(row["seats"]) for section in chart["sections"] for row in section["rows"]) == count
    await world.assert_lawful()


async def test_the_chart_is_what_never_moves(world: World) -> None:
    event_id = await world.event()
    accepted(await put(world, event_id, house_of(A=2, B=1)), 201)
    answer = await world.http.get(f"/events/{event_id}/chart")
    chart = accepted(answer)
    assert chart["size"] == {"width": 1000, "height": 800}
    assert chart["categories"] == [{"name": "Best", "color": "#123456"}]
    assert [(row["row"], [seat[0] for seat in row["seats"]]) for row in chart["sections"][0]["rows"]] == [
        ("A", ["Stalls-A-1", "Stalls-A-2"]),
        ("B", ["Stalls-B-1"]),
    ]
    tag = answer.headers["etag"]
    await world.booked(await world.user(), event_id, "Stalls-A-1")
    again = await world.http.get(f"/events/{event_id}/chart", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    accepted(await put(world, event_id, house_of(A=2, B=2)), 201)
    moved = await world.http.get(f"/events/{event_id}/chart", headers={"If-None-Match": tag})
    assert len(accepted(moved)["sections"][0]["rows"][1]["seats"]) == 2
    assert moved.headers["etag"] != tag


async def test_charts_of_two_events_have_different_tags(world: World) -> None:
    tags = set()
    for _ in range(2):
        event_id = await world.event()
        accepted(await put(world, event_id, house_of(A=1)), 201)
        tags.add((await world.http.get(f"/events/{event_id}/chart")).headers["etag"])
    assert len(tags) == 2


async def test_an_event_without_a_plan_has_no_chart(world: World) -> None:
    event_id = await world.event(2)
    assert code_of(await world.http.get(f"/events/{event_id}/chart")) == (404, "chart_not_found")


async def test_the_same_plan_again_changes_no_seat(world: World) -> None:
    event_id = await world.event()
    accepted(await put(world, event_id, house_of(A=3)), 201)
    await world.booked(await world.user(), event_id, "Stalls-A-2")
    before = accepted(await world.http.get(f"/events/{event_id}/seats"))
    assert accepted(await put(world, event_id, house_of(A=3)), 201) == {"chart_version": 2, "seats": 3}
    after = accepted(await world.http.get(f"/events/{event_id}/seats"))
    assert [(seat["id"], seat["seat_no"], seat["status"]) for seat in after] == [
        (seat["id"], seat["seat_no"], seat["status"]) for seat in before
    ]
    await world.assert_lawful()


async def test_a_plan_that_would_lose_taken_seats_is_refused(world: World) -> None:
    event_id = await world.event()
    accepted(await put(world, event_id, house_of(A=12)), 201)
    buyer, holder = await world.users(2)
    await world.booked(buyer, event_id, "Stalls-A-10")
    token = await world.held(holder, event_id, "Stalls-A-2")
    before = await world.seat_statuses(event_id)
    refused = await put(world, event_id, house_of(A=1, B=5))
    assert code_of(refused) == (409, "seats_in_use")
    assert refused.json()["seat_nos"] == ["Stalls-A-2", "Stalls-A-10"]
    assert await world.seat_statuses(event_id) == before
    assert (await world.get_event(event_id))["chart_version"] == 1
    await world.lapse(token)
    refused = await put(world, event_id, house_of(A=1, B=5))
    assert refused.json()["seat_nos"] == ["Stalls-A-10"]
    await world.assert_lawful()


async def test_a_plan_replaces_free_seats(world: World) -> None:
    event_id = await world.event(["Old 1", "Old 2"])
    admin, buyer = await world.admin(), await world.user()
    accepted(await put(world, event_id, house_of(A=3)), 201)
    await world.booked(buyer, event_id, "Stalls-A-1")
    answer = await world.http.post(
        f"/events/{event_id}/seats/block", json={"seat_nos": ["Stalls-A-2", "Stalls-A-3"]}, headers=admin.headers
    )
    accepted(answer)
    accepted(await put(world, event_id, house_of(A=2, C=2)), 201)
    assert await world.seat_statuses(event_id) == {
        "Stalls-A-1": "booked", "Stalls-A-2": "blocked", "Stalls-C-1": "available", "Stalls-C-2": "available",
    }  # fmt: skip
    event = await world.get_event(event_id)
    assert (event["capacity"], event["booked_count"], event["available"]) == (3, 1, 2)
    assert code_of(await world.hold(buyer, event_id, "Old 1")) == (404, "seats_not_found")
    await world.assert_lawful()


async def test_seats_of_a_new_plan_go_to_waiters(world: World) -> None:
    event_id = await world.event()
    buyer, waiter = await world.users(2)
    accepted(await put(world, event_id, house_of(A=1)), 201)
    await world.booked(buyer, event_id, "Stalls-A-1")
    accepted(await world.join(waiter, event_id, 2), 202)
    accepted(await put(world, event_id, house_of(A=1, B=3)), 201)
    assert [booking["seat_numbers"] for booking in await world.bookings(waiter)] == [["Stalls-B-1", "Stalls-B-2"]]
    await world.assert_lawful()


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"\xff", b"{}", b'{"zones": 1}', b"[" * 50_000, b"NaN",
     json.dumps(house_of()).encode(),
     json.dumps(house_of(A=1)).replace('"Best", "color"', '"Other", "color"').encode(),
     json.dumps(house_of(A=1)).replace('"A1"', '"A\\u0000"').encode(),
     json.dumps(house_of(A=1)).replace('"x": 25', '"x": 1e400').encode(),
     json.dumps(house_of(A=2)).replace('"A2"', '"A1"').encode(),
     json.dumps(house_of(**{"A" * 65: 1})).encode()],
)  # fmt: skip
async def test_plans_that_are_none(world: World, body: bytes) -> None:
    event_id = await world.event(1)
    refused = await put(world, event_id, body)
    assert code_of(refused) in [(400, "invalid_plan"), (400, "malformed_json")]
    for fault in refused.json()["errors"]:
        assert fault["message"]
        assert "path" in fault
    # Whoever looks first is told the same.
    assert (await preview(world, body)).json()["errors"] == refused.json()["errors"]
    assert await world.seat_statuses(event_id) == {"S1": "available"}
    assert (await world.get_event(event_id))["chart_version"] == 0


async def test_members_nobody_asked_for_are_ignored(world: World) -> None:
    event_id = await world.event()
    plan = house_of(A=1) | {"surprise": {"deep": [1]}}
    plan["zones"][0]["rows"][0]["seats"][0]["mystery"] = True
    assert accepted(await put(world, event_id, plan), 201)["seats"] == 1


async def test_a_plan_for_an_unknown_event(world: World) -> None:
    answer = await put(world, "00000000-0000-0000-0000-000000000000", house_of(A=1))
    assert code_of(answer) == (404, "event_not_found")
    assert code_of(await world.http.get("/events/00000000-0000-0000-0000-000000000000/chart")) == (
        404,
        "event_not_found",
    )


async def test_a_capacity_outlives_a_smaller_plan(world: World) -> None:
    event_id = await world.event(capacity=2)
    accepted(await put(world, event_id, house_of(A=4)), 201)
    event = await world.get_event(event_id)
    assert (event["capacity"], event["available"]) == (2, 2)
    accepted(await put(world, event_id, house_of(A=1)), 201)
    assert (await world.get_event(event_id))["available"] == 1
    await world.assert_lawful()
