"""Defects of what organisers do: adding and blocking seats, plans, changing and deleting events."""

from proof.mutants.mutant import defect, tests

_SEATS = "seats/functions.sql"
_EVENTS = "events/functions.sql"
_LOCK = "  v_at timestamptz := lock_events(array[p_event_id]);\n"
_NO_LOCK = "  v_at timestamptz := clock_timestamp();\n"

ORGANISERS = (
    defect(
        "added-without-lock",
        "Seats are added to an event that is being deleted.",
        _SEATS,
        _LOCK + "  v_added text[];\nbegin\n  if not exists",
        _NO_LOCK + "  v_added text[];\nbegin\n  if not exists",
        tests("writes/test_locks.py::test_no_seats_are_added_to_an_event_that_was_deleted_meanwhile"),
    ),
    defect(
        "house-numbered-in-a-loop",
        "To number the seats of a large house, all of them are read for each of them.",
        _SEATS,
        "  set enable_hashjoin = on set enable_nestloop = off\nas $$",
        "as $$",
        tests("plans/test_numbering.py::test_seats_are_numbered_by_reading_each_a_few_times"),
    ),
    defect(
        "blocked-without-lock",
        "Seats are blocked by what was so before the lock.",
        _SEATS,
        _LOCK + "  v_missing text[];",
        _NO_LOCK + "  v_missing text[];",
        tests("writes/test_locks.py::test_an_organiser_sees_the_hold_that_was_quicker[postgresql-18-block]"),
    ),
    defect(
        "plan-replaced-without-lock",
        "A plan is replaced by what was so before the lock.",
        _SEATS,
        _LOCK + "  v_chart_version integer;",
        _NO_LOCK + "  v_chart_version integer;",
        tests("writes/test_locks.py::test_an_organiser_sees_the_hold_that_was_quicker[postgresql-18-plan]"),
    ),
    defect(
        "event-changed-without-lock",
        "A capacity is compared with what was taken before the lock.",
        _EVENTS,
        _LOCK + "  v_event events;\nbegin\n  perform settle_events(array[p_event_id], v_at, p_user_seats_max);\n"
        "  select * into v_event from events where event_id = p_event_id and deleted_at is null;\n"
        "  if v_event.event_id is null then\n    return 'event_not_found';\n  end if;",
        _NO_LOCK + "  v_event events;\nbegin\n  perform settle_events(array[p_event_id], v_at, p_user_seats_max);\n"
        "  select * into v_event from events where event_id = p_event_id and deleted_at is null;\n"
        "  if v_event.event_id is null then\n    return 'event_not_found';\n  end if;",
        tests("writes/test_locks.py::test_an_organiser_sees_the_hold_that_was_quicker[postgresql-18-event]"),
    ),
    defect(
        "event-deleted-without-lock",
        "An event is deleted although somebody was quicker to hold a seat.",
        _EVENTS,
        "returns text language plpgsql as $$\ndeclare\n" + _LOCK + "  v_event events;\nbegin\n"
        "  perform settle_events(array[p_event_id], v_at, p_user_seats_max);\n"
        "  select * into v_event from events where event_id = p_event_id and deleted_at is null;\n"
        "  if v_event.event_id is null then\n    return 'event_not_found';\n  elsif",
        "returns text language plpgsql as $$\ndeclare\n" + _NO_LOCK + "  v_event events;\nbegin\n"
        "  perform settle_events(array[p_event_id], v_at, p_user_seats_max);\n"
        "  select * into v_event from events where event_id = p_event_id and deleted_at is null;\n"
        "  if v_event.event_id is null then\n    return 'event_not_found';\n  elsif",
        tests("writes/test_locks.py::test_an_organiser_sees_the_hold_that_was_quicker[postgresql-18-deletion]"),
    ),
    defect(
        "new-seats-serve-nobody",
        "New seats are free for anybody before those who wait.",
        _SEATS,
        "                                null, null, v_at);\n"
        "    perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);\n",
        "                                null, null, v_at);\n",
        tests("api/test_promotions.py::test_whatever_makes_room_serves_waiters[postgresql-18-seats]"),
    ),
    defect(
        "unblocked-seats-serve-nobody",
        "Unblocked seats are free for anybody before those who wait.",
        _SEATS,
        "  perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);\n"
        "  return query select 'seats_changed'::text",
        "  return query select 'seats_changed'::text",
        tests("api/test_promotions.py::test_whatever_makes_room_serves_waiters[postgresql-18-unblock]"),
    ),
    defect(
        "raised-capacity-serves-nobody",
        "Seats that a raised capacity frees are for anybody before those who wait.",
        _EVENTS,
        "  perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);\n  return 'event_updated';",
        "  return 'event_updated';",
        tests("api/test_promotions.py::test_whatever_makes_room_serves_waiters[postgresql-18-capacity]"),
    ),
    defect(
        "sold-seats-blocked",
        "Blocking seats that are held or sold is said to have been done.",
        _SEATS,
        "  elsif v_taken is not null then",
        "  elsif false then",
        tests("api/test_seats.py::test_sold_and_held_seats_cannot_be_blocked_or_unblocked"),
    ),
    defect(
        "sold-seats-lost-with-the-plan",
        "A plan without a sold seat is put in place of one with it.",
        _SEATS,
        "  if v_in_use is not null then",
        "  if false then",
        tests("api/test_seating_plan.py::test_a_plan_that_would_lose_taken_seats_is_refused"),
    ),
    defect(
        "new-seats-not-recorded",
        "Seats that come into being leave no change record.",
        _SEATS,
        "    perform record_seat_changes(null, 'available',"
        " array_fill(p_event_id, array[cardinality(v_added)]), v_added,\n"
        "                                null, null, v_at);\n",
        "    update events set seats_count = seats_count + cardinality(v_added) where event_id = p_event_id;\n",
        tests("writes/test_batches.py::test_the_versions_of_an_event_run_without_gap"),
    ),
    defect(
        "capacity-lowered-below-what-is-taken",
        "A capacity below what is taken is tried, until the database refuses.",
        _EVENTS,
        "if (p_patch ->> 'capacity')::integer < v_event.booked_count + v_event.held_count then",
        "if (p_patch ->> 'capacity')::integer < 0 then",
        tests("api/test_events.py::test_capacity_cannot_go_below_what_is_taken"),
    ),
    defect(
        "event-deleted-with-waiters",
        "An event is deleted although somebody waits.",
        _EVENTS,
        "elsif v_event.held_count + v_event.booked_count + v_event.waiting_count > 0 then",
        "elsif v_event.held_count + v_event.booked_count > 0 then",
        tests("api/test_events.py::test_an_event_in_use_is_not_deleted"),
    ),
    defect(
        "deleted-event-sells",
        "A deleted event is still sold.",
        "holds/functions.sql",
        "left join events e on e.event_id = c.event_id and e.deleted_at is null;",
        "left join events e on e.event_id = c.event_id;",
        tests("api/test_events.py::test_a_deleted_event_is_gone_and_its_history_is_not"),
    ),
)
