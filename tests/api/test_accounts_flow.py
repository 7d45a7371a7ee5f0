"""Accounts end to end, through all processes: who one is decides at once what one may do."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from overbookr.main import _HANDLERS
from tests.api.answers import accepted, is_id, time_of
from tests.api.bodies import assert_refused, spoilt
from tests.house.world import FAR_AWAY, World, code_of

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


def account(**fields: Any) -> dict[str, Any]:
    return {"name": "Ada", "email": f"{uuid.uuid4()}@example.org", "password": PASSWORD} | fields


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['token']}"}


async def test_from_registering_to_a_booking_and_out(world: World) -> None:
    event_id = await world.event(2)
    mine = account(email=f"Ada.{uuid.uuid4()}@Example.org")
    registered = accepted(await world.http.post("/users/register", json=mine), 201)
    assert registered.keys() >= {"id", "name", "email", "role", "token", "created_at", "updated_at"}
    assert is_id(registered["id"])
    assert (registered["name"], registered["email"], registered["role"]) == ("Ada", mine["email"].lower(), "user")
    assert time_of(registered["created_at"]) == time_of(registered["updated_at"])
    assert "password" not in " ".join(registered)
    body = {"event_id": event_id, "seat_nos": ["S1"]}
    hold = accepted(await world.http.post("/holds", json=body, headers=bearer(registered)), 201)

    login = {"email": f"  {mine['email'].upper()} ", "password": PASSWORD}
    session = accepted(await world.http.post("/users/login", json=login))
    assert session.keys() == registered.keys() | {"refresh_token"}
    assert session["id"] == registered["id"]
    body = {"event_id": event_id, "hold_token": hold["hold_token"]}
    headers = bearer(session) | {"Idempotency-Key": "k"}
    booking = accepted(await world.http.post("/bookings", json=body, headers=headers), 201)

    refreshed = accepted(await world.http.post("/users/refresh", json={"refresh_token": session["refresh_token"]}))
    assert [found["id"] for found in accepted(await world.http.get("/bookings", headers=bearer(refreshed)))] == [
        booking["id"]
    ]
    me = accepted(await world.http.get("/users/me", headers=bearer(refreshed)))
    assert me == {name: value for name, value in refreshed.items() if "token" not in name}
    accepted(await world.http.post("/users/logout", headers=bearer(refreshed)), 204)
    for old in (registered, session, refreshed):
        for _ in range(4):  # Whichever process answers.
            assert code_of(await world.http.get("/bookings", headers=bearer(old))) == (401, "unauthorized")
    again = await world.http.post("/users/refresh", json={"refresh_token": refreshed["refresh_token"]})
    assert code_of(again) == (401, "invalid_refresh_token")
    back = accepted(await world.http.post("/users/login", json={"email": mine["email"], "password": PASSWORD}))
    assert len(accepted(await world.http.get("/bookings", headers=bearer(back)))) == 1


async def test_a_new_password_ends_every_session_in_every_process(world: World) -> None:
    mine = account()
    first = accepted(await world.http.post("/users/register", json=mine), 201)
    second = accepted(await world.http.post("/users/login", json={"email": mine["email"], "password": PASSWORD}))
    change = {"password": "another password", "current_password": PASSWORD}
    wrong = await world.http.patch("/users/me", json=change | {"current_password": "x"}, headers=bearer(first))
    assert code_of(wrong) == (403, "wrong_password")
    changed = accepted(await world.http.patch("/users/me", json=change, headers=bearer(first)))
    for old in (first, second):
        for _ in range(4):
            assert code_of(await world.http.get("/users/me", headers=bearer(old))) == (401, "unauthorized")
    accepted(await world.http.get("/users/me", headers=bearer(changed)))
    login = {"email": mine["email"], "password": PASSWORD}
    assert code_of(await world.http.post("/users/login", json=login)) == (401, "bad_credentials")
    accepted(await world.http.post("/users/login", json=login | {"password": "another password"}))


async def test_a_role_given_or_taken_counts_from_the_next_request(world: World) -> None:
    session = accepted(await world.http.post("/users/register", json=account()), 201)
    show = {"name": "A show", "venue": "A house", "start_time": FAR_AWAY}
    assert code_of(await world.http.post("/events", json=show, headers=bearer(session))) == (403, "forbidden")
    set_role = "update users set role = $2 where user_id = $1"
    await world.pool.execute(set_role, uuid.UUID(session["id"]), "admin")
    for _ in range(4):
        accepted(await world.http.post("/events", json=show, headers=bearer(session)), 201)
    await world.pool.execute(set_role, uuid.UUID(session["id"]), "user")
    for _ in range(4):
        assert code_of(await world.http.post("/events", json=show, headers=bearer(session))) == (403, "forbidden")


async def test_only_an_organiser_makes_organisers(world: World) -> None:
    user, admin = await world.user(), await world.admin()
    for headers in ({}, user.headers):
        answer = await world.http.post("/users/register", json=account(role="admin"), headers=headers)
        assert code_of(answer) == (403, "role_not_allowed")
    made = accepted(await world.http.post("/users/register", json=account(role="admin"), headers=admin.headers), 201)
    assert made["role"] == "admin"
    accepted(await world.http.get("/analytics/total_bookings", headers=bearer(made)))


async def test_a_known_address_is_taken_and_nothing_more_is_told(world: World) -> None:
    mine = account()
    registered = accepted(await world.http.post("/users/register", json=mine), 201)
    for email in (mine["email"], mine["email"].upper(), f" {mine['email']} "):
        refused = await world.http.post("/users/register", json=account(email=email))
        assert code_of(refused) == (409, "email_taken")
        assert registered["id"] not in refused.text


async def test_bodies_that_make_no_account(world: World) -> None:
    kinds = {"name": "name", "email": "email", "password": "password", "role": "role"}
    bodies = spoilt(account(role="user"), optional="role", **kinds)
    await assert_refused(world.http, "POST", "/users/register", {}, bodies)


async def test_guessing_is_slowed_down(narrow_world: World) -> None:
    http = narrow_world.http
    mine = account()
    accepted(await http.post("/users/register", json=mine), 201)
    wrong = {"email": mine["email"], "password": "wrong"}
    answers = [await http.post("/users/login", json=wrong) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert code_of(answers[-1]) == (429, "rate_limited")
    assert int(answers[-1].headers["retry-after"]) >= 1


async def everywhere(ask: Callable[[], Awaitable[httpx.Response]]) -> None:
    """Whichever process answers, and the first time none of them has met the token since."""
    for _ in range(8):
        answer = await ask()
        assert code_of(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_holds_end_with_the_session_in_every_process(world: World) -> None:
    event_id = await world.event(2)
    user = await world.user()
    accepted(await world.http.post("/users/logout", headers=user.headers), 204)
    await everywhere(lambda: world.hold(user, event_id, "S1", "S2"))
    assert await world.seat_statuses(event_id) == {"S1": "available", "S2": "available"}


async def test_bookings_end_with_the_session_in_every_process(world: World) -> None:
    event_id = await world.event(2)
    user, other = await world.users(2)
    held, of_other = await world.held(user, event_id, "S1"), await world.held(other, event_id, "S2")
    accepted(await world.book(other, event_id, of_other, "a key"), 201)
    for someone in (user, other):
        accepted(await world.http.post("/users/logout", headers=someone.headers), 204)
    await everywhere(lambda: world.book(user, event_id, held))
    # Nor are they told what their key has made.
    await everywhere(lambda: world.book(other, event_id, of_other, "a key"))
    assert await world.seat_statuses(event_id) == {"S1": "held", "S2": "booked"}


def test_each_route_whose_command_asks_for_the_standing_is_tried_above() -> None:
    found = {(tuple(handler.http_methods), *handler.paths) for handler in _HANDLERS if "standing" in handler.opt}
    assert found == {(("POST",), "/holds"), (("POST",), "/bookings")}
