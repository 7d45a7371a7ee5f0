"""Defects of what reports are made of: counts that are not recorded, not folded or not read."""

from proof.mutants.mutant import defect, tests

_RECORDED = "database/migrations/0002_sales_in_spans.sql"
_FOLDED = "analytics/functions.sql"
_READ = "analytics/queries.sql"
_CUT = "analytics/spans.py"

_ANY_HISTORY = tests("analytics/test_sales.py::test_reports_of_any_history_are_those_of_a_recount[postgresql-18]")
_PIECES = tests("analytics/test_spans.py::test_pieces_have_what_the_range_has")

SALES = (
    defect(
        "cancelled-seats-stay-counted",
        "Seats of a booking that was cancelled go on being counted as sold.",
        _RECORDED,
        "select -1, g.event_id, g.created_at, g.status, g.seats_count from gone g",
        "select -1, g.event_id, g.created_at, g.status, 0 from gone g",
        _ANY_HISTORY,
        tests(
            "analytics/test_sales.py::test_a_cancellation_is_of_the_day_on_which_the_booking_was_made[postgresql-18]"
        ),
    ),
    defect(
        "past-sales-not-counted",
        "What was sold before sales were recorded is in no report.",
        "database/migrations/0003_sales_before.sql",
        "having (sum(b.bookings), sum(b.cancelled), sum(b.seats)) <> (0, 0, 0);",
        "having false;",
        tests("analytics/test_sales.py::test_what_was_sold_before_the_migration_is_counted[postgresql-18]"),
    ),
    defect(
        "span-forgets-earlier-sales",
        "A span counts only what was folded into it last.",
        _FOLDED,
        "on conflict (span_days, first_day, event_id) do update\n      set bookings = s.bookings + excluded.bookings,",
        "on conflict (span_days, first_day, event_id) do update\n      set bookings = excluded.bookings,",
        _ANY_HISTORY,
    ),
    defect(
        "recount-forgets-what-is-pending",
        "A recount counts what is pending, which is then folded and counted once more.",
        _FOLDED,
        "select p.event_id, p.day, -p.bookings, -p.cancelled, -p.seats from sales_pending p)",
        "select p.event_id, p.day, 0, 0, 0 from sales_pending p)",
        tests(
            "analytics/test_sales.py::test_a_recount_puts_right_what_is_wrong_and_leaves_what_is_pending[postgresql-18]"
        ),
    ),
    defect(
        "pending-sales-not-reported",
        "A report knows nothing of what was sold in the last seconds.",
        _READ,
        "          select event_id, bookings, seats from sales_pending where day between $1 and $2\n",
        "          select event_id, bookings, seats from sales_pending where day between $1 and $2 and false\n",
        _ANY_HISTORY,
    ),
    defect(
        "report-of-many-moments",
        "The parts of a report are of different moments, and a sale between them is in one part only.",
        "analytics/store.py",
        '(isolation="repeatable_read", readonly=True),\n        ):\n            now: datetime',
        '(isolation="read_committed", readonly=True),\n        ):\n            now: datetime',
        tests("analytics/test_total_bookings.py::test_all_numbers_are_of_one_instant[postgresql-18]"),
    ),
    defect(
        "last-instant-left-out",
        "A range ends one step before its end.",
        _CUT,
        "if is_open else span.to + _STEP",
        "if is_open else span.to",
        _PIECES,
        tests("analytics/test_total_bookings.py::test_the_ends_are_exact_to_the_microsecond[postgresql-18]"),
    ),
    defect(
        "half-a-day-added-twice",
        "What is before the start of a range is added to its first day instead of taken away.",
        _CUT,
        "edges.append(Edge(_midnight(first), span.from_, -1))",
        "edges.append(Edge(_midnight(first), span.from_, 1))",
        _PIECES,
    ),
    defect(
        "year-of-bookings-read",
        "A report reads every booking of its range instead of the smaller part of the days at its ends.",
        _CUT,
        "    first, last = span.from_.date(), (before - _STEP).date()\n",
        "    first, last = before.date(), span.from_.date()\n    if first > last:\n"
        "        return Pieces(first, last, [Edge(span.from_, before, 1)])\n",
        tests("plans/test_reports.py::test_a_report_reads_no_booking_beyond_the_days_at_its_ends"),
    ),
    defect(
        "law-blind-to-days",
        "A day that has forgotten its sales breaks no law.",
        "audit/invariants.sql",
        "        select null, 1, day, -bookings, -cancelled, -seats from truth) s",
        "        select null, 1, day, -bookings, -cancelled, -seats from sales_days) s",
        tests(
            "audit/test_invariants.py::test_a_corruption_is_noticed_left_alone_and_then_repaired"
            "[postgresql-18-a day has forgotten its sales]"
        ),
    ),
)
