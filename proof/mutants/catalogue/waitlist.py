"""Defects of the queue: whom it serves, in what order, how often, and who has to wait."""

from proof.mutants.mutant import Edit, Mutant, defect, tests

_FILE = "waitlist/functions.sql"
_SCHEMA = "database/migrations/0001_initial.sql"

WAITLIST = (
    defect(
        "last-to-come-served-first",
        "Of those who want the same number of seats, the last to come is served first.",
        _FILE,
        "order by x.requested_seats, x.ticket limit 1) w",
        "order by x.requested_seats, x.ticket desc limit 1) w",
        tests("api/test_promotions.py::test_first_fit_keeps_the_order_among_equals"),
    ),
    defect(
        "small-wishes-overtake",
        "Whoever wants fewer seats is served before those who came earlier and fit as well.",
        _FILE,
        "   order by w.ticket limit 1;\n  -- The head",
        "   order by w.requested_seats, w.ticket limit 1;\n  -- The head",
        tests("writes/test_queue.py::test_first_fit_serves_the_first_who_fits"),
    ),
    defect(
        "strict-queue-overtaken",
        "A strict queue serves whoever fits, so that its head is starved.",
        _FILE,
        "case p_policy when 'strict' then p_most else p_free end;",
        "p_free;",
        tests("writes/test_queue.py::test_a_strict_queue_gathers_seats_for_its_head"),
    ),
    defect(
        "share-ignored-in-the-queue",
        "Who has used up the share is served all the same.",
        _FILE,
        "         and user_seats(x.event_id, x.user_id) + x.requested_seats <= p_user_seats_max\n"
        "       order by x.requested_seats",
        "       order by x.requested_seats",
        tests("writes/test_queue.py::test_nobody_is_served_beyond_the_share"),
    ),
    defect(
        "some-free-seats-taken-for-all",
        "Seats for a waiter are chosen among those that were freed last, though others are free and side by side.",
        _FILE,
        "    if cardinality(p_seat_nos) = v_free then",
        "    if cardinality(p_seat_nos) >= 1 then",
        tests("writes/test_free_seats.py::test_seats_are_chosen_among_all_that_are_free"),
    ),
    defect(
        "free-seats-sought-for-each",
        "The free seats are sought anew for each of those who are served in one go.",
        _FILE,
        "f (seat_no, ordinal) where f.seat_no <> all (v_seat_nos);",
        "f (seat_no, ordinal);",
        tests("plans/test_plans.py::test_a_promotion_reads_the_end_of_the_feed_and_not_the_house"),
    ),
    defect(
        "a-promotion-reads-the-house",
        "Whoever is promoted costs a look at every seat of the house.",
        _FILE,
        "  if v_free <= 256 then",
        "  if v_free <= 0 then",
        tests("plans/test_plans.py::test_a_promotion_reads_the_end_of_the_feed_and_not_the_house"),
    ),
    defect(
        "everyone-ever-served-is-counted",
        "A look at a place in the queue reads everybody who was served since the sale began.",
        _FILE,
        "and requested_seats > 0 and ticket + 0 <= p_ticket",
        "and ticket <= p_ticket",
        tests("plans/test_plans.py::test_a_place_in_the_queue_is_counted_among_those_who_wait"),
    ),
    Mutant(
        "waiter-served-again-and-again",
        "Whoever is served goes on waiting and is served again, which is two bookings for one place.",
        (
            Edit(
                _FILE,
                "update waitlist_entries set status = 'promoted', updated_at = p_at",
                "update waitlist_entries set status = status, updated_at = p_at",
            ),
            Edit(_SCHEMA, "create unique index one_booking_per_waitlist_entry", "create index one_booking_per_entry"),
        ),
        (tests("writes/test_queue.py::test_a_cancelled_booking_serves_who_waits_in_the_same_transaction"),),
    ),
    defect(
        "served-waiter-still-counted",
        "The count of those who wait does not fall when one is served.",
        _FILE,
        "      update events set waiting_count = waiting_count - 1 where event_id = v_event.event_id;\n",
        "",
        tests("writes/test_queue.py::test_a_cancelled_booking_serves_who_waits_in_the_same_transaction"),
    ),
    defect(
        "promotion-not-owed",
        "Whoever is served is told that a hold was booked, not that the wait is over.",
        _FILE,
        "'waitlist_promoted', p_at, p_at);",
        "'booking_confirmed', p_at, p_at);",
        tests("writes/test_queue.py::test_a_cancelled_booking_serves_who_waits_in_the_same_transaction"),
    ),
    Mutant(
        "two-waiters-with-one-ticket",
        "All who join get the same number.",
        (
            Edit(
                _FILE,
                "set waitlist_tickets = e.waitlist_tickets + j.entries, waiting",
                "set waitlist_tickets = 0, waiting",
            ),
            Edit(_SCHEMA, "  constraint one_entry_per_ticket unique (event_id, ticket),\n", ""),
        ),
        (tests("api/test_waitlist.py::test_many_joining_at_once_have_places_of_their_own"),),
    ),
    defect(
        "position-one-too-small",
        "The place in the queue is told one too small.",
        _FILE,
        "ticket + 0 <= p_ticket",
        "ticket + 0 < p_ticket",
        tests("api/test_waitlist.py::test_positions_are_live"),
    ),
    defect(
        "one-waits-twice",
        "Joining again draws a second number, which the database refuses.",
        _FILE,
        "           when w.entry_id is not null then 'already_waiting'\n",
        "",
        tests("api/test_waitlist.py::test_one_waits_once"),
    ),
    defect(
        "waiting-while-seats-are-free",
        "One may wait for seats that are to be had.",
        _FILE,
        "           when c.seats <= free_seats(",
        "           when c.seats < 0 and c.seats <= free_seats(",
        tests("api/test_waitlist.py::test_nobody_waits_while_seats_are_free"),
    ),
    defect(
        "join-not-recognised-after-lost-connection",
        "A place in the queue whose answer was lost is said to have been taken before.",
        _FILE,
        "left join waitlist_entries m on p_again and",
        "left join waitlist_entries m on false and",
        tests(
            "writes/test_lost_answers.py::test_a_command_whose_answer_is_lost_is_done_once"
            "[postgresql-18-join-before the client hears]"
        ),
    ),
    defect(
        "leaving-serves-nobody",
        "When the head of a strict queue leaves, those behind are not served.",
        _FILE,
        "  perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);\n  return true;",
        "  return true;",
        tests("api/test_promotions.py::test_whatever_makes_room_serves_waiters[postgresql-18-leave]"),
    ),
    defect(
        "leaving-without-lock",
        "Who leaves does not wait for the lock, so that a place may be left and served at once.",
        _FILE,
        "  v_at timestamptz := lock_events(array[p_event_id]);",
        "  v_at timestamptz := clock_timestamp();",
        tests("writes/test_locks.py::test_nobody_leaves_the_queue_after_being_served"),
    ),
    defect(
        "strewn-seats",
        "Seats are given in order, whether or not they are side by side.",
        _FILE,
        "order by f.run is distinct from (select run from tightest), f.ordinal limit p_count",
        "order by f.ordinal limit p_count",
        tests("writes/test_queue.py::test_seats_are_chosen_side_by_side"),
    ),
    defect(
        "queue-served-beyond-capacity",
        "The queue is served seats beyond the capacity, until the database refuses.",
        _FILE,
        "select greatest(least(p_capacity, p_seats) - p_booked - p_held, 0)",
        "select greatest(p_seats - p_booked - p_held, 0)",
        tests("api/test_promotions.py::test_a_capped_event_serves_only_within_its_cap"),
    ),
    defect(
        "one-place-for-life",
        "Whoever was served or has left can never wait again.",
        _SCHEMA,
        "create unique index one_waiting_entry_per_user on waitlist_entries (user_id, event_id)\n"
        "  where status = 'waiting' and ticket > 0;",
        "create unique index one_waiting_entry_per_user on waitlist_entries (user_id, event_id)\n  where ticket > 0;",
        tests("api/test_waitlist.py::test_leaving_is_final_and_joining_again_is_fine"),
        tests("constraints/test_constraints.py::test_what_is_over_may_come_again"),
    ),
)
