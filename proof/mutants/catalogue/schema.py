"""Laws of the schema that are gone. The functions keep them too, so only the tests that go past those can tell."""

from proof.mutants.mutant import Mutant, defect, tests

_FILE = "database/migrations/0001_initial.sql"


def _law(name: str, breaks: str, law: str, old: str, new: str) -> Mutant:
    test = f"constraints/test_constraints.py::test_it_refuses_what_it_is_named_after[postgresql-18-{law}]"
    return defect(name, breaks, _FILE, old, new, tests(test))


SCHEMA = (
    _law(
        "partial-unique-index-dropped",
        "The database would let a seat be in two live bookings.",
        "one_live_booking_per_seat",
        "create unique index one_live_booking_per_seat",
        "create index one_live_booking_per_seat",
    ),
    _law(
        "hold-may-be-booked-twice",
        "The database would let a hold become two bookings.",
        "one_booking_per_hold",
        "  constraint one_booking_per_hold unique (hold_id, event_id),\n",
        "",
    ),
    _law(
        "key-may-book-twice",
        "The database would let a key make two bookings.",
        "one_booking_per_idempotency_key",
        "  constraint one_booking_per_idempotency_key unique (user_id, event_id, idempotency_key),\n",
        "",
    ),
    _law(
        "key-may-hold-twice",
        "The database would let a key make two holds.",
        "one_hold_per_idempotency_key",
        "create unique index one_hold_per_idempotency_key",
        "create index one_hold_per_idempotency_key",
    ),
    _law(
        "entry-may-be-served-twice",
        "The database would let a place in the queue be served twice.",
        "one_booking_per_waitlist_entry",
        "create unique index one_booking_per_waitlist_entry",
        "create index one_booking_per_waitlist_entry",
    ),
    _law(
        "more-taken-than-seats",
        "The database would let more be taken than there are seats.",
        "never_taken_beyond_seats",
        "check (booked_count + held_count <= seats_count)",
        "check (booked_count + held_count <= seats_count + 1000)",
    ),
    _law(
        "more-taken-than-capacity",
        "The database would let more be taken than the capacity.",
        "never_taken_beyond_capacity",
        "check (booked_count + held_count <= capacity)",
        "check (booked_count + held_count <= capacity + 1000)",
    ),
    _law(
        "held-and-booked-at-once",
        "The database would let a seat be booked and held.",
        "seat_state_has_its_shape",
        "when 'booked' then hold_id is null and hold_expires_at is null and booking_id is not null",
        "when 'booked' then booking_id is not null",
    ),
    _law(
        "hold-without-an-end",
        "The database would let a hold be over without having ended.",
        "hold_ends_once",
        "check ((status = 'active') = (ended_at is null))",
        "check (status is not null)",
    ),
    _law(
        "sold-seat-may-be-removed",
        "The database would let a sold seat vanish.",
        "taken_seat_is_never_removed",
        "when (old.status in ('held', 'booked'))",
        "when (old.status in ('held'))",
    ),
    defect(
        "illegal-change-recorded",
        "The database would let a blocked seat be recorded as sold.",
        _FILE,
        "'available>blocked', 'blocked>available'))\n);",
        "'available>blocked', 'blocked>available', 'blocked>booked'))\n);",
        tests("constraints/test_constraints.py::test_a_seat_changes_only_as_the_house_allows"),
    ),
    defect(
        "index-of-active-holds-missing",
        "A user's share is counted by reading every hold there ever was.",
        _FILE,
        "create index active_holds_by_user on holds (user_id, event_id) where status = 'active'"
        " and expires_at > created_at;\n",
        "",
        tests("plans/test_plans.py::test_writes_reach_what_they_need_by_index"),
    ),
    defect(
        "plans-kept-for-ever",
        "Statements that were planned while the tables were known to be empty go on reading all of them.",
        "database/pool.py",
        "reset=_Replanning() if write and statement_cache else _keep_session,",
        "reset=_keep_session,",
        tests("plans/test_plans.py::test_writes_reach_what_they_need_by_index"),
    ),
)
