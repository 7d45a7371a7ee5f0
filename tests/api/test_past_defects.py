"""What once went wrong in the Go project that inspired Overbookr must not go wrong here: one test a defect.

Defects that other tests show to be absent:

| defect | test |
|---|---|
| the role of a session was never looked up again, and no session could be ended | test_accounts_flow.py::test_a_role_given_or_taken_counts_from_the_next_request, ::test_from_registering_to_a_booking_and_out |
| without a secret in the settings, tokens were signed with a known one | tests/users/test_tokens.py::test_a_secret_is_made_once_and_kept, ::test_weak_secrets_are_refused |
| a wrong password took longer than an unknown e-mail, and one could guess without end | tests/users/test_sessions.py::test_an_unknown_email_takes_as_long, test_accounts_flow.py::test_guessing_is_slowed_down |
| two registrations of one e-mail at once: one failed with the text of a constraint | tests/users/test_register.py::test_two_at_once_with_one_email |
| a browser elsewhere could not use the interface, and any could with credentials | test_operations.py::test_a_browser_elsewhere_is_let_in_only_when_listed |
| a booking whose answer failed after its commit was reported as failed | tests/writes/test_lost_answers.py::test_a_command_whose_answer_is_lost_is_done_once |
| one slow transaction hung every route; trouble in the database was reported as an unknown hold | test_operations.py::test_a_slow_event_answers_busy_and_holds_nobody_up |
| booking and expiry, cancel and hold deadlocked; retries were dead code; two cancels served one waiter twice; the public won against the queue; positions were doubled | tests/races |
| the schema allowed a seat to be sold twice | tests/constraints/test_constraints.py::test_it_refuses_what_it_is_named_after |
| a crash lost a promotion, and nothing looked for it later | test_promotions.py::test_a_worker_serves_waiters_when_nobody_asks |
| repairing a counter subtracted twice, and lost bookings made meanwhile | tests/audit/test_repair.py::test_a_counter_that_is_set_right_is_not_moved_as_well, ::test_random_damage_is_repaired_while_people_buy |
| two workers did everything twice | tests/writes/test_settling.py::test_two_workers_at_once_do_everything_once |
| mails: one provider, errors thrown away, no image, no start | tests/mail/test_mail_delivery.py, test_mail_duty.py, test_mail_render.py |
| the load test followed redirects and looked for no double sale | test_drop_in.py; tests/demo/test_verdict.py |
| migrations failed in their order | tests/database/test_migrate.py |
"""  # noqa: E501

import asyncio
import uuid
from typing import Any

import pytest

from tests.api.answers import accepted, links_of
from tests.api.queues import organise
from tests.house.world import FAR_AWAY, World, code_of

pytestmark = pytest.mark.anyio

SHOW: dict[str, Any] = {"name": "A show", "venue": "A house", "start_time": FAR_AWAY}


async def test_nobody_registers_as_an_organiser(world: World) -> None:
    """Whoever wrote "role": "admin" into the registration got an organiser's token and could delete any event."""
    account = {"name": "Eve", "email": f"{uuid.uuid4()}@example.org", "password": "long enough", "role": "admin"}
    assert code_of(await world.http.post("/users/register", json=account)) == (403, "role_not_allowed")
    login = {"email": account["email"], "password": account["password"]}
    assert code_of(await world.http.post("/users/login", json=login)) == (401, "bad_credentials")


async def test_a_seat_map_names_no_booking(world: World) -> None:
    """The public list of seats gave out booking ids, and a booking's id was all that a ticket consisted of."""
    event_id = await world.event(2)
    booking_id = await world.booked(await world.user(), event_id, "S1")
    answer = await world.http.get(f"/events/{event_id}/seats")
    assert booking_id not in answer.text
    assert all("booking_id" not in seat for seat in accepted(answer))


