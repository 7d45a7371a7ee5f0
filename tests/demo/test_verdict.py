"""Every line of the audit turns red by what it is there to find, and by nothing else."""

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from overbookr.audit.store import LAWS, QUIESCENT_LAWS
from overbookr.demo.ledger import Belief
from overbookr.demo.model import Operation
from overbookr.demo.verdict import Evidence, judge
from tests.demo.hall import EVENT, FIRST, IDA, JON, PROMOTED, SECOND, WALKED_AWAY, audit_report, sound_evidence

Change = Callable[[Evidence], Evidence | None]


def red_lines(evidence: Evidence) -> dict[str, str]:
    return {check.name: check.finding for check in judge(evidence) if not check.passed}


def test_a_sound_sale_is_green_in_every_line() -> None:
    checks = judge(sound_evidence())
    assert [check.name for check in checks if not check.passed] == []
    assert len({check.name for check in checks}) == len(checks) == 11


def _house(**changes: int) -> Change:
    return lambda sound: replace(sound, house=replace(sound.house, **changes))


def _booking(place: int, **changes: object) -> Change:
    def change(sound: Evidence) -> Evidence:
        bookings = list(sound.bookings)
        bookings[place] = replace(bookings[place], **changes)  # type: ignore[arg-type]
        return replace(sound, bookings=bookings)

    return change


def _without(place: int) -> Change:
    return lambda sound: replace(sound, bookings=[b for n, b in enumerate(sound.bookings) if n != place])


def _extra(**changes: object) -> Change:
    return lambda sound: replace(
        sound,
        bookings=[*sound.bookings, replace(sound.bookings[1], booking_id=uuid.UUID(int=99), **changes)],  # type: ignore[arg-type]
    )


def _promised_twice(sound: Evidence) -> None:
    sound.ledger.cancel(SECOND, Belief.BOOKED)


def _altered(sound: Evidence) -> None:
    sound.recorder.altered_replays.append("buyer-1: another answer")


def _server_error(sound: Evidence) -> None:
    sound.recorder.record(Operation.HOLD, 500, "internal_error", 0.1)


def _strange_answer(sound: Evidence) -> None:
    sound.recorder.note_unexpected("the list does not have every seat")


def _nobody_told(sound: Evidence) -> None:
    sound.ledger.bookings[PROMOTED].promoted = False


CORRUPTIONS: list[tuple[str, Change, set[str]]] = [
    ("a seat is left", _house(booked=2, booked_count=2), {"sold out"}),
    ("a seat is held at the end", _house(booked=2, booked_count=2, held=1, held_count=1), {"sold out"}),
    ("a seat is promised to two", _promised_twice, {"0 double sales", "0 lost bookings"}),
    ("a seat is in two live bookings", _booking(1, status="active"), {"0 double sales", "0 lost bookings"}),
    ("a booking is gone", _without(0), {"0 lost bookings"}),
    ("a booking is another user's", _booking(0, user_id=JON), {"0 lost bookings"}),
    ("a booking has other seats", _booking(0, seat_nos=("A1",)), {"0 lost bookings"}),
    ("a booking was cancelled unasked", _booking(0, status="cancelled"), {"0 lost bookings"}),
    ("a cancelled booking lives on", _booking(1, status="active", seat_nos=("A9",)), {"0 lost bookings"}),
    ("a promotion is said to come of a hold", _nobody_told, {"0 lost bookings", "waitlist in order"}),
    ("nobody knows of a booking", _extra(idempotency_key="three"), {"0 bookings unasked for"}),
    ("one key made two bookings", _extra(), {"0 bookings unasked for", "repeats change nothing"}),
    ("a repetition was answered differently", _altered, {"repeats change nothing"}),
    ("booked_count is off", _house(booked_count=4), {"counters are equal"}),
    ("held_count is off", _house(held_count=1), {"counters are equal"}),
    ("seats_count is off", _house(seats_count=4), {"counters are equal"}),
    ("waiting_count is off", _house(waiting_count=0), {"counters are equal"}),
    ("somebody was promoted and not told", _house(promoted=2), {"waitlist in order"}),
    (
        "an abandoned hold lives on",
        lambda s: replace(s, abandoned={WALKED_AWAY: "active"}),
        {"holds end as they should"},
    ),
    (
        "an abandoned hold was booked",
        lambda s: replace(s, abandoned={WALKED_AWAY: "converted"}),
        {"holds end as they should"},
    ),
    ("an abandoned hold is gone", lambda s: replace(s, abandoned={}), {"holds end as they should"}),
    ("a booking has no mail", _booking(2, mails=0), {"every booking has its mail"}),
    ("a server error", _server_error, {"answers keep the contract"}),
    ("an answer outside of the contract", _strange_answer, {"answers keep the contract"}),
]


