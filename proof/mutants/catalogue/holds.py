"""Defects of holds: shares, capacity, expiry, keys."""

from proof.mutants.mutant import Edit, Mutant, defect, tests

_FILE = "holds/functions.sql"

HOLDS = (
    defect(
        "hold-takes-what-is-left",
        "A hold is granted although some of its seats are taken.",
        _FILE,
        "when d.taken > 0 then 'seats_unavailable'",
        "when d.taken = d.wanted then 'seats_unavailable'",
        tests("api/test_holds.py::test_all_seats_or_none_and_every_conflict_is_named"),
    ),
    defect(
        "ended-hold-rewritten",
        "A hold that was booked is overwritten as released.",
        _FILE,
        "and h.event_id is not distinct from w.event_id and h.status || '' = 'active'\n    returning h.event_id,",
        "and h.event_id is not distinct from w.event_id\n    returning h.event_id,",
        tests("api/test_holds.py::test_a_booked_hold_is_over"),
    ),
    defect(
        "hold-ends-a-moment-late",
        "At the very instant of its end a hold is still there.",
        _FILE,
        "d.status = 'active' and d.expires_at <= p_at limit",
        "d.status = 'active' and d.expires_at < p_at limit",
        tests("writes/test_instants.py::test_a_hold_ends_at_its_instant_and_not_before"),
    ),
    defect(
        "share-unbounded",
        "One user may hold any number of seats.",
        _FILE,
        "           when v_shares[d.command] + d.wanted > p_user_seats_max then 'hold_limit'\n",
        "",
        tests("api/test_holds.py::test_one_user_has_a_share_of_held_and_booked_seats"),
    ),
    defect(
        "share-forgets-bookings",
        "What a user has booked does not count against the share.",
        _FILE,
        "b.user_id = p_user_id and b.status = 'active'), 0);",
        "b.user_id = p_user_id and b.status = 'cancelled'), 0);",
        tests("api/test_holds.py::test_one_user_has_a_share_of_held_and_booked_seats"),
    ),
    defect(
        "share-one-too-small",
        "Nobody gets the last seat of a share.",
        _FILE,
        "when v_shares[d.command] + d.wanted > p_user_seats_max then",
        "when v_shares[d.command] + d.wanted >= p_user_seats_max then",
        tests("api/test_holds.py::test_one_user_has_a_share_of_held_and_booked_seats"),
    ),
    defect(
        "capacity-not-asked",
        "Holds beyond the capacity are granted until the database refuses them.",
        _FILE,
        "  v_outcomes := refuse_beyond_capacity(p_event_ids, v_counts, v_outcomes);\n",
        "",
        tests("writes/test_batches.py::test_a_cap_is_shared_out_in_the_order_of_arrival"),
    ),
    defect(
        "capacity-goes-to-the-last",
        "What room a capacity leaves goes to whoever came last.",
        _FILE,
        "where c.event_id = v_event.event_id order by c.n\n",
        "where c.event_id = v_event.event_id order by c.n desc\n",
        tests("writes/test_batches.py::test_a_cap_is_shared_out_in_the_order_of_arrival"),
    ),
    defect(
        "kept-seats-given-away",
        "Seats that gather for the head of a strict queue can be had by anybody.",
        _FILE,
        "count(*) filter (where s.status <> 'available' or v_reserved[w.command]) as taken",
        "count(*) filter (where s.status <> 'available') as taken",
        tests("writes/test_queue.py::test_a_strict_queue_gathers_seats_for_its_head"),
    ),
    defect(
        "release-serves-nobody",
        "Seats of a released hold are free for anybody before those who wait.",
        _FILE,
        "  perform promote_waiters(p_event_ids, p_at, p_user_seats_max);\n",
        "",
        tests("writes/test_queue.py::test_first_fit_serves_the_first_who_fits"),
    ),
    Mutant(
        "hold-key-not-by-user",
        "A user's key of a hold finds another user's hold.",
        (
            Edit(_FILE, "k.event_id = c.event_id and k.user_id = c.user_id and", "k.event_id = c.event_id and"),
            Edit(
                "database/migrations/0001_initial.sql",
                "one_hold_per_idempotency_key on holds (user_id, event_id, idempotency_key)",
                "one_hold_per_idempotency_key on holds (event_id, idempotency_key)",
            ),
        ),
        (tests("api/test_holds.py::test_a_key_belongs_to_one_user_and_one_event"),),
    ),
    defect(
        "hold-key-not-by-event",
        "A key of a hold finds the hold of another event.",
        _FILE,
        "k.event_id = c.event_id and k.user_id = c.user_id and",
        "k.user_id = c.user_id and",
        tests("api/test_holds.py::test_a_key_belongs_to_one_user_and_one_event"),
    ),
    defect(
        "hold-fingerprint-not-compared",
        "A key that was used for other seats is answered with those.",
        _FILE,
        "           when h.seat_nos <> w.seat_nos then 'idempotency_key_reused'\n",
        "",
        tests("writes/test_batches.py::test_keys_of_holds_in_one_batch"),
    ),
    defect(
        "hold-not-recognised-after-lost-connection",
        "A hold whose answer was lost with the connection is placed again, against itself.",
        _FILE,
        "from holds k where p_again and c.key is null and",
        "from holds k where false and c.key is null and",
        tests(
            "writes/test_lost_answers.py::test_a_command_whose_answer_is_lost_is_done_once"
            "[postgresql-18-hold-before the client hears]"
        ),
    ),
    defect(
        "release-not-recognised-after-lost-connection",
        "A release whose answer was lost is said to have come too late.",
        _FILE,
        "when h.status = 'active' or (p_again and h.status = 'released') then",
        "when h.status = 'active' then",
        tests("writes/test_lost_answers.py::test_asking_again_is_not_doing_again_when_the_world_has_moved_on"),
    ),
    defect(
        "holds-shown-to-others",
        "Whoever knows a hold's id may look at it and release it.",
        "holds/queries.sql",
        "from holds where hold_id = $1 and user_id = $2;",
        "from holds where hold_id = $1 and $2::uuid is not null;",
        tests("api/test_holds.py::test_another_users_hold_is_not_found"),
    ),
)
