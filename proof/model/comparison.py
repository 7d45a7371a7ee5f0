"""The served application beside the model of it: every answer and everything that can be seen is compared."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import asyncpg

from overbookr.database.pool import Pool
from overbookr.database.sql import load_queries
from proof.model.wire import Reply, Wire
from tests.house.model import Answer, BookingModel, EventModel, HoldModel
from tests.house.world import World

Result = TypeVar("Result")

SHARE: Final = 4
HOLD_SEATS_MAX: Final = 3

SUCCESSES: Final = {
    "placed": 201, "booked": 201, "released": 204, "cancelled": 200, "waiting": 202, "left": 204, "seats_changed": 200,
    "seats_added": 201, "plan_replaced": 201, "event_updated": 200, "event_deleted": 200, "registered": 201,
    "logged_in": 200, "logged_out": 204, "seen": 200,
}  # fmt: skip
REFUSALS: Final = {
    "invalid_request": 400, "unauthorized": 401, "bad_credentials": 401, "event_not_found": 404, "seats_not_found": 404,
    "hold_not_found": 404, "booking_not_found": 404, "waitlist_entry_not_found": 404, "seats_unavailable": 409,
    "hold_limit": 409, "not_on_sale": 409, "hold_already_booked": 409, "hold_expired": 409, "hold_event_mismatch": 409,
    "capacity_exceeded": 409, "capacity_in_use": 409, "event_in_use": 409, "seats_in_use": 409, "event_started": 409,
    "seats_available": 409, "already_waiting": 409, "email_taken": 409, "hold_over": 410, "idempotency_key_reused": 422,
}  # fmt: skip

_LAWS: Final = {
    name: query
    for name, query in load_queries("overbookr.audit", "invariants.sql").items()
    if not name.startswith("quiescent_")
}


@dataclass
class Person:
    """Somebody with a token; without one once they have logged out."""

    id: str
    token: str | None
    email: str = ""
    password: str = ""


@dataclass
class Show:
    """An event: its id on the wire, and the model of it. `ids` are the wire's ids of the model's holds and bookings."""

    id: str
    model: EventModel
    ids: dict[object, str] = field(default_factory=dict)
    answers: dict[object, Any] = field(default_factory=dict)


class Comparison:
    """What one example of the machine plays with. `seen` counts the answers by what they were."""

    def __init__(self, wire: Wire, world: World, auditor: "asyncpg.Connection[asyncpg.Record]", organiser: str) -> None:
        self.wire, self.world, self.auditor, self.organiser = wire, world, auditor, organiser
        self.loop = asyncio.get_running_loop()
        self.laws_asked = 0
        self.seen: dict[str, int] = {}
        self.examples = self.steps = self.promotions = self.lapses = self.replays = 0

    def database(self, ask: Callable[[Pool], Coroutine[Any, Any, Result]]) -> Result:
        """From the machine's thread, what the database says; its pool lives in the event loop."""
        return asyncio.run_coroutine_threadsafe(ask(self.world.pool), self.loop).result(60)

    def lapse(self, hold_token: str) -> None:
        self.lapses += 1
        self.database(lambda pool: self.world.lapse(hold_token))

    def execute(self, statement: str, *values: Any) -> None:
        async def run(pool: Pool) -> None:
            await pool.execute(statement, *values)

        self.database(run)

    def ask_the_laws(self) -> Future[list[str]]:
        """Start to ask every law about a house at any instant, in one statement and so in one snapshot."""

        async def ask() -> list[str]:
            return [row["law"] for row in await self.auditor.fetch(_ALL_LAWS, SHARE)]

        return asyncio.run_coroutine_threadsafe(ask(), self.loop)

    def assert_lawful(self, asked: Future[list[str]]) -> None:
        broken = asked.result(60)
        self.laws_asked += len(_LAWS)
        assert not broken, f"laws that are broken: {', '.join(broken)}"

    def agree(self, reply: Reply, said: Answer, show: Show | None = None) -> bool:
        """Assert that the answer is what the model said; whether it is a success."""
        what = str(said[0])
        self.seen[what] = self.seen.get(what, 0) + 1
        if what in SUCCESSES:
            assert (reply.status, reply.code) == (SUCCESSES[what], None), f"the model says {said}"
            return True
        assert (reply.status, reply.code) == (REFUSALS[what], what), f"the model says {said}"
        if what == "seats_unavailable":
            conflicts = [(conflict["seat_no"], conflict["status"]) for conflict in reply.body["conflicts"]]
            assert conflicts == list(said[1:]), f"the model says {said}"
        elif what in ("seats_not_found", "seats_in_use"):
            assert reply.body["seat_nos"] == list(said[1:]), f"the model says {said}"
        elif what == "hold_already_booked":
            assert show is not None
            assert reply.headers["location"] == f"/bookings/{show.ids[said[1]]}"
        elif what == "hold_over" and len(said) > 1:
            assert reply.body["hold_status"] == said[1]
        return False

    def agree_placed(self, reply: Reply, said: Answer, show: Show) -> None:
        if self.agree(reply, said, show) and said[0] == "placed":
            _, hold, seat_nos, is_again = said
            self._learn(reply, show, hold, "hold_token", is_again=bool(is_again))
            assert reply.body["seat_nos"] == list(show.model.holds[hold].seat_nos) == [*seat_nos]  # type: ignore[misc]
            assert reply.body["event_id"] == show.id

    def agree_booked(self, reply: Reply, said: Answer, show: Show) -> None:
        if self.agree(reply, said, show):
            _, booking, seat_nos, is_again = said
            self._learn(reply, show, booking, "id", is_again=bool(is_again))
            self._agree_booking(reply.body, show, BookingModel(None, seat_nos, None))  # type: ignore[arg-type]
            assert reply.headers["location"] == f"/bookings/{reply.body['id']}"

    def _learn(self, reply: Reply, show: Show, thing: object, name: str, *, is_again: bool) -> None:
        """What a new thing is called on the wire; asked for again, the answer must be the very same."""
        assert (reply.headers.get("idempotency-replayed") == "true") is is_again
        if is_again:
            self.replays += 1
            assert reply.body == show.answers[thing]
        else:
            assert reply.body[name] not in show.ids.values()
            show.ids[thing], show.answers[thing] = reply.body[name], reply.body

    def _agree_booking(self, body: Any, show: Show, booking: BookingModel) -> None:
        status = "active" if booking.active else "cancelled"
        found = (body["event_id"], body["seat_numbers"], body["seats_count"], body["status"])
        expected = (show.id, list(booking.seat_nos), len(booking.seat_nos), status)
        assert found == expected, f"the booking is {found}, the model says {expected}"

    def agree_hold_seen(self, reply: Reply, show: Show, hold: HoldModel | None) -> None:
        status = None if hold is None else "expired" if hold.status == "active" and hold.lapsed else hold.status
        said: Answer = (
            ("hold_not_found",) if hold is None else ("seen",) if status == "active" else ("hold_over", status)
        )
        if self.agree(reply, said):
            assert hold is not None
            assert (reply.body["event_id"], reply.body["seat_nos"]) == (show.id, list(hold.seat_nos))
            assert reply.body["status"] == "active"

    def look(self, show: Show, shows: list[Show]) -> None:
        """The map and the queue of the event that was touched, and the counts of all, are as the model says."""
        model = show.model
        reply = self.wire.ask("GET", f"/events/{show.id}/seats", token=self.organiser)
        waiting = self.wire.ask("GET", f"/events/{show.id}/waitlist?limit=100", token=self.organiser)
        if model.is_deleted:
            assert reply.code == waiting.code == "event_not_found"
        else:
            shown = {seat["seat_no"]: seat["status"] for seat in reply.body}
            assert shown == model.shown(), f"the map is {shown}, the model says {model.shown()}"
            assert [seat["seat_no"] for seat in reply.body] == list(model.seats), "the map's order"
            queue = [(entry["position"], entry["user_id"], entry["requested_seats"]) for entry in waiting.body]
            said = [(place, waiter.user_id, waiter.seats) for place, waiter in enumerate(model.queue, 1)]
            assert queue == said, f"the queue is {queue}, the model says {said}"
        listed = self.wire.ask("GET", "/events?limit=100&include_past=true", token=self.organiser).body
        counts = {
            event["id"]: {name: event[name] for name in one.model.counts()} for event in listed for one in shows[:1]
        }
        assert counts == {one.id: one.model.counts() for one in shows if not one.model.is_deleted}, "the counts"
        states = {event["id"]: (event["status"], event["waitlist_policy"]) for event in listed}
        policies = {True: "strict", False: "first_fit"}
        assert states == {
            one.id: (one.model.status, policies[one.model.strict]) for one in shows if not one.model.is_deleted
        }

    def agree_bookings(self, person: Person, shows: list[Show]) -> None:
        """Somebody's bookings are those of the model; ids of bookings that the queue was given are learned here."""
        reply = self.wire.ask("GET", "/bookings?limit=100", token=person.token)
        if person.token is None:
            self.agree(reply, ("unauthorized",))
            return
        found = {body["id"]: body for body in reply.body}
        known = {identity for show in shows for identity in show.ids.values()}
        for show in shows:
            new = [body["id"] for body in reply.body if body["event_id"] == show.id and body["id"] not in known]
            given = [one for one in show.model.promoted if one.user_id == person.id]
            assert len(new) == len(given), f"{person.id} was promoted {len(given)} times and has the new bookings {new}"
            for identity, booking in zip(reversed(new), given, strict=True):
                self.promotions += 1
                thing = f"promotion {len(show.ids)}"
                show.ids[thing] = identity
                show.model.bookings[thing] = booking
                show.model.promoted.remove(booking)
        mine = {
            show.ids[thing]: (show, booking)
            for show in shows
            for thing, booking in show.model.bookings.items()
            if booking.user_id == person.id
        }
        assert found.keys() == mine.keys(), f"the bookings of {person.id}"
        for identity, (show, booking) in mine.items():
            self._agree_booking(found[identity], show, booking)

    def forget_everything(self) -> None:
        """An empty house for the next example; users stay, so that nobody's password is hashed again."""
        self.execute("truncate events, bookings, seat_changes, mails, sales_pending, sales_spans, sales_days cascade")


_ALL_LAWS: Final = "\nunion all\n".join(
    f"select '{name}' as law where exists (select from ({query}) broken)" for name, query in _LAWS.items()
)
