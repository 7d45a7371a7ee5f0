"""What buyers do: hold, book, release, cancel, wait, and look, also at what is not theirs; and their accounts."""

from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from proof.model.comparison import Person, Show
from proof.model.walker import LABELS, UNKNOWN, Walker, picks, users
from tests.house.model import NOW, HoldModel

PASSWORDS = ["correct horse battery", "wrong horse battery"]


class Buyers(Walker):
    """The steps of buyers."""

    @rule(user=users, event=picks, seats=st.integers(1, 3), key=st.sampled_from([None, None, "a", "b"]))
    def hold_free_seats(self, user: int, event: int, seats: int, key: str | None) -> None:
        person = self.user(user)
        show = self.touch(event, person)
        self.place(show, person, self.free(show)[:seats] or [UNKNOWN], key)

    @rule(user=users, event=picks, seats=st.lists(st.sampled_from([*LABELS, UNKNOWN]), min_size=1, max_size=4))
    def hold_any_seats(self, user: int, event: int, seats: list[str]) -> None:
        person = self.user(user)
        self.place(self.touch(event, person), person, seats, None)

    @rule(event=picks, books=st.booleans())
    def take_what_is_left(self, event: int, books: bool) -> None:
        self.buy_out(self.touch(event), books=books)

    @precondition(lambda self: self.keyed)
    @rule(pick=picks, is_other=st.booleans())
    def hold_again_with_the_same_key(self, pick: int, is_other: bool) -> None:
        show, hold, user_id, key = self.keyed[-1 - pick % len(self.keyed)]
        wanted = list(show.model.holds[hold].seat_nos)
        self.touched, self.actor = show, self.owner_of(user_id)
        self.place(show, self.actor, [UNKNOWN, *wanted[1:]] if is_other else wanted, key)

    @precondition(lambda self: self.holds)
    @rule(pick=picks)
    def book_what_one_holds(self, pick: int) -> None:
        show, hold, person, _ = self.some_hold(pick, None)
        self.book_with(show, self.name("booking"), show, hold, person, self.name("key"))

    @precondition(lambda self: self.holds)
    @rule(pick=picks, thief=st.sampled_from([None, None, None, 0, 1]), key=st.sampled_from(["new", "new", "a"]),
          elsewhere=st.sampled_from([None, None, None, 0, 15]))  # fmt: skip
    def book(self, pick: int, thief: int | None, elsewhere: int | None, key: str) -> None:
        home, hold = self.holds[-1 - pick % len(self.holds)]
        person = self.owner_of(home.model.holds[hold].user_id) if thief is None else self.user(thief)
        show = self.touch(elsewhere, person) if elsewhere is not None else home
        self.touched, self.actor = show, person
        key, booking = self.name("key") if key == "new" else key, self.name("booking")
        self.book_with(show, booking, home, hold, person, key)

    @precondition(lambda self: any(show.model.booking_keys for show in self.shows))
    @rule(pick=picks, is_new=st.booleans())
    def book_again(self, pick: int, is_new: bool) -> None:
        made = [(show, *item) for show in self.shows for item in show.model.booking_keys.items()]
        show, (user_id, key), earlier = made[-1 - pick % len(made)]
        hold = show.model.bookings[earlier].hold_id
        self.touched, self.actor = show, self.owner_of(user_id)
        self.book_with(show, self.name("booking"), show, hold, self.actor, self.name("key") if is_new else key)

    @precondition(lambda self: self.holds)
    @rule(pick=picks, user=st.sampled_from([None, None, None, 0, 1]))
    def release(self, pick: int, user: int | None) -> None:
        show, hold, person, _ = self.some_hold(pick, user)
        self.let_go(show, hold, person)

    def let_go(self, show: Show, hold: str, person: Person | None = None) -> None:
        owner = self.owner_of(show.model.holds[hold].user_id)
        person = person or owner
        reply = self.ask(person, "DELETE", f"/holds/{show.ids[hold]}")
        said = self.say(person, lambda: show.model.release(hold) if person is owner else ("hold_not_found",))
        self.comparison.agree(reply, said)

    @precondition(lambda self: self.holds)
    @rule(pick=picks, user=st.sampled_from([None, None, None, 0, 1]))
    def look_at_a_hold(self, pick: int, user: int | None) -> None:
        show, hold, person, mine = self.some_hold(pick, user)
        reply = self.ask(person, "GET", f"/holds/{show.ids[hold]}")
        if person.token is None:
            self.comparison.agree(reply, ("unauthorized",))
        else:
            self.comparison.agree_hold_seen(reply, show, mine)

    def some_hold(self, pick: int, user: int | None) -> tuple[Show, str, Person, HoldModel | None]:
        show, hold = self.holds[-1 - pick % len(self.holds)]
        kept = show.model.holds[hold]
        person = self.owner_of(kept.user_id) if user is None else self.user(user)
        self.touched, self.actor = show, person
        return show, hold, person, kept if kept.user_id == person.id else None

    @precondition(lambda self: any(show.model.bookings for show in self.shows))
    @rule(pick=picks, by=st.sampled_from(["owner", "owner", "somebody", "organiser"]))
    def cancel(self, pick: int, by: str) -> None:
        made = [(show, thing) for show in self.shows for thing in show.model.bookings]
        show, thing = made[-1 - pick % len(made)]
        owner = self.owner_of(show.model.bookings[thing].user_id)
        self.touched, self.actor = show, owner
        self.cancel_booking(show, thing, {"owner": owner, "somebody": self.user(pick), "organiser": None}[by])

    @precondition(lambda self: any(show.model.starts <= NOW and show.model.bookings for show in self.shows))
    @rule(pick=picks, by_organiser=st.booleans())
    def cancel_after_the_beginning(self, pick: int, by_organiser: bool) -> None:
        begun = [
            (show, thing, booking)
            for show in self.shows if show.model.starts <= NOW
            for thing, booking in show.model.bookings.items()
        ]  # fmt: skip
        show, thing, booking = begun[-1 - pick % len(begun)]
        owner = self.owner_of(booking.user_id)
        self.touched, self.actor = show, owner
        self.cancel_booking(show, thing, None if by_organiser else owner)

    def cancel_booking(self, show: Show, thing: Any, person: Person | None) -> None:
        """By nobody in particular means by the organiser."""
        reply = self.ask(person, "DELETE", f"/bookings/{show.ids[thing]}")
        if person is None:
            said = show.model.cancel(thing, exempt=True)
        else:
            is_own = person.id == show.model.bookings[thing].user_id
            said = self.say(person, lambda: show.model.cancel(thing) if is_own else ("booking_not_found",))
        if self.comparison.agree(reply, said):
            assert reply.body == {"id": show.ids[thing], "status": "cancelled"}

    @rule(user=users, event=picks)
    def join_for_one_or_two(self, user: int, event: int) -> None:
        person = self.user(user)
        self.queue_up(self.touch(event, person), person, 1 + user % 2)

    @rule(user=users, event=picks, seats=st.sampled_from([1, 2, 2, 3, 4, 5]))
    def join(self, user: int, event: int, seats: int) -> None:
        person = self.user(user)
        self.queue_up(self.touch(event, person), person, seats)

    @precondition(lambda self: any(show.model.queue for show in self.shows))
    @rule(pick=picks, how=st.sampled_from(["cancel", "cancel", "release", "lapse", "leave"]))
    def somebody_makes_room(self, pick: int, how: str) -> None:
        """Where others wait, which chance alone seldom brings about."""
        waited_for = [show for show in self.shows if show.model.queue]
        show = waited_for[pick % len(waited_for)]
        active = [hold for hold, kept in show.model.holds.items() if kept.status == "active"]
        booked = [thing for thing, booking in show.model.bookings.items() if booking.active]
        self.touched, self.actor = show, None
        if how == "leave":
            self.leave_queue(show, self.owner_of(show.model.queue[0].user_id))
        elif active and how in ("lapse", "release"):
            (self.let_lapse if how == "lapse" else self.let_go)(show, str(active[pick % len(active)]))
        elif booked:
            thing = booked[pick % len(booked)]
            self.cancel_booking(show, thing, self.owner_of(show.model.bookings[thing].user_id))

    @rule(user=users, event=picks)
    def look_at_the_place(self, user: int, event: int) -> None:
        person = self.user(user)
        show = self.touch(event, person)
        reply = self.ask(person, "GET", f"/events/{show.id}/waitlist/me")
        place = show.model.place_in_queue(person.id)
        said = self.say(person, lambda: ("seen",) if place is not None else ("waitlist_entry_not_found",))
        if self.comparison.agree(reply, said):
            assert reply.body["position"] == (place or 0) + 1

    @rule(user=users, event=picks)
    def leave(self, user: int, event: int) -> None:
        person = self.user(user)
        self.leave_queue(self.touch(event, person), person)

    def leave_queue(self, show: Show, person: Person) -> None:
        reply = self.ask(person, "DELETE", f"/events/{show.id}/waitlist/me")
        self.comparison.agree(reply, self.say(person, lambda: show.model.leave(person.id)))

    # Accounts.

    @rule(what=st.sampled_from(["register", "log in", "log in wrongly", "log out"]), pick=picks)
    def use_an_account(self, what: str, pick: int) -> None:
        """Hashing a password is slow on purpose, so this is one rule and not four."""
        having = [person for person in self.people if person.email]
        if what == "register" or not having:
            self.register(having, is_taken=bool(having) and (pick % 2 == 0 or len(having) > 1))
            return
        self.actor = person = having[-1 - pick % len(having)]
        if what == "log out":
            self.log_out(person)
        else:
            password = PASSWORDS[what == "log in wrongly"]
            reply = self.ask(None, "POST", "/users/login", {"email": person.email, "password": password})
            if self.comparison.agree(reply, ("logged_in",) if password == PASSWORDS[0] else ("bad_credentials",)):
                person.token = reply.body["token"]

    def register(self, having: list[Person], *, is_taken: bool) -> None:
        email = having[-1].email if is_taken else f"{uuid4()}@example.org"
        reply = self.ask(None, "POST", "/users/register", {"name": "New", "email": email, "password": PASSWORDS[0]})
        if self.comparison.agree(reply, ("email_taken",) if is_taken else ("registered",)):
            self.people.append(Person(reply.body["id"], reply.body["token"], email))

    def log_out(self, person: Person) -> None:
        """The token of the session is dead from then on, in every process; the person keeps using it."""
        token = person.token
        reply = self.ask(person, "POST", "/users/logout")
        self.comparison.agree(reply, self.say(person, lambda: ("logged_out",)))
        person.token = None
        if token is not None:
            self.comparison.agree(self.comparison.wire.ask("GET", "/users/me", token=token), ("unauthorized",))