async def test_an_email_has_one_account_and_its_owner_is_not_named(world: World) -> None:
    """Registering a known e-mail told the user's id, and the same e-mail in capitals made a second account."""
    email = f"{uuid.uuid4()}@example.org"
    account = {"name": "Ada", "email": email, "password": "long enough"}
    known = accepted(await world.http.post("/users/register", json=account), 201)
    refused = await world.http.post("/users/register", json=account | {"email": email.upper()})
    assert code_of(refused) == (409, "email_taken")
    assert known["id"] not in refused.text
    assert "user_id" not in refused.json()


async def test_a_long_password_counts_to_its_last_character(world: World) -> None:
    """A password of 73 bytes was a server error."""
    account = {"name": "Ada", "email": f"{uuid.uuid4()}@example.org", "password": "ä" * 72 + "!"}
    accepted(await world.http.post("/users/register", json=account), 201)
    login = {"email": account["email"], "password": account["password"]}
    accepted(await world.http.post("/users/login", json=login))
    refused = await world.http.post("/users/login", json=login | {"password": "ä" * 72 + "?"})
    assert code_of(refused) == (401, "bad_credentials")


async def test_refusals_tell_nothing_of_the_database(world: World) -> None:
    """An unknown event was answered with the text of a violated foreign key."""
    user, admin, nowhere = await world.user(), await world.admin(), uuid.uuid4()
    answers = [
        await world.join(user, str(nowhere), 1),
        await world.hold(user, str(nowhere), "S1"),
        await world.http.post(f"/events/{nowhere}/seats", json={"seat_nos": ["S1"]}, headers=admin.headers),
    ]
    for answer in answers:
        assert code_of(answer) == (404, "event_not_found")
        assert "details" not in answer.json()
        assert "violates" not in answer.text


async def test_documented_paths_answer_themselves(world: World) -> None:
    """/events, /holds and /bookings answered with redirects to the same path with a slash."""
    event_id = await world.event(2)
    user, admin = await world.user(), await world.admin()
    for slash in ("", "/"):
        accepted(await world.http.get(f"/events{slash}"))
        accepted(await world.http.post(f"/events{slash}", json=SHOW, headers=admin.headers), 201)
        body = {"event_id": event_id, "seat_nos": ["S2" if slash else "S1"]}
        hold = accepted(await world.http.post(f"/holds{slash}", json=body, headers=user.headers), 201)
        headers = user.headers | {"Idempotency-Key": f"key{slash}"}
        body = {"event_id": event_id, "hold_token": hold["hold_token"]}
        accepted(await world.http.post(f"/bookings{slash}", json=body, headers=headers), 201)
        accepted(await world.http.get(f"/bookings{slash}", headers=user.headers))


