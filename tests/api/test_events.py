"""Events: every field and its arithmetic, what an organiser may change, and who sees what."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted, is_id, time_of
from tests.api.bodies import assert_refused, spoilt
from tests.house.world import FAR_AWAY, World, code_of

pytestmark = pytest.mark.anyio

SHOW: dict[str, Any] = {"name": "A show", "venue": "A house", "start_time": FAR_AWAY}
KINDS = {
    "name": "name",
    "venue": "name",
    "start_time": "moment",
    "capacity": "count",
    "metadata": "object",
    "status": "choice",
    "sales_open_at": "moment",
    "sales_close_at": "moment",
    "waitlist_mode": "choice",
    "waitlist_policy": "choice",
}
EVERYTHING = SHOW | {
    "capacity": 3,
    "metadata": {"genre": "rock", "nested": {"list": [1, None, "ü"]}},
    "status": "paused",
    "sales_open_at": "2030-01-01T00:00:00Z",
    "sales_close_at": "2031-01-01T00:00:00Z",
    "waitlist_mode": "auto",
    "waitlist_policy": "strict",
}


async def create(world: World, **fields: Any) -> dict[str, Any]:
    admin = await world.admin()
    event: dict[str, Any] = accepted(await world.http.post("/events", json=SHOW | fields, headers=admin.headers), 201)
    return event


async def change(world: World, event_id: str, **fields: Any) -> httpx.Response:
    admin = await world.admin()
    return await world.http.patch(f"/events/{event_id}", json=fields, headers=admin.headers)


async def counts_of(world: World, event_id: str) -> tuple[int, int, int, int]:
    """Capacity, booked, held and available."""
    event = await world.get_event(event_id)
    return event["capacity"], event["booked_count"], event["held_count"], event["available"]


async def test_an_event_is_answered_with_every_field(world: World) -> None:
    admin = await world.admin()
    answer = await world.http.post("/events", json=EVERYTHING, headers=admin.headers)
    event = accepted(answer, 201)
    assert answer.headers["location"] == f"/events/{event['id']}"
    assert is_id(event["id"])
    assert event.items() >= EVERYTHING.items()
    assert (event["booked_count"], event["held_count"], event["available"]) == (0, 0, 0)
    assert event["version"] == 0
    assert time_of(event["created_at"]) == time_of(event["updated_at"])
    assert abs(time_of(event["created_at"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert accepted(await world.http.get(f"/events/{event['id']}")) == event


async def test_what_is_left_out_has_a_sensible_default(world: World) -> None:
    event = await create(world)
    assert event["status"] == "on_sale"
    assert event["metadata"] == {}
    assert (event["waitlist_mode"], event["waitlist_policy"]) == ("auto", "first_fit")
    assert event["sales_open_at"] is None
    assert event["sales_close_at"] is None
    assert (await create(world, capacity=None, metadata=None))["metadata"] == {}


async def test_times_are_answered_in_utc(world: World) -> None:
    event = await create(world, start_time="2031-05-01T21:30:00+02:00", sales_open_at="2031-05-01T00:00:00.5-01:00")
    assert time_of(event["start_time"]) == datetime(2031, 5, 1, 19, 30, tzinfo=UTC)
    assert time_of(event["sales_open_at"]) == datetime(2031, 5, 1, 1, 0, 0, 500_000, tzinfo=UTC)


async def test_names_are_trimmed_and_may_be_in_any_script(world: World) -> None:
    event = await create(world, name="  Ночь 夜 🎻 ", venue=" O'Brien's \"Hall\" <b> ")
    assert (event["name"], event["venue"]) == ("Ночь 夜 🎻", "O'Brien's \"Hall\" <b>")
    assert len((await create(world, name="x" * 200))["name"]) == 200


async def test_bodies_that_make_no_event(world: World) -> None:
    admin = await world.admin()
    optional = "capacity metadata status sales_open_at sales_close_at waitlist_mode waitlist_policy"
    bodies = spoilt(EVERYTHING, optional=optional, nullable="capacity metadata sales_open_at sales_close_at", **KINDS)
    await assert_refused(world.http, "POST", "/events", admin.headers, bodies)


async def test_bodies_that_change_no_event(world: World) -> None:
    admin = await world.admin()
    event = await create(world)
    bodies = spoilt(EVERYTHING, optional=" ".join(KINDS), nullable="capacity sales_open_at sales_close_at", **KINDS)
    await assert_refused(world.http, "PATCH", f"/events/{event['id']}", admin.headers, bodies)
    assert await world.get_event(event["id"]) == event


@pytest.mark.parametrize("field", [*KINDS])
async def test_one_field_is_changed_and_no_other(world: World, field: str) -> None:
    event = await create(world)
    value = {"name": "Another", "venue": "Elsewhere", "start_time": "2032-01-01T00:00:00Z"}.get(
        field, EVERYTHING[field]
    )
    changed = accepted(await change(world, event["id"], **{field: value}))
    assert changed[field] == value
    assert time_of(changed["updated_at"]) >= time_of(event["updated_at"])
    assert {**changed, field: 0, "updated_at": 0} == {**event, field: 0, "updated_at": 0}
    assert await world.get_event(event["id"]) == changed


async def test_an_empty_change_is_answered_with_the_event(world: World) -> None:
    event_id = await world.event(2)
    changed = accepted(await change(world, event_id))
    assert changed["available"] == 2


async def test_a_cap_and_a_sale_window_can_be_taken_back(world: World) -> None:
    event_id = await world.event(5, capacity=3, sales_open_at="2020-01-01T00:00:00Z", sales_close_at=FAR_AWAY)
    changed = accepted(await change(world, event_id, capacity=None, sales_open_at=None, sales_close_at=None))
    assert (changed["capacity"], changed["available"]) == (5, 5)
    assert (changed["sales_open_at"], changed["sales_close_at"]) == (None, None)


async def test_metadata_is_replaced_whole(world: World) -> None:
    event = await create(world, metadata={"a": 1, "b": 2})
    assert accepted(await change(world, event["id"], metadata={"b": 3}))["metadata"] == {"b": 3}
    assert accepted(await change(world, event["id"], metadata={}))["metadata"] == {}


@pytest.mark.parametrize("closes", ["2030-01-01T00:00:00Z", "2029-12-31T23:59:59Z"])
async def test_a_sale_that_closes_before_it_opens_is_refused(world: World, closes: str) -> None:
    admin = await world.admin()
    window = {"sales_open_at": "2030-01-01T00:00:00Z", "sales_close_at": closes}
    answer = await world.http.post("/events", json=SHOW | window, headers=admin.headers)
    assert code_of(answer) == (400, "invalid_request")
    event = await create(world, sales_open_at=window["sales_open_at"])
    assert code_of(await change(world, event["id"], sales_close_at=closes)) == (400, "invalid_request")
    assert await world.get_event(event["id"]) == event


async def test_counts_follow_every_step_of_a_seat(world: World) -> None:
    event_id = await world.event(6, capacity=4)
    buyer = await world.user()
    assert await counts_of(world, event_id) == (4, 0, 0, 4)
    token = await world.held(buyer, event_id, "S1", "S2")
    assert await counts_of(world, event_id) == (4, 0, 2, 2)
    booking = accepted(await world.book(buyer, event_id, token), 201)
    assert await counts_of(world, event_id) == (4, 2, 0, 2)
    lapsing = await world.held(buyer, event_id, "S3")
    assert await counts_of(world, event_id) == (4, 2, 1, 1)
    await world.lapse(lapsing)
    assert await counts_of(world, event_id) == (4, 2, 0, 2)
    await world.cancel(buyer, booking["id"])
    assert await counts_of(world, event_id) == (4, 0, 0, 4)
    await world.assert_lawful()


async def test_every_change_of_a_seat_is_counted_in_the_version(world: World) -> None:
    event_id = await world.event(3)
    before = (await world.get_event(event_id))["version"]
    await world.booked(await world.user(), event_id, "S1", "S2")
    assert (await world.get_event(event_id))["version"] == before + 4


async def test_available_is_never_negative(world: World) -> None:
    event_id = await world.event(6, capacity=4)
    admin, buyer = await world.admin(), await world.user()
    await world.booked(buyer, event_id, "S1", "S2")
    answer = await world.http.post(
        f"/events/{event_id}/seats/block", json={"seat_nos": ["S3", "S4", "S5", "S6"]}, headers=admin.headers
    )
    accepted(answer)
    event = await world.get_event(event_id)
    assert event["booked_count"] == 2
    assert event["available"] == 0
    await world.assert_lawful()


async def test_a_cap_above_the_seats_sells_no_more_than_the_seats(world: World) -> None:
    assert (await world.get_event(await world.event(0, capacity=100)))["available"] == 0
    assert (await world.get_event(await world.event(3, capacity=100)))["available"] == 3


async def test_capacity_cannot_go_below_what_is_taken(world: World) -> None:
    event_id = await world.event(5)
    buyer = await world.user()
    await world.booked(buyer, event_id, "S1", "S2")
    token = await world.held(buyer, event_id, "S3")
    for below in (1, 2):
        assert code_of(await change(world, event_id, capacity=below, name="Unchanged")) == (409, "capacity_in_use")
    event = await world.get_event(event_id)
    assert (event["capacity"], event["name"], event["available"]) == (5, "A show", 2)
    exactly = accepted(await change(world, event_id, capacity=3))
    assert (exactly["capacity"], exactly["available"]) == (3, 0)
    await world.lapse(token)
    assert accepted(await change(world, event_id, capacity=2))["available"] == 0
    await world.assert_lawful()


async def test_a_raised_capacity_serves_waiters(world: World) -> None:
    event_id = await world.event(4, capacity=2)
    buyer, waiter = await world.users(2)
    await world.booked(buyer, event_id, "S1", "S2")
    accepted(await world.join(waiter, event_id, 2), 202)
    changed = accepted(await change(world, event_id, capacity=3))
    assert (changed["booked_count"], changed["available"]) == (2, 1)
    changed = accepted(await change(world, event_id, capacity=4))
    assert (changed["booked_count"], changed["available"]) == (4, 0)
    assert [booking["seat_numbers"] for booking in await world.bookings(waiter)] == [["S3", "S4"]]
    await world.assert_lawful()


async def test_drafts_are_for_organisers_only(world: World) -> None:
    word = uuid.uuid4().hex
    event_id = await world.event(2, name=word, status="draft")
    admin, user = await world.admin(), await world.user()
    paths = [f"/events/{event_id}", f"/events/{event_id}/seats", f"/events/{event_id}/availability"]
    for headers in ({}, user.headers):
        for path in [*paths, f"/events/{event_id}/chart"]:
            assert code_of(await world.http.get(path, headers=headers)) == (404, "event_not_found"), path
        answer = await world.http.get("/events", params={"q": word}, headers=headers)
        assert (accepted(answer), answer.headers["x-total-count"]) == ([], "0")
    for path in paths:
        accepted(await world.http.get(path, headers=admin.headers))
    answer = await world.http.get("/events", params={"q": word}, headers=admin.headers)
    assert [event["id"] for event in accepted(answer)] == [event_id]
    accepted(await change(world, event_id, status="on_sale"))
    assert (await world.get_event(event_id))["status"] == "on_sale"


@pytest.mark.parametrize("status", ["draft", "on_sale", "paused", "closed", "cancelled"])
async def test_every_status_can_be_had(world: World, status: str) -> None:
    event = await create(world, status=status)
    assert event["status"] == status
    assert accepted(await change(world, event["id"], status="closed"))["status"] == "closed"


async def test_an_event_in_use_is_not_deleted(world: World) -> None:
    event_id = await world.event(2)
    admin, buyer, waiter = await world.admin(), *await world.users(2)

    async def delete() -> httpx.Response:
        return await world.http.delete(f"/events/{event_id}", headers=admin.headers)

    token = await world.held(buyer, event_id, "S1", "S2")
    assert code_of(await delete()) == (409, "event_in_use")
    booking = accepted(await world.book(buyer, event_id, token), 201)
    assert code_of(await delete()) == (409, "event_in_use")
    accepted(await change(world, event_id, capacity=2))
    accepted(await world.join(waiter, event_id, 1), 202)
    accepted(await change(world, event_id, status="paused"))
    await world.cancel(buyer, booking["id"])
    assert code_of(await delete()) == (409, "event_in_use")
    accepted(await world.http.delete(f"/events/{event_id}/waitlist/me", headers=waiter.headers), 204)
    assert accepted(await delete()) == {"id": event_id, "deleted": True}


async def test_a_deleted_event_is_gone_and_its_history_is_not(world: World) -> None:
    word = uuid.uuid4().hex
    event_id = await world.event(2, name=word)
    admin, buyer = await world.admin(), await world.user()
    booking_id = await world.booked(buyer, event_id, "S1")
    await world.cancel(buyer, booking_id)
    accepted(await world.http.delete(f"/events/{event_id}", headers=admin.headers))
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None), ("GET", "/seats", None),
        ("POST", "/seats", {"seat_nos": ["S9"]}), ("POST", "/seats/block", {"seat_nos": ["S1"]}),
        ("POST", "/seats/unblock", {"seat_nos": ["S1"]}), ("GET", "/availability", None), ("GET", "/chart", None),
        ("POST", "/waitlist", {"requested_seats": 1}), ("GET", "/waitlist", None),
    ):  # fmt: skip
        answer = await world.http.request(method, f"/events/{event_id}{path}", json=body, headers=admin.headers)
        assert code_of(answer) == (404, "event_not_found"), (method, path)
    assert code_of(await world.hold(buyer, event_id, "S1")) == (404, "event_not_found")
    assert accepted(await world.http.get("/events", params={"q": word}, headers=admin.headers)) == []
    kept = accepted(await world.http.get(f"/bookings/{booking_id}", headers=buyer.headers))
    assert (kept["event_id"], kept["status"], kept["seat_numbers"]) == (event_id, "cancelled", ["S1"])


async def test_a_hold_whose_time_has_passed_does_not_keep_an_event(world: World) -> None:
    event_id = await world.event(1)
    admin, buyer = await world.admin(), await world.user()
    await world.lapse(await world.held(buyer, event_id, "S1"))
    accepted(await world.http.delete(f"/events/{event_id}", headers=admin.headers))


@pytest.mark.parametrize("event_id", ["00000000-0000-0000-0000-000000000000", "nonsense", "1", "%00", "x" * 2000])
async def test_unknown_events(world: World, event_id: str) -> None:
    admin = await world.admin()
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None), ("GET", "/seats", None),
        ("POST", "/seats", {"seat_nos": ["S9"]}), ("GET", "/availability", None), ("GET", "/chart", None),
        ("POST", "/waitlist", {"requested_seats": 1}), ("GET", "/waitlist", None), ("GET", "/waitlist/me", None),
        ("DELETE", "/waitlist/me", None),
    ):  # fmt: skip
        answer = await world.http.request(method, f"/events/{event_id}{path}", json=body, headers=admin.headers)
        assert answer.status_code in (400, 404) if len(event_id) != 36 else answer.status_code == 404, (method, path)


async def test_users_change_nothing(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    before = await world.get_event(event_id)
    for headers, expected in (({}, (401, "unauthorized")), (user.headers, (403, "forbidden"))):
        for method, path, body in (("POST", "/events", SHOW), ("PATCH", f"/events/{event_id}", {"name": "Mine"}),
                                   ("DELETE", f"/events/{event_id}", None)):  # fmt: skip
            assert code_of(await world.http.request(method, path, json=body, headers=headers)) == expected
    assert await world.get_event(event_id) == before
