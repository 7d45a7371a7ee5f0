"""The judgement of a sale: what buyers were told, what the database kept, and what the laws of the house say of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from overbookr.audit.model import AuditReport
from overbookr.demo.ledger import Belief, KnownBooking, Ledger
from overbookr.demo.recorder import Recorder
from overbookr.demo.store import StoredBooking, StoredHouse

_NAMED_MAX: Final = 3

# Which line of the report a law of the audit belongs to; a law that is not here is judged by the last line.
_DOUBLE_SALES = ("no_double_sale", "booked_seats_match_live_bookings", "seat_state_has_its_shape", "booking_is_whole")
_COUNTERS = (
    "seats_count_is_true",
    "held_count_is_true",
    "booked_count_is_true",
    "waiting_count_is_true",
    "never_taken_beyond_room",
)
_QUEUE = (
    "promotions_in_order",
    "promotion_makes_one_booking",
    "one_place_in_the_queue",
    "tickets_are_drawn_once",
    "quiescent_waiter_left_unserved",
)
_MAILS = ("booking_has_its_mail", "mail_has_its_booking")
_UNSENT = "quiescent_unsent_mail"
_KEYS = ("idempotency_key_has_one_effect", "hold_becomes_one_booking")
_HOLDS = ("held_seats_match_active_holds", "hold_ends_as_it_says", "booking_made_in_time", "quiescent_overdue_hold")
_SPOKEN_FOR: Final = frozenset((*_DOUBLE_SALES, *_COUNTERS, *_QUEUE, *_MAILS, _UNSENT, *_KEYS, *_HOLDS))
_QUIESCENT = "quiescent_"


class Check(msgspec.Struct, frozen=True):
    """One line of the audit: `finding` says what was looked at, or what is wrong."""

    name: str
    passed: bool
    finding: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """`seats` is how many the plan has; `abandoned` what became of the holds that were walked away from, by id."""

    seats: int
    event_id: UUID
    ledger: Ledger
    recorder: Recorder
    house: StoredHouse
    bookings: list[StoredBooking]
    abandoned: Mapping[UUID, str]
    audit: AuditReport


def judge(evidence: Evidence) -> list[Check]:
    """Every line, in the order of the promises. All must have passed."""
    return [line(evidence) for line in _LINES]


def _check(name: str, faults: list[str], finding: str) -> Check:
    if not faults:
        return Check(name, True, finding)
    more = f" and {len(faults) - _NAMED_MAX} more" if len(faults) > _NAMED_MAX else ""
    return Check(name, False, f"{len(faults)} wrong: " + "; ".join(faults[:_NAMED_MAX]) + more)


def _broken(evidence: Evidence, laws: Iterable[str]) -> list[str]:
    """The broken ones of these laws. That the house is still can be asked of the demonstration's own event only."""
    audit = evidence.audit
    faults = []
    for law in laws:
        if law not in audit.counts:
            faults.append(f"{law} was not asked")
        elif rows := audit.violations.get(law):
            named = [row for row in rows if row.get("event_id") == evidence.event_id]
            if not named and law.startswith(_QUIESCENT) and audit.counts[law] == len(rows):
                continue
            where = "at this event" if named else "at other events"
            faults.append(f"{law}: {audit.counts[law]} rows, {len(named) or len(rows)} {where}")
    return faults


def _sold_out(evidence: Evidence) -> Check:
    house = evidence.house
    faults = []
    if house.booked != evidence.seats:
        faults.append(f"{house.booked} of {evidence.seats} seats are booked, {house.held} are held")
    return _check("sold out", faults, f"{house.booked} of {evidence.seats} seats are booked")


def _double_sales(evidence: Evidence) -> Check:
    told = Counter(
        seat_no
        for known in evidence.ledger.bookings.values()
        if known.belief is Belief.BOOKED
        for seat_no in known.seat_nos
    )
    kept = Counter(seat for booking in evidence.bookings if booking.status == "active" for seat in booking.seat_nos)
    faults = [f"{seat_no} was promised to {count} buyers" for seat_no, count in told.items() if count > 1]
    faults += [f"{seat_no} is in {count} live bookings" for seat_no, count in kept.items() if count > 1]
    faults += _broken(evidence, _DOUBLE_SALES)
    return _check("0 double sales", faults, f"{len(kept)} seats, each in one live booking and promised to one buyer")


def _lost_bookings(evidence: Evidence) -> Check:
    stored = {booking.booking_id: booking for booking in evidence.bookings}
    faults = []
    for known in evidence.ledger.bookings.values():
        fault = _difference(known, stored.get(known.booking_id))
        if fault:
            faults.append(f"booking {known.booking_id} {fault}")
    count = len(evidence.ledger.bookings)
    finding = f"{count} acknowledged bookings are kept: same user, same seats, same state"
    return _check("0 lost bookings", faults, finding)


