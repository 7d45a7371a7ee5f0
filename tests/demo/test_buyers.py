"""Buyers notice when they are cheated: the same buyers, in front of a box office that is careless in one way."""

import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from overbookr.demo.buyers import Buyer
from overbookr.demo.client import open_client
from overbookr.demo.model import Ending, Intent, Repeat, draw_intent
from overbookr.demo.people import Person
from overbookr.demo.picking import House
from overbookr.demo.recorder import Recorder
from overbookr.demo.scene import Scene, SeatMap
from tests.demo.hall import EVENT, small_plan
from tests.house.serving import free_port

pytestmark = pytest.mark.anyio

PLAIN = replace(
    draw_intent(random.Random(1)),
    seats=2,
    ending=Ending.BOOK,
    repeat=Repeat.NEVER,
    pause=0.0,
    second_thoughts=0.0,
    holds_with_key=False,
    repeats_hold=False,
    reads_whole_list=False,
    books_twice=False,
    cancels=False,
    sits_apart=True,
    waits=True,
    watches=None,
)


class BoxOffice:
    """Answers in the form of the contract, for one event, from memory. `flaw` names the one thing it gets wrong."""

    def __init__(self, house: House, flaw: str) -> None:
        self.flaw = flaw
        self.seat_nos = house.seat_nos
        self.holds: dict[str, list[str]] = {}
        self.bookings: dict[str, dict[str, Any]] = {}
        self.by_key: dict[str, dict[str, Any]] = {}
        self.waiting: set[str] = set()
        self.version = 0

    @property
    def taken(self) -> set[str]:
        return {seat for seats in self.holds.values() for seat in seats}

    async def availability(self, request: web.Request) -> web.Response:
        self.version += 1
        taken = sorted(self.taken)
        body: dict[str, Any] = {"version": self.version, "available": 0, "held": taken, "booked": [], "blocked": []}
        if self.flaw == "shows seats that are not there":
            body["held"] = ["Nowhere-1"]
        return web.json_response(body, headers={"ETag": f'"{self.version}"'})

    async def seats(self, request: web.Request) -> web.Response:
        labels = self.seat_nos[1:] if self.flaw == "forgets a seat" else self.seat_nos
        return web.json_response([{"seat_no": label, "status": "available"} for label in labels])

    async def hold(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["seat_nos"]
        key = request.headers.get("Idempotency-Key")
        if key in self.by_key and self.flaw != "forgets keys":
            return web.json_response(self.by_key[key], status=201, headers={"Idempotency-Replayed": "true"})
        if self.taken & set(wanted) and self.flaw not in ("sells twice", "forgets keys"):
            return self.problem(409, "seats_unavailable")
        if self.flaw == "fails":
            return self.problem(500, "internal_error")
        token = str(uuid.uuid4())
        self.holds[token] = wanted
        given = wanted[:-1] if self.flaw == "gives fewer seats" else wanted
        answer = {"hold_token": token, "seat_nos": given}
        if key:
            self.by_key[key] = answer
        return web.json_response(answer, status=201)

    async def book(self, request: web.Request) -> web.Response:
        token, key = (await request.json())["hold_token"], request.headers["Idempotency-Key"]
        if key in self.by_key and self.flaw != "books anew":
            answer = dict(self.by_key[key])
            if self.flaw == "answers a repetition differently":
                answer["status"] = "old"
            marked = {} if self.flaw == "does not mark repetitions" else {"Idempotency-Replayed": "true"}
            return web.json_response(answer, status=201, headers=marked)
        if any(booking["hold"] == token for booking in self.bookings.values()) and self.flaw not in (
            "books a hold twice",
            "books anew",
        ):
            return self.problem(409, "hold_already_booked")
        answer = {
            "id": str(uuid.uuid4()),
            "event_id": str(EVENT),
            "seat_numbers": self.holds[token],
            "status": "active",
        }
        self.bookings[answer["id"]] = {**answer, "hold": token}
        self.by_key[key] = answer
        return web.json_response(answer, status=201)

    async def cancel(self, request: web.Request) -> web.Response:
        booking_id = request.match_info["id"]
        again = self.bookings[booking_id]["status"] == "cancelled"
        self.bookings[booking_id]["status"] = "cancelled"
        at = 2 if again and self.flaw == "cancels anew" else 1
        return web.json_response({"id": booking_id, "status": "cancelled", "at": at})

    async def release(self, request: web.Request) -> web.Response:
        self.holds.pop(request.match_info["id"])
        return web.Response(status=204)

    async def join(self, request: web.Request) -> web.Response:
        self.waiting.add(request.headers["Authorization"])
        return web.json_response({"position": 1}, status=202)

    async def place(self, request: web.Request) -> web.Response:
        who = request.headers["Authorization"]
        if request.method == "DELETE":
            self.waiting.discard(who)
            return web.Response(status=204)
        if self.flaw in ("loses waiters", "promotes") or who not in self.waiting:
            return self.problem(404, "waitlist_entry_not_found")
        return web.json_response({"position": 1})

    async def own(self, request: web.Request) -> web.Response:
        if self.flaw != "promotes":
            return web.json_response([])
        booking = {"id": str(uuid.uuid4()), "event_id": str(EVENT), "seat_numbers": ["x", "y"], "status": "active"}
        return web.json_response([booking])

    def problem(self, status: int, code: str) -> web.Response:
        return web.json_response({"code": code}, status=status, content_type="application/problem+json")

    def routes(self) -> list[web.RouteDef]:
        event = f"/events/{EVENT}"
        return [
            web.get("/healthz", self.seats),
            web.get(f"{event}/availability", self.availability),
            web.get(f"{event}/seats", self.seats),
            web.post("/holds", self.hold),
            web.delete("/holds/{id}", self.release),
            web.post("/bookings", self.book),
            web.get("/bookings", self.own),
            web.delete("/bookings/{id}", self.cancel),
            web.post(f"{event}/waitlist", self.join),
            web.route("*", f"{event}/waitlist/me", self.place),
        ]


Play = Callable[[Intent], Buyer]


@asynccontextmanager
async def box_office(flaw: str = "") -> AsyncIterator[tuple[Scene, Play, BoxOffice]]:
    """A scene with open doors in front of it, and a maker of buyers."""
    house = House(small_plan(rows=3, seats=8))
    office = BoxOffice(house, flaw)
    app = web.Application()
    app.add_routes(office.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    recorder = Recorder()
    try:
        async with open_client(f"http://127.0.0.1:{port}", 8, recorder) as client:
            scene = Scene(client, house, EVENT, recorder, SeatMap(client, house, EVENT, recorder))
            scene.doors.set()
            count = 0

            def play(intent: Intent) -> Buyer:
                nonlocal count
                count += 1
                person = Person(uuid.UUID(int=1_000 + count), f"token-{count}")
                return Buyer(scene, person, name=f"buyer-{count}", intent=intent, chance=random.Random(3))

            yield scene, play, office
    finally:
        await runner.cleanup()


async def test_at_a_careful_box_office_nothing_is_wrong() -> None:
    async with box_office() as (scene, play, office):
        busy = replace(PLAIN, repeat=Repeat.LATER, books_twice=True, cancels=True, holds_with_key=True)
        busy = replace(busy, repeats_hold=True, reads_whole_list=True)
        await play(busy).attend()
        await play(replace(PLAIN, repeat=Repeat.AT_ONCE)).attend()
        await play(replace(PLAIN, ending=Ending.RELEASE)).attend()
        await play(replace(PLAIN, ending=Ending.ABANDON)).attend()
        tallies = scene.recorder.tallies
        assert scene.recorder.unexpected == []
        assert scene.recorder.altered_replays == []
        assert (tallies["released"], tallies["abandoned"], tallies["cancelled"]) == (1, 1, 1)
        # One hold and one booking of the first, two bookings of the second.
        assert tallies["replayed"] == 4
        assert len(scene.ledger.bookings) == len(office.bookings) == 2
        assert len(scene.ledger.abandoned) == 1
        assert scene.crowd.shopping == scene.crowd.waiting == 0


@pytest.mark.parametrize(
    ("flaw", "trait"),
    [
        ("answers a repetition differently", {"repeat": Repeat.LATER}),
        ("answers a repetition differently", {"repeat": Repeat.AT_ONCE}),
        ("does not mark repetitions", {"repeat": Repeat.LATER}),
        ("does not mark repetitions", {"repeat": Repeat.AT_ONCE}),
        ("books anew", {"repeat": Repeat.AT_ONCE}),
        ("books anew", {"repeat": Repeat.LATER}),
        ("forgets keys", {"holds_with_key": True, "repeats_hold": True}),
        ("cancels anew", {"cancels": True, "repeat": Repeat.LATER}),
    ],
)
async def test_a_repetition_that_changes_something_is_noticed(flaw: str, trait: dict[str, Any]) -> None:
    async with box_office(flaw) as (scene, play, _):
        await play(replace(PLAIN, **trait)).attend()
        assert scene.recorder.altered_replays


@pytest.mark.parametrize(
    ("flaw", "trait"),
    [
        ("fails", {}),
        ("gives fewer seats", {}),
        ("books a hold twice", {"books_twice": True}),
        ("forgets a seat", {"reads_whole_list": True}),
        ("shows seats that are not there", {}),
    ],
)
async def test_an_answer_outside_of_the_contract_is_noticed(flaw: str, trait: dict[str, Any]) -> None:
    async with box_office(flaw) as (scene, play, _):
        await play(replace(PLAIN, **trait)).attend()
        assert scene.recorder.unexpected_count > 0


async def test_a_seat_sold_twice_is_in_the_ledger_twice() -> None:
    async with box_office("sells twice") as (scene, play, _):
        seats = ["Hall-A-1", "Hall-A-2"]
        await play(PLAIN).come_back(seats)
        await play(PLAIN).come_back(seats)
        first, second = scene.ledger.bookings.values()
        assert first.seat_nos == second.seat_nos == tuple(seats)
        assert first.user_id != second.user_id


async def test_whoever_finds_too_few_seats_waits_until_the_bell() -> None:
    async with box_office() as (scene, play, office):
        office.holds["full"] = list(office.seat_nos)
        scene.bell.set()
        buyer = play(PLAIN)
        await buyer.attend()
        assert scene.recorder.tallies["still waiting"] == 1
        assert buyer.is_waiting


async def test_whoever_is_promoted_learns_of_it_and_one_who_is_lost_is_noticed() -> None:
    for flaw, promoted in (("promotes", 1), ("loses waiters", 0)):
        async with box_office(flaw) as (scene, play, office):
            office.holds["full"] = list(office.seat_nos)
            await play(PLAIN).attend()
            assert scene.recorder.tallies["promoted"] == promoted == len(scene.ledger.bookings)
            assert bool(scene.recorder.unexpected) is (promoted == 0)


async def test_some_leave_the_queue_and_some_never_join() -> None:
    async with box_office() as (scene, play, office):
        office.holds["full"] = list(office.seat_nos)
        await play(replace(PLAIN, watches=1)).attend()
        await play(replace(PLAIN, waits=False)).attend()
        tallies = scene.recorder.tallies
        assert (tallies["joined waitlist"], tallies["left waitlist"], tallies["left without seats"]) == (1, 1, 1)
        assert office.waiting == set()
