"""Defects of bookings: idempotency, conversion, cancelling, the mails that are owed."""

from proof.mutants.mutant import Edit, Mutant, Part, defect, tests

_FILE = "bookings/functions.sql"
_SCHEMA = "database/migrations/0001_initial.sql"
_BY_KEY = "left join bookings k on k.event_id = c.event_id and k.user_id = c.user_id and k.idempotency_key = c.key"

BOOKINGS = (
    Mutant(
        "booking-key-not-by-user",
        "A user who takes another user's key is shown that user's booking.",
        (
            Edit(_FILE, _BY_KEY, "left join bookings k on k.event_id = c.event_id and k.idempotency_key = c.key"),
            Edit(_FILE, "when k.booking_id is not null and k.hold_id = c.hold_id", "when k.booking_id is not null"),
            Edit(
                _SCHEMA,
                "constraint one_booking_per_idempotency_key unique (user_id, event_id, idempotency_key)",
                "constraint one_booking_per_idempotency_key unique (event_id, idempotency_key)",
            ),
        ),
        (
            tests("writes/test_batches.py::test_keys_of_bookings"),
            tests("api/test_booking_keys.py::test_two_users_may_have_the_same_key"),
        ),
    ),
    defect(
        "booking-key-not-by-event",
        "A key counts for all events together.",
        _FILE,
        _BY_KEY,
        "left join bookings k on k.user_id = c.user_id and k.idempotency_key = c.key",
        tests("api/test_booking_keys.py::test_a_key_counts_for_each_event_by_itself"),
    ),
    defect(
        "booking-fingerprint-not-compared",
        "A key that was used for another hold is answered with that hold's booking.",
        _FILE,
        "when k.booking_id is not null and k.hold_id = c.hold_id then 'booking_replayed'",
        "when k.booking_id is not null then 'booking_replayed'",
        tests("writes/test_batches.py::test_keys_of_bookings"),
    ),
    Mutant(
        "booking-key-forgotten",
        "A repeated request is not recognised by its key.",
        (Edit(_FILE, _BY_KEY, _BY_KEY + " and false"),),
        (tests("writes/test_batches.py::test_keys_of_bookings"), Part("model")),
    ),
    defect(
        "replay-tells-another-time",
        "A repeated request is answered with a body that changes when the booking does.",
        _FILE,
        "select o.n::integer, o.outcome, b.booking_id, b.created_at,",
        "select o.n::integer, o.outcome, b.booking_id, b.updated_at,",
        tests("api/test_booking_keys.py::test_a_key_of_a_cancelled_booking_replays_the_first_answer"),
    ),
    defect(
        "replay-tells-the-present",
        "A repeated request is answered with what became of the booking.",
        "bookings/routes.py",
        'booking_id, data.event_id, len(seat_nos), list(seat_nos), "active", created_at, created_at',
        'booking_id, data.event_id, len(seat_nos), list(seat_nos), "replayed" if replayed else "active",'
        " created_at, created_at",
        tests("api/test_booking_keys.py::test_the_same_key_and_body_have_the_same_answer"),
    ),
    defect(
        "anybody-books-a-hold",
        "Whoever knows a hold's id may book it.",
        _FILE,
        "when h.hold_id is null or h.user_id <> c.user_id then 'hold_not_found'",
        "when h.hold_id is null then 'hold_not_found'",
        tests("writes/test_batches.py::test_keys_of_bookings"),
    ),
    defect(
        "booked-at-the-very-end",
        "A hold can be booked at the instant at which its seats are free for others.",
        _FILE,
        "h.expires_at <= p_at then 'hold_expired'",
        "h.expires_at < p_at then 'hold_expired'",
        tests("writes/test_instants.py::test_a_hold_can_be_booked_until_its_instant_and_not_at_it"),
    ),
    Mutant(
        "lapsed-hold-booked",
        "A hold whose time has passed can be booked as long as nobody has ended it, and nobody does.",
        (
            Edit(_FILE, "h.status <> 'active' or h.expires_at <= p_at then", "h.status <> 'active' then"),
            Edit(
                "writes/functions.sql",
                "if expire_due_holds(p_event_ids, p_at, v_holds_max) = v_holds_max then",
                "if 0 = v_holds_max then",
            ),
        ),
        (tests("api/test_bookings.py::test_a_hold_that_is_over_is_not_booked"),),
    ),
    defect(
        "booked-after-the-show-began",
        "Holds are booked when the show has begun or is cancelled.",
        _FILE,
        "                   when e.status in ('draft', 'cancelled') or e.start_time <= p_at then 'not_on_sale'\n",
        "",
        tests("api/test_bookings.py::test_nothing_is_booked_once_the_event_has_begun_or_is_cancelled"),
    ),
    Mutant(
        "hold-booked-twice-and-nothing-says-no",
        "Each new key books the same hold again: neither the decision nor the conversion nor a constraint looks.",
        (
            Edit(_FILE, "when h.status = 'converted' then 'hold_already_booked'", "when false then ''"),
            Edit(_FILE, "when h.status <> 'active' or h.expires_at <= p_at then", "when h.expires_at <= p_at then"),
            Edit(
                _FILE,
                "       and h.event_id is not distinct from w.event_id and h.status || '' = 'active'\n"
                "    returning h.hold_id,",
                "       and h.event_id is not distinct from w.event_id\n    returning h.hold_id,",
            ),
            Edit(_SCHEMA, "  constraint one_booking_per_hold unique (hold_id, event_id),\n", ""),
        ),
        (tests("races/test_seats.py::test_twenty_keys_for_one_hold_make_one_booking"),),
    ),
    defect(
        "booking-takes-part-of-the-hold",
        "A booking takes the first seat of its hold; the others stay held with nobody to free them.",
        _FILE,
        "from booked b cross join lateral unnest(b.seat_nos) s (seat_no);",
        "from booked b cross join lateral unnest(b.seat_nos[1:1]) s (seat_no);",
        tests(
            "writes/test_lost_answers.py::test_a_command_whose_answer_is_lost_is_done_once"
            "[postgresql-18-book-before the client hears]"
        ),
        Part("model"),
    ),
    defect(
        "confirmation-not-owed",
        "A booking owes no mail.",
        _FILE,
        "     where c.outcome = 'hold_booked';",
        "     where false;",
        tests(
            "writes/test_lost_answers.py::test_a_command_whose_answer_is_lost_is_done_once"
            "[postgresql-18-book-before the client hears]"
        ),
        tests("api/test_bookings.py::test_each_booking_and_cancel_owes_one_mail"),
    ),
    defect(
        "cancellation-not-owed",
        "A cancelled booking owes no mail.",
        _FILE,
        "'booking_cancelled', p_at, p_at from cancelled c)",
        "'booking_cancelled', p_at, p_at from cancelled c where false)",
        tests("api/test_past_defects_later.py::test_cancelling_twice_is_cancelling_once_and_owes_a_mail"),
    ),
    Mutant(
        "cancelled-twice",
        "Cancelling again does again what was done, and owes the mail twice.",
        (
            Edit(
                _FILE,
                "b.event_id = c.event_id\n       and b.status = 'active'\n    returning",
                "b.event_id = c.event_id\n    returning",
            ),
            Edit(
                _SCHEMA,
                "  constraint mails_pkey primary key (booking_id, kind, event_id),\n",
                "",
            ),
        ),
        (tests("api/test_bookings.py::test_each_booking_and_cancel_owes_one_mail"),),
    ),
    defect(
        "cancelled-seats-stay-sold",
        "Cancelling marks the booking and frees nothing.",
        _FILE,
        "and coalesce(s.released_at, 'infinity') = 'infinity'",
        "and coalesce(s.released_at, 'infinity') <> 'infinity'",
        tests("api/test_bookings.py::test_cancelling_frees_the_seats_at_once"),
    ),
    defect(
        "cancel-serves-nobody",
        "Seats of a cancelled booking are free for anybody before those who wait.",
        _FILE,
        "    perform promote_waiters(p_event_ids, p_at, p_user_seats_max);\n",
        "",
        tests("writes/test_queue.py::test_a_cancelled_booking_serves_who_waits_in_the_same_transaction"),
    ),
    defect(
        "cancelled-after-the-show-began",
        "A user gets out of a booking when the show has begun.",
        _FILE,
        "           when b.status = 'active' and e.start_time <= p_at and not c.exempt then 'event_started'\n",
        "",
        tests("api/test_bookings.py::test_after_the_start_only_an_organiser_cancels"),
    ),
    defect(
        "bookings-shown-to-others",
        "Whoever knows a booking's id may look at it and cancel it.",
        "bookings/queries.sql",
        "from bookings where booking_id = $1 and (user_id = $2 or $3);",
        "from bookings where booking_id = $1 and ($2::uuid is not null or $3);",
        tests("api/test_bookings.py::test_a_booking_is_seen_by_its_owner_and_organisers_only"),
    ),
    defect(
        "list-of-everybodys-bookings",
        "The list of one's bookings has everybody's.",
        "bookings/queries.sql",
        "from bookings where user_id = $1 order by created_at desc, booking_id desc",
        "from bookings where $1::uuid is not null order by created_at desc, booking_id desc",
        tests("api/test_bookings.py::test_ones_bookings_are_listed_newest_first_and_paged"),
    ),
)