async def test_booking_replay_answers_the_same_booking(world: World) -> None:
    """Repeating a booking that had succeeded was answered with 409."""
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    first = await world.book(user, event_id, token, "k")
    again = await world.book(user, event_id, token, "k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_of_one_user_is_free_for_another(world: World) -> None:
    """Keys were shared by all users of an event: the second was shown the first one's booking and could not book."""
    event_id = await world.event(2)
    first, second = await world.users(2)
    booking = accepted(await world.book(first, event_id, await world.held(first, event_id, "S1"), "k"), 201)
    answer = await world.book(second, event_id, await world.held(second, event_id, "S2"), "k")
    assert accepted(answer, 201)["seat_numbers"] == ["S2"]
    assert booking["id"] not in answer.text


async def test_a_key_is_tied_to_its_body(world: World) -> None:
    """A key could be sent again with another body, and after a cancel it was dead for ever without a word why."""
    event_id = await world.event(2)
    user = await world.user()
    first, second = await world.held(user, event_id, "S1"), await world.held(user, event_id, "S2")
    booking = accepted(await world.book(user, event_id, first, "k"), 201)
    assert code_of(await world.book(user, event_id, second, "k")) == (422, "idempotency_key_reused")
    await world.cancel(user, booking["id"])
    assert accepted(await world.book(user, event_id, first, "k"), 201) == booking


async def test_a_hold_whose_answer_was_lost_can_be_had_again(world: World) -> None:
    """Repeating a hold whose answer was lost met one's own seats as taken, and the token could not be found out."""
    event_id = await world.event(2)
    user = await world.user()
    lost = accepted(await world.hold(user, event_id, "S1", "S2", key="k"), 201)
    assert accepted(await world.hold(user, event_id, "S1", "S2", key="k"), 201) == lost


async def test_an_expired_hold_frees_its_seats_at_once(narrow_world: World) -> None:
    """Expired holds kept their seats until a worker came by, and for ever when there was none. Here there is none."""
    world = narrow_world
    event_id = await world.event(1)
    first, second = await world.users(2)
    await world.lapse(await world.held(first, event_id, "S1"))
    assert await world.seat_statuses(event_id) == {"S1": "available"}
    assert (await world.get_event(event_id))["available"] == 1
    accepted(await world.hold(second, event_id, "S1"), 201)


async def test_nobody_can_hold_the_whole_house(world: World) -> None:
    """One request that named every seat blocked the house for five minutes, as often as one liked."""
    event_id = await world.event(40)
    user = await world.user()
    labels = [f"S{number}" for number in range(1, 41)]
    assert code_of(await world.hold(user, event_id, *labels)) == (400, "invalid_request")
    answers = [await world.hold(user, event_id, *labels[start : start + 10]) for start in range(0, 40, 10)]
    assert [answer.status_code for answer in answers] == [201, 409, 409, 409]
    assert code_of(answers[1])[1] == "hold_limit"
    assert (await world.get_event(event_id))["available"] == 30


async def test_a_hold_can_be_looked_at_and_let_go(world: World) -> None:
    """There was no way to see or to release a hold."""
    event_id = await world.event(1)
    user = await world.user()
    token = await world.held(user, event_id, "S1")
    assert accepted(await world.http.get(f"/holds/{token}", headers=user.headers))["seat_nos"] == ["S1"]
    accepted(await world.http.delete(f"/holds/{token}", headers=user.headers), 204)
    assert await world.seat_statuses(event_id) == {"S1": "available"}


async def test_a_show_that_has_begun_is_neither_sold_nor_cancelled(world: World) -> None:
    """Seats of a show of years ago could be held, booked and cancelled."""
    event_id = await world.event(3)
    user = await world.user()
    booking_id = await world.booked(user, event_id, "S1")
    token = await world.held(user, event_id, "S2")
    await world.start_event(event_id)
    assert code_of(await world.hold(user, event_id, "S3")) == (409, "not_on_sale")
    assert code_of(await world.book(user, event_id, token)) == (409, "not_on_sale")
    assert code_of(await world.cancel(user, booking_id)) == (409, "event_started")
    old = await world.event(1, start_time="2020-01-01T00:00:00Z")
    assert code_of(await world.hold(user, old, "S1")) == (409, "not_on_sale")


async def test_every_taken_seat_is_named_and_an_unknown_event_is_called_so(world: World) -> None:
    """Only the first conflict was told, and an unknown event was answered as unknown seats."""
    event_id = await world.event(4)
    first, second = await world.users(2)
    await world.held(first, event_id, "S1", "S3")
    refused = await world.hold(second, event_id, "S1", "S2", "S3")
    assert [conflict["seat_no"] for conflict in refused.json()["conflicts"]] == ["S1", "S3"]
    assert code_of(await world.hold(second, str(uuid.uuid4()), "S1")) == (404, "event_not_found")


async def test_a_hold_is_refused_when_it_could_not_be_booked(world: World) -> None:
    """A cap did not bound holds: with one seat sold of one, a second was held and its booking refused."""
    event_id = await world.event(["A", "B"], capacity=1)
    first, second = await world.users(2)
    await world.booked(first, event_id, "A")
    assert code_of(await world.hold(second, event_id, "B")) == (409, "capacity_exceeded")
    accepted(await world.join(second, event_id, 1), 202)


async def test_an_event_without_seats_has_none_to_sell(world: World) -> None:
    """An event of capacity 100 without any seat said that 100 were available."""
    event = await world.get_event(await world.event(0, capacity=100))
    assert event["available"] == 0


async def test_a_change_is_answered_with_true_counts(world: World) -> None:
    """Changing an event always answered available: 0, and took an empty name."""
    event_id = await world.event(5)
    await world.booked(await world.user(), event_id, "S1", "S2")
    changed = await organise(world, "PATCH", f"/events/{event_id}", name="Another")
    assert (changed["booked_count"], changed["available"]) == (2, 3)
    admin = await world.admin()
    for name in ("", "  "):
        refused = await world.http.patch(f"/events/{event_id}", json={"name": name}, headers=admin.headers)
        assert code_of(refused) == (400, "invalid_request")


async def test_capacity_never_falls_below_what_is_taken_whatever_the_moment(world: World) -> None:
    """Whether a smaller capacity was possible was looked up before, not while it was set."""
    event_id = await world.event(12)
    admin = await world.admin()

    async def lower(capacity: int) -> int:
        body = {"capacity": capacity}
        return (await world.http.patch(f"/events/{event_id}", json=body, headers=admin.headers)).status_code

    users = await world.users(12)
    lowering = asyncio.gather(*(lower(capacity) for capacity in (9, 7, 5, 3, 8, 6)))
    holds = await asyncio.gather(*(world.hold(user, event_id, f"S{number}") for number, user in enumerate(users, 1)))
    assert set(await lowering) <= {200, 409}
    held = sum(answer.status_code == 201 for answer in holds)
    event = await world.get_event(event_id)
    assert event["held_count"] == held <= event["capacity"]
    assert event["available"] == event["capacity"] - held
    await world.assert_lawful()


async def test_an_event_with_bookings_cannot_be_deleted(world: World) -> None:
    """Deleting an event erased its bookings, holds and queue without a word."""
    event_id = await world.event(1)
    user, admin = await world.user(), await world.admin()
    booking_id = await world.booked(user, event_id, "S1")
    refused = await world.http.delete(f"/events/{event_id}", headers=admin.headers)
    assert code_of(refused) == (409, "event_in_use")
    await world.cancel(user, booking_id)
    accepted(await world.http.delete(f"/events/{event_id}", headers=admin.headers))
    assert [booking["id"] for booking in await world.bookings(user)] == [booking_id]


@pytest.mark.parametrize("capacity", [0, -1, -(2**31), 2**31])
async def test_a_capacity_that_is_none_is_a_bad_request(world: World, capacity: int) -> None:
    """A negative capacity was a server error with the text of a constraint."""
    admin = await world.admin()
    answer = await world.http.post("/events", json=SHOW | {"capacity": capacity}, headers=admin.headers)
    assert code_of(answer) == (400, "invalid_request")


async def test_metadata_left_out_are_empty(world: World) -> None:
    """Metadata that were left out became null in spite of their default."""
    assert (await organise(world, "POST", "/events", **SHOW))["metadata"] == {}


async def test_bookings_come_in_pages(world: World) -> None:
    """All bookings of a user were sent at once, with a query for each."""
    event_id = await world.event(3)
    user = await world.user()
    ids = [await world.booked(user, event_id, f"S{number}") for number in (1, 2, 3)]
    answer = await world.http.get("/bookings?limit=2", headers=user.headers)
    rest = await world.http.get(links_of(answer)["next"], headers=user.headers)
    assert [booking["id"] for booking in accepted(answer) + accepted(rest)] == ids[::-1]


async def test_whoever_may_cancel_a_booking_may_see_it_and_strangers_learn_nothing(world: World) -> None:
    """An organiser could cancel a booking but not read it; a stranger learned by 403 that it exists."""
    event_id = await world.event(1)
    owner, stranger, admin = *await world.users(2), await world.admin()
    booking_id = await world.booked(owner, event_id, "S1")
    accepted(await world.http.get(f"/bookings/{booking_id}", headers=admin.headers))
    real = await world.http.get(f"/bookings/{booking_id}", headers=stranger.headers)
    made_up = await world.http.get(f"/bookings/{uuid.uuid4()}", headers=stranger.headers)
    assert code_of(real) == code_of(made_up) == (404, "booking_not_found")
    assert {**real.json(), "instance": ""} == {**made_up.json(), "instance": ""}
