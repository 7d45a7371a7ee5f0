"""What users, organisers and time may do to the house, one step after the other, in any order.

Hypothesis draws the steps, and when one goes otherwise than the model says it prints the shortest way there that it
finds.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from proof.model.buyers import Buyers
from proof.model.comparison import SHARE, Show
from proof.model.walker import LABELS, capacities, labels, moment, picks
from tests.house.model import NOW

STATUSES = ["on_sale", "on_sale", "on_sale", "on_sale", "paused", "closed", "draft", "cancelled"]
EVENTS_MAX = 3

# Mostly open: opening and closing, None for not at all.
windows = st.sampled_from(
    [(None, None), (None, None), (NOW - 40, NOW + 60), (NOW - 40, None), (NOW + 60, None), (None, NOW - 30), (NOW, NOW)]
)
rows = st.fixed_dictionaries({"A": st.sampled_from([0, 2, 3]), "B": st.sampled_from([1, 3])})


def plan_of(counts: dict[str, int]) -> dict[str, Any]:
    """A seating plan in one zone, with rows of so many seats without aisles."""

    def seat(row: str, number: int) -> dict[str, Any]:
        position = {"x": 25 * number, "y": 0}
        return {"seat_number": str(number), "seat_guid": f"{row}{number}", "position": position, "category": "Best"}

    return {
        "name": "House",
        "categories": [{"name": "Best", "color": "#123456"}],
        "size": {"width": 1000, "height": 800},
        "zones": [{"name": "Stalls", "position": {"x": 0, "y": 0}, "rows": [
            {"row_number": row, "position": {"x": 0, "y": 30 * place},
             "seats": [seat(row, number) for number in range(1, count + 1)]}
            for place, (row, count) in enumerate(counts.items())
        ]}],
    }  # fmt: skip


class HouseMachine(Buyers):
    """The steps of organisers and of time, and what is looked at after every step."""

    @rule(event=picks, seats=st.lists(labels, min_size=1, max_size=2, unique=True), block=st.booleans())
    def block(self, event: int, seats: list[str], block: bool) -> None:
        show = self.touch(event)
        path = f"/events/{show.id}/seats/{'block' if block else 'unblock'}"
        reply = self.ask(None, "POST", path, {"seat_nos": seats})
        said = show.model.block(tuple(seats), block=block)
        if self.comparison.agree(reply, said):
            assert reply.body == {"event_id": show.id, "seat_nos": seats, "status": said[2]}

    @rule(event=picks, seats=st.lists(labels, min_size=1, max_size=3))
    def add_seats(self, event: int, seats: list[str]) -> None:
        self.add(self.touch(event), seats)

    @rule(event=picks, counts=rows)
    def replace_plan(self, event: int, counts: dict[str, int]) -> None:
        show = self.touch(event)
        reply = self.ask(None, "PUT", f"/events/{show.id}/seating-plan", plan_of(counts))
        seats = [f"Stalls-{row}-{number}" for row, count in counts.items() for number in range(1, count + 1)]
        said = show.model.replace_plan(seats)
        if self.comparison.agree(reply, said):
            assert reply.body == {"chart_version": said[1], "seats": said[2]}

    @rule(event=picks, capacity=capacities)
    def change_capacity(self, event: int, capacity: int | None) -> None:
        self.change(self.touch(event), {"capacity": capacity}, capacity=capacity)

    @rule(event=picks, status=st.sampled_from(STATUSES), window=windows, is_strict=st.booleans(),
          what=st.sampled_from(["status", "window", "policy", "start"]))  # fmt: skip
    def change_event(
        self, event: int, what: str, status: str, window: tuple[int | None, int | None], is_strict: bool
    ) -> None:
        show, (opens, closes) = self.touch(event), window
        if what == "status":
            self.change(show, {"status": status}, status=status)
        elif what == "window":
            body = {"sales_open_at": moment(opens), "sales_close_at": moment(closes)}
            self.change(show, body, sale_opens=opens, sale_closes=closes)
        elif what == "policy":
            self.change(show, {"waitlist_policy": "strict" if is_strict else "first_fit"}, strict=is_strict)
        else:
            self.change(show, {"start_time": moment(NOW + 50)}, starts=NOW + 50)

    def change(self, show: Show, body: dict[str, Any], **changes: Any) -> None:
        reply = self.ask(None, "PATCH", f"/events/{show.id}", body)
        if self.comparison.agree(reply, show.model.update(**changes)):
            assert {name: reply.body[name] for name in show.model.counts()} == show.model.counts()

    @rule(event=picks, is_strict=st.booleans(), capacity=capacities)
    def delete_or_create(self, event: int, is_strict: bool, capacity: int | None) -> None:
        if len(self.shows) < EVENTS_MAX and event % 3:
            self.new_event(is_strict, capacity, LABELS[:4])
        else:
            show = self.touch(event)
            self.comparison.agree(self.ask(None, "DELETE", f"/events/{show.id}"), show.model.delete())

    # Time, and the worker.

    @precondition(
        lambda self: any(hold.status == "active" for show in self.shows for hold in show.model.holds.values())
    )
    @rule(pick=picks)
    def a_hold_runs_out(self, pick: int) -> None:
        active = [(show, name) for show, name in self.holds if show.model.holds[name].status == "active"]
        show, hold = active[-1 - pick % len(active)]
        self.touched, self.actor = show, None
        self.let_lapse(show, hold)

    @rule(event=picks, what=st.sampled_from(["the sale opens", "the show begins"]))
    def an_hour_comes(self, event: int, what: str) -> None:
        show = self.touch(event)
        if what == "the show begins":
            self.comparison.execute(
                "update events set start_time = clock_timestamp() where event_id = $1::text::uuid", show.id
            )
            show.model.starts = NOW
        elif (show.model.sale_opens or 0) > NOW and not show.model.sale_closes:
            self.comparison.execute(
                "update events set sales_open_at = clock_timestamp() where event_id = $1::text::uuid", show.id
            )
            show.model.sale_opens = NOW

    @rule()
    def the_worker_makes_its_round(self) -> None:
        """What the background duty does once a second: overdue holds end, and whoever is owed seats is served."""
        self.comparison.execute("select settle_due_events_v1(200, $1)", SHARE)
        for show in self.shows:
            show.model.settle()

    # After every step.

    @invariant()
    def the_house_is_as_the_model_says(self) -> None:
        if self.touched is None:
            return
        self.comparison.steps += 1
        promoted = {one.user_id for show in self.shows for one in show.model.promoted}
        for person in self.people:
            if person.token is not None and (person.id in promoted or person is self.actor):
                self.comparison.agree_bookings(person, self.shows)
        lawful = self.comparison.ask_the_laws()
        self.comparison.look(self.touched, self.shows)
        self.comparison.assert_lawful(lawful)

    def teardown(self) -> None:
        self.comparison.forget_everything()
