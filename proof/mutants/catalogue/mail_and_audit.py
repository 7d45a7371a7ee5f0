"""Defects of what runs in the background: the outbox, the laws, the reconciler, repairs."""

from proof.mutants.mutant import Mutant, Part, defect, tests

_MAIL = "mail/queries.sql"
_LAWS = "audit/invariants.sql"
_CORRUPTED = "audit/test_invariants.py::test_a_corruption_is_noticed_left_alone_and_then_repaired"


def _law(name: str, breaks: str, old: str, new: str, corruption: str) -> Mutant:
    test = f"{_CORRUPTED}[postgresql-18-{corruption}]"
    return defect(name, breaks, _LAWS, old, new, tests(test), Part("laws"))


MAIL_AND_AUDIT = (
    defect(
        "claim-without-lease",
        "A mail that a worker has in its hands is given to the next one too.",
        _MAIL,
        "next_attempt_at = clock_timestamp() + make_interval(secs => $1)",
        "next_attempt_at = clock_timestamp() + make_interval(secs => $1 * 0)",
        tests("mail/test_mail_duty.py::test_a_worker_that_dies_before_sending"),
    ),
    defect(
        "claims-wait-for-each-other",
        "One worker that is slow to claim holds up all others.",
        _MAIL,
        "       for update skip locked\n",
        "       for update\n",
        tests("mail/test_mail_store.py::test_a_claim_waits_for_nobody"),
        raises=("TimeoutError",),
    ),
    defect(
        "sent-mail-sent-again",
        "A mail that was sent stays due.",
        _MAIL,
        "set sent_at = clock_timestamp(), failed_at = null, last_error = null",
        "set failed_at = null, last_error = null, next_attempt_at = clock_timestamp()",
        tests("mail/test_mail_duty.py::test_a_confirmed_booking_gets_its_ticket"),
    ),
    defect(
        "duplicates-cannot-be-told",
        "A mail that is sent again looks like another one.",
        "mail/render.py",
        'message["Message-ID"] = f"<{mail.booking_id}.{mail.kind}@{self._from.domain}>"',
        'message["Message-ID"] = f"<{mail.booking_id}.{mail.attempts}@{self._from.domain}>"',
        tests("mail/test_mail_duty.py::test_a_worker_that_dies_after_sending_leaves_a_duplicate_that_can_be_told"),
    ),
    defect(
        "mails-before-buyers",
        "Mails are sent as fast as can be, whatever the processors are needed for.",
        "mail/duties.py",
        "now = _Round(is_short=self._is_busy())",
        "now = _Round(is_short=False and self._is_busy())",
        tests("mail/test_mail_under_load.py::test_a_busy_machine_sends_a_few_at_a_time"),
    ),
    defect(
        "mails-put-off-for-ever",
        "While a crowd buys, however long it does, mails hardly go out.",
        "mail/duties.py",
        "if mail.overdue_seconds >= PUT_OFF_SECONDS_MAX:",
        "if mail.overdue_seconds >= 1000 * PUT_OFF_SECONDS_MAX:",
        tests("mail/test_mail_under_load.py::test_what_was_put_off_for_long_is_sent_whatever_else_is_going_on"),
    ),
    defect(
        "failure-recorded-for-another",
        "A worker that lost its claim records its failure on the claim of the next one.",
        _MAIL,
        "set next_attempt_at = clock_timestamp() + make_interval(secs => $5), last_error = $6\n"
        " where booking_id = $1 and event_id = $2 and kind = $3 and attempts = $4 and",
        "set next_attempt_at = clock_timestamp() + make_interval(secs => $5), last_error = $6\n"
        " where booking_id = $1 and event_id = $2 and kind = $3 and $4::integer is not null and",
        tests("mail/test_mail_store.py::test_what_another_worker_has_claimed_since_is_not_touched"),
    ),
    defect(
        "reconciler-repairs-silently",
        "The reconciler puts right what it finds, so that a defect is never understood.",
        "audit/duties.py",
        "        for law in LAWS:\n",
        "        await self._store.apply_repairs(report.event_ids, self._user_seats_max)\n        for law in LAWS:\n",
        tests(f"{_CORRUPTED}[postgresql-18-a held seat is held for longer than its hold]"),
    ),
    defect(
        "reconciler-says-nothing",
        "The reconciler finds and does not tell.",
        "audit/duties.py",
        "self._set_invariant_violations(law, report.counts[law])",
        "self._set_invariant_violations(law, 0)",
        tests(f"{_CORRUPTED}[postgresql-18-a held seat is held for longer than its hold]"),
    ),
    defect(
        "repair-planned-before-lock",
        "A repair is made by what was so before the lock.",
        "audit/functions.sql",
        "  v_at timestamptz := lock_events(array[p_event_id]);",
        "  v_at timestamptz := clock_timestamp();",
        tests("audit/test_repair.py::test_repairs_wait_for_the_event_and_plan_on_what_was_committed_meanwhile"),
    ),
    _law(
        "law-blind-to-double-sale",
        "A seat in two live bookings breaks no law.",
        " where released_at is null\n group by event_id, seat_no\nhaving count(*) > 1;",
        " where released_at is null\n group by event_id, seat_no\nhaving count(*) > 2;",
        "a seat is sold twice",
    ),
    defect(
        "law-cries-wolf",
        "A law is broken in a sound house.",
        _LAWS,
        "where b.created_at >= h.expires_at;",
        "where b.created_at >= h.created_at;",
        tests("audit/test_invariants.py::test_a_sound_house_breaks_no_law"),
    ),
)
