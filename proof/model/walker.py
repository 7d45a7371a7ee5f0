"""What every step of the machine needs: people, events, and asking the house and the model the same thing."""

from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from proof.model.comparison import HOLD_SEATS_MAX, SHARE, Comparison, Person, Show
from tests.house.model import NOW, Answer, EventModel

LABELS = [f"Stalls-{row}-{number}" for row in "AB" for number in (1, 2, 3, 10)]
UNKNOWN = "Stalls-C-1"

# Things are chosen by counting back from the newest, so that small numbers mean what happened last.
picks = st.integers(0, 15)
users = st.integers(0, 3)
labels = st.sampled_from(LABELS)
capacities = st.sampled_from([None, None, 3, 5, 6, 8])


def moment(year: int | None) -> str | None:
    return None if year is None else f"{year}-06-01T12:00:00Z"


class Walker(RuleBasedStateMachine):
    """`comparison` and `base`, the people of every example, are set by whoever runs the machine."""

    comparison: ClassVar[Comparison]
    base: ClassVar[list[Person]]

    def __init__(self) -> None:
        super().__init__()
        self.comparison.examples += 1
        self.comparison.wire.begin()
        self.people = [Person(person.id, person.token) for person in self.base]
        self.shows: list[Show] = []
        self.touched: Show | None = None
        self.actor: Person | None = None
        self.holds: list[tuple[Show, str]] = []
        self.keyed: list[tuple[Show, str, str, str]] = []
        self.names = 0
        self.nowhere = Show(str(uuid4()), EventModel({}, SHARE, False, is_deleted=True))

    # Helpers.

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind} {self.names}"

    def ask(self, person: Person | None, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        token = self.comparison.organiser if person is None else person.token
        return self.comparison.wire.ask(method, path, body, token, key)

    def touch(self, pick: int, person: Person | None = None) -> Show:
        """One of the events, seldom one that never was; what is seen of it is compared after the step."""
        show = self.nowhere if pick == 15 else self.shows[pick % len(self.shows)]
        self.touched, self.actor = show, person
        return show

    def user(self, pick: int) -> Person:
        return self.people[pick % len(self.people)]

    def owner_of(self, user_id: object) -> Person:
        return next(person for person in self.people if person.id == user_id)

    def say(self, person: Person, said: Any) -> Answer:
        """What the model says, unless the person has to log in first; the model must not be asked then."""
        answer: Answer = ("unauthorized",) if person.token is None else said()
        return answer

    # How it begins.

    @initialize(capacity=capacities, labels=st.lists(labels, min_size=3, unique=True), is_strict=st.booleans(),
                is_sold_out=st.sampled_from([True, True, False]))  # fmt: skip
    def two_events(self, capacity: int | None, labels: list[str], is_strict: bool, is_sold_out: bool) -> None:
        for is_first in (True, False):
            self.new_event(is_strict is is_first, capacity, labels)
            if is_sold_out:
                self.buy_out(self.shows[-1], books=is_first)
                for person, seats in ((self.people[3], 2), (self.people[2], 1)):
                    self.queue_up(self.shows[-1], person, seats)

    def new_event(self, is_strict: bool, capacity: int | None, labels: list[str]) -> None:
        policy = "strict" if is_strict else "first_fit"
        body = {"name": "A show", "venue": "A house", "start_time": moment(NOW + 50), "waitlist_policy": policy}
        reply = self.ask(None, "POST", "/events", body | {"capacity": capacity})
        assert reply.status == 201
        show = Show(reply.body["id"], EventModel({}, SHARE, is_strict, capacity, starts=NOW + 50))
        self.shows.append(show)
        self.touched = show
        self.add(show, labels)

    def add(self, show: Show, labels: list[str]) -> None:
        said = show.model.add(labels)
        reply = self.ask(None, "POST", f"/events/{show.id}/seats", {"seat_nos": labels})
        if self.comparison.agree(reply, said):
            assert [(seat["seat_no"], seat["status"]) for seat in reply.body] == list(said[1:])

    # What several steps are made of.

    def buy_out(self, show: Show, *, books: bool) -> None:
        """Everybody in turn, until nobody may have more: without a full house nobody waits."""
        for person in self.people:
            while wanted := self.free(show)[: min(HOLD_SEATS_MAX, SHARE - show.model.owned(person.id))]:
                if not self.place(show, person, wanted, None):
                    break
                if books:
                    hold = self.holds[-1][1]
                    self.book_with(show, self.name("booking"), show, hold, person, self.name("key"))

    def free(self, show: Show) -> list[str]:
        return [seat for seat, status in show.model.seats.items() if status == "available"]

    def place(self, show: Show, person: Person, wanted: list[str], key: str | None) -> bool:
        """Whether a new hold came of it."""
        hold, seat_nos = self.name("hold"), tuple(wanted)
        reply = self.ask(person, "POST", "/holds", {"event_id": show.id, "seat_nos": wanted}, key)
        is_sound = len(set(seat_nos)) == len(seat_nos) <= HOLD_SEATS_MAX
        said = self.say(
            person, lambda: show.model.place(hold, person.id, seat_nos, key) if is_sound else ("invalid_request",)
        )
        self.comparison.agree_placed(reply, said, show)
        if said[0] != "placed" or said[1] != hold:
            return False
        self.holds.append((show, hold))
        if key is not None:
            self.keyed.append((show, hold, person.id, key))
        return True

    def book_with(self, show: Show, booking: str, home: Show, hold: Any, person: Person, key: str) -> None:
        body = {"event_id": show.id, "hold_token": home.ids[hold]}
        reply = self.ask(person, "POST", "/bookings", body, key)
        elsewhere = None if home is show else home.model.holds[hold]
        said = self.say(person, lambda: show.model.book(booking, hold, person.id, key, elsewhere))
        self.comparison.agree_booked(reply, said, show)

    def let_lapse(self, show: Show, hold: str) -> None:
        if not show.model.holds[hold].lapsed:
            self.comparison.lapse(show.ids[hold])
            show.model.holds[hold].lapsed = True

    def queue_up(self, show: Show, person: Person, seats: int) -> None:
        reply = self.ask(person, "POST", f"/events/{show.id}/waitlist", {"requested_seats": seats})
        said = self.say(person, lambda: show.model.join(person.id, seats) if seats <= SHARE else ("invalid_request",))
        if self.comparison.agree(reply, said):
            assert (reply.body["position"], reply.body["requested_seats"]) == (said[1], seats)