def _difference(known: KnownBooking, stored: StoredBooking | None) -> str:
    """What is wrong with a booking; "" if nothing is."""
    difference = ""
    if stored is None:
        difference = "is not in the database"
    elif stored.user_id != known.user_id:
        difference = "belongs to another user"
    elif stored.seat_nos != known.seat_nos:
        difference = f"has other seats: {', '.join(stored.seat_nos)} instead of {', '.join(known.seat_nos)}"
    elif known.belief is Belief.BOOKED and stored.status != "active":
        difference = f"is {stored.status} and nobody asked for that"
    elif known.belief is Belief.CANCELLED and stored.status != "cancelled":
        difference = f"was cancelled and is {stored.status}"
    elif known.promoted != stored.promoted:
        difference = "has another origin than its buyer was told"
    return difference


def _unasked_bookings(evidence: Evidence) -> Check:
    """Bookings that no buyer knows of; those who were left without an answer may have some."""
    ledger = evidence.ledger
    faults = [
        f"booking {booking.booking_id} was never acknowledged"
        for booking in evidence.bookings
        if booking.booking_id not in ledger.bookings and booking.user_id not in ledger.unsure
    ]
    return _check("0 bookings unasked for", faults, f"{len(evidence.bookings)} bookings, each known to its buyer")


def _repeats(evidence: Evidence) -> Check:
    keys = Counter((b.user_id, b.idempotency_key) for b in evidence.bookings if b.idempotency_key is not None)
    faults = list(evidence.recorder.altered_replays)
    faults += [f"key {key} made {count} bookings" for (_, key), count in keys.items() if count > 1]
    faults += _broken(evidence, _KEYS)
    replayed = evidence.recorder.tallies["replayed"]
    return _check("repeats change nothing", faults, f"{replayed} repeated requests had the same answer, to the byte")


def _counters(evidence: Evidence) -> Check:
    house = evidence.house
    pairs = (
        ("seats_count", house.seats_count, house.seats),
        ("held_count", house.held_count, house.held),
        ("booked_count", house.booked_count, house.booked),
        ("waiting_count", house.waiting_count, house.waiting),
    )
    faults = [f"{name} says {says} and there are {are}" for name, says, are in pairs if says != are]
    faults += _broken(evidence, _COUNTERS)
    return _check("counters are equal", faults, ", ".join(f"{name} {says}" for name, says, _ in pairs))


def _queue(evidence: Evidence) -> Check:
    house = evidence.house
    told = sum(known.promoted for known in evidence.ledger.bookings.values())
    faults = _broken(evidence, _QUEUE)
    if told != house.promoted and not evidence.ledger.unsure:
        faults.append(f"{house.promoted} were promoted and {told} know of it")
    finding = f"{house.joined} joined, {house.promoted} promoted in joining order, "
    return _check("waitlist in order", faults, finding + f"{house.gone} left, {house.waiting} still wait")


def _lapsed_holds(evidence: Evidence) -> Check:
    faults = [
        f"hold {hold_id} is {evidence.abandoned.get(hold_id, 'gone')}"
        for hold_id in evidence.ledger.abandoned
        if evidence.abandoned.get(hold_id) != "expired"
    ]
    faults += _broken(evidence, _HOLDS)
    count = len(evidence.ledger.abandoned)
    return _check("holds end as they should", faults, f"{count} abandoned holds were ended by the server")


def _mails(evidence: Evidence) -> Check:
    faults = [f"booking {b.booking_id} has no mail" for b in evidence.bookings if b.mails == 0]
    faults += _broken(evidence, _MAILS)
    unsent = evidence.house.unsent
    if unsent:
        # There may be mails of other events by the hundred; with none of its own to send the law is kept here.
        faults += _broken(evidence, (_UNSENT,))
    mails = sum(booking.mails for booking in evidence.bookings)
    finding = f"{mails} mails for {len(evidence.bookings)} bookings, {unsent} of them still to be sent"
    return _check("every booking has its mail", faults, finding)


def _answers(evidence: Evidence) -> Check:
    recorder = evidence.recorder
    faults = list(recorder.unexpected)
    if recorder.unexpected_count > len(faults):
        faults += ["..."] * (recorder.unexpected_count - len(faults))
    if recorder.server_failures:
        faults.append(f"{recorder.server_failures} answers were server errors other than 503")
    return _check("answers keep the contract", faults, f"{recorder.requests:,} answers, none outside of the contract")


def _other_laws(evidence: Evidence) -> Check:
    others = [law for law in evidence.audit.counts if law not in _SPOKEN_FOR]
    faults = _broken(evidence, others)
    finding = f"{len(others)} more laws asked, of {len(evidence.audit.counts)} in all"
    return _check("all other laws hold", faults, finding)


_LINES: Final[tuple[Callable[[Evidence], Check], ...]] = (
    _sold_out,
    _double_sales,
    _lost_bookings,
    _unasked_bookings,
    _repeats,
    _counters,
    _queue,
    _lapsed_holds,
    _mails,
    _answers,
    _other_laws,
)