@pytest.mark.parametrize(("change", "reds"), [case[1:] for case in CORRUPTIONS], ids=[case[0] for case in CORRUPTIONS])
def test_a_corruption_turns_its_lines_red_and_no_others(change: Change, reds: set[str]) -> None:
    sound = sound_evidence()
    assert red_lines(change(sound) or sound).keys() == reds


@pytest.mark.parametrize("law", LAWS + QUIESCENT_LAWS)
def test_every_broken_law_turns_exactly_one_line_red(law: str) -> None:
    sound = sound_evidence(audit=audit_report(**{law: [{"event_id": EVENT}]}))
    evidence = replace(sound, house=replace(sound.house, unsent=1))
    (finding,) = red_lines(evidence).values()
    assert law in finding


@pytest.mark.parametrize("law", LAWS)
def test_a_law_broken_at_another_event_is_no_clean_audit(law: str) -> None:
    evidence = sound_evidence(audit=audit_report(**{law: [{"event_id": uuid.UUID(int=77)}]}))
    (finding,) = red_lines(evidence).values()
    assert "other events" in finding


@pytest.mark.parametrize("law", QUIESCENT_LAWS)
def test_only_its_own_event_must_be_still(law: str) -> None:
    others = audit_report(**{law: [{"event_id": uuid.UUID(int=77)}]})
    sound = sound_evidence(audit=others)
    sound = replace(sound, house=replace(sound.house, unsent=1))
    assert red_lines(sound) == {}
    others.counts[law] = 500  # More rows than are named: its own could be among them.
    assert len(red_lines(sound)) == 1


def test_mails_that_wait_at_other_events_by_the_hundred_are_not_its_own() -> None:
    others = audit_report(quiescent_unsent_mail=[{"event_id": uuid.UUID(int=77)}])
    others.counts["quiescent_unsent_mail"] = 500
    assert red_lines(sound_evidence(audit=others)) == {}


def test_a_law_that_was_not_asked_proves_nothing() -> None:
    report = audit_report()
    del report.counts["no_double_sale"]
    assert red_lines(sound_evidence(audit=report)).keys() == {"0 double sales"}


def test_whoever_had_no_answer_may_have_more_than_they_know() -> None:
    sound = sound_evidence()
    sound.ledger.unsure.add(JON)
    evidence = _extra(idempotency_key="three")(sound)
    assert evidence is not None
    assert red_lines(evidence) == {}


def test_a_cancellation_without_an_answer_may_have_happened_or_not() -> None:
    for status in ("active", "cancelled"):
        sound = sound_evidence()
        sound.ledger.cancel(FIRST, Belief.UNSURE)
        evidence = _booking(0, status=status)(sound)
        assert evidence is not None
        assert red_lines(evidence) == {}


def test_a_red_line_names_a_few_and_counts_all() -> None:
    sound = sound_evidence()
    for number in range(100, 110):
        sound.ledger.acknowledge(uuid.UUID(int=number), IDA, (f"Z{number}",), promoted=False)
    finding = red_lines(sound)["0 lost bookings"]
    assert finding.startswith("10 wrong: ")
    assert finding.endswith("and 7 more")
