"""Whether each answer has the effect it claims and no other: nothing lost, nothing refused and done, nothing twice."""

from collections import defaultdict
from uuid import UUID

from proof.crowd.record import Operation
from proof.history.facts import BookingFact, HoldFact
from proof.history.queue import CLOCK_SECONDS, Complain
from proof.history.timeline import Timeline


def block_of(operation: Operation, timeline: Timeline) -> tuple[int, int] | None:
    """The first and the last version that an acknowledged write made; None for what made none."""
    if not operation.succeeded:
        return None
    match operation.kind:
        case "hold":
            moves = timeline.moves.get(("available", "held", operation.result))
        case "book":
            moves = timeline.moves.get(("held", "booked", operation.result))
        case "release":
            moves = timeline.moves.get(("held", "available", operation.about))
        case "cancel":
            moves = timeline.moves.get(("booked", "available", operation.about))
        case _:
            moves = None
    return (moves[0][0], moves[-1][0]) if moves else None


def check(operations: list[Operation], timeline: Timeline, complain: Complain) -> None:
    holds = {hold.hold_id: hold for hold in timeline.facts.holds}
    bookings = {booking.booking_id: booking for booking in timeline.facts.bookings}
    for operation in operations:
        if operation.succeeded:
            _check_acknowledged(operation, holds, bookings, timeline, complain)
        elif operation.refused:
            _check_refused(operation, holds, timeline, complain)
    _check_keys(operations, timeline, complain)
    _check_that_all_was_asked_for(operations, timeline, complain)
    for booking in timeline.facts.bookings:
        hold = holds.get(booking.hold_id) if booking.hold_id else None
        if hold is not None and booking.created_at >= hold.expires_at:
            complain("late_booking", None, f"booking {booking.booking_id} was made after its hold had lapsed")


def _check_acknowledged(
    operation: Operation,
    holds: dict[UUID, HoldFact],
    bookings: dict[UUID, BookingFact],
    timeline: Timeline,
    complain: Complain,
) -> None:
    match operation.kind:
        case "hold":
            hold = holds.get(operation.result) if operation.result else None
            told = (operation.user_id, operation.seat_nos, operation.key)
            if (
                hold is None
                or (hold.user_id, hold.seat_nos, hold.key) != told
                or operation.result_seats != hold.seat_nos
            ):
                complain("lost_acknowledgement", operation, f"the hold it was answered is {hold}")
            elif abs(hold.expires_at - operation.expires_at) > CLOCK_SECONDS:
                complain("lost_acknowledgement", operation, "the hold lapses at another time than it was told")
            _check_block(operation, operation.seat_nos, timeline, complain)
        case "book" | "repeat":
            booking = bookings.get(operation.result) if operation.result else None
            asked = (operation.user_id, operation.about, operation.key)
            if booking is None or (booking.user_id, booking.hold_id, booking.key) != asked:
                complain("lost_acknowledgement", operation, f"the booking it was answered is {booking}")
            elif operation.result_seats != booking.seat_nos:
                complain("lost_acknowledgement", operation, f"told {operation.result_seats}, booked {booking.seat_nos}")
            if operation.kind == "book":
                _check_block(operation, operation.seat_nos, timeline, complain)
        case "cancel":
            booking = bookings.get(operation.about) if operation.about else None
            if booking is None or booking.status != "cancelled":
                complain("lost_acknowledgement", operation, f"the booking it cancelled is {booking}")
        case "release":
            hold = holds.get(operation.about) if operation.about else None
            if hold is None or hold.status != "released":
                complain("lost_acknowledgement", operation, f"the hold it released is {hold}")
        case "join":
            entry = next((e for e in timeline.facts.entries if e.entry_id == operation.result), None)
            if entry is None or (entry.user_id, entry.requested_seats) != (operation.user_id, operation.size):
                complain("lost_acknowledgement", operation, f"the entry it was answered is {entry}")
        case _:
            pass


def _check_block(operation: Operation, seat_nos: tuple[str, ...], timeline: Timeline, complain: Complain) -> None:
    """Its changes are those of its seats, at one instant."""
    before, after = ("available", "held") if operation.kind == "hold" else ("held", "booked")
    moves = timeline.moves.get((before, after, operation.result), [])
    if sorted(seat_no for _, seat_no in moves) != sorted(seat_nos):
        complain("lost_acknowledgement", operation, f"the changes it made are {moves} instead of {seat_nos}")
    elif len({timeline.instants[version] for version, _ in moves}) != 1:
        complain("lost_acknowledgement", operation, "its changes were not made at one instant")


def _check_refused(operation: Operation, holds: dict[UUID, HoldFact], timeline: Timeline, complain: Complain) -> None:
    match operation.kind, operation.code:
        case "book", "hold_expired":
            hold = holds.get(operation.about) if operation.about else None
            if hold is None or (hold.status != "released" and hold.expires_at > operation.last_instant + CLOCK_SECONDS):
                complain("unjustified_refusal", operation, f"it lapsed before its time: {hold}")
        case "book", _:
            complain("unjustified_refusal", operation, f"its own hold was refused as {operation.code}")
        case "repeat", _:
            complain("lost_acknowledgement", operation, f"what was booked before is refused as {operation.code}")
        case "release", "hold_over":
            hold = holds.get(operation.about) if operation.about else None
            if hold is None or (hold.status == "expired" and hold.expires_at > operation.last_instant + CLOCK_SECONDS):
                complain("unjustified_refusal", operation, f"it was over before its time: {hold}")
        case "cancel", _:
            complain("unjustified_refusal", operation, f"its own booking was refused as {operation.code}")
        case "hold", code if code not in ("seats_unavailable", "hold_limit"):
            complain("unjustified_refusal", operation, f"seats that are there were refused as {code}")
        case _:
            pass


def _check_keys(operations: list[Operation], timeline: Timeline, complain: Complain) -> None:
    made: dict[tuple[UUID, str], int] = defaultdict(int)
    facts: list[HoldFact | BookingFact] = [*timeline.facts.holds, *timeline.facts.bookings]
    for fact in facts:
        if fact.key is not None:
            made[fact.user_id, fact.key] += 1
    for (user_id, key), count in made.items():
        if count > 1:
            complain("two_effects_of_a_key", None, f"user {user_id} has {count} effects of key {key}")
    digests: dict[tuple[UUID, str], set[str]] = defaultdict(set)
    for operation in operations:
        is_done = bool(operation.key) and (operation.user_id, operation.key) in made
        if operation.refused and is_done and operation.kind != "repeat":
            complain("effect_of_a_refusal", operation, f"{operation.code} was answered and yet it was done")
        if operation.kind in ("book", "repeat") and operation.succeeded:
            digests[operation.user_id, operation.key].add(operation.digest)
    for (user_id, key), bodies in digests.items():
        if len(bodies) > 1:
            complain("two_effects_of_a_key", None, f"user {user_id} was answered {len(bodies)} bodies for key {key}")


def _check_that_all_was_asked_for(operations: list[Operation], timeline: Timeline, complain: Complain) -> None:
    """Nothing is held, booked, cancelled or released that nobody asked for; and nothing ends before its time."""
    keys = {(o.user_id, o.key) for o in operations if o.key}
    cancelled = {o.about for o in operations if o.kind == "cancel"}
    released = {o.about for o in operations if o.kind == "release"}
    joined = {(o.user_id, o.size) for o in operations if o.kind == "join"}
    for hold in timeline.facts.holds:
        if (hold.user_id, hold.key) not in keys:
            complain("effect_without_cause", None, f"nobody asked for hold {hold.hold_id}")
        if hold.status == "released" and hold.hold_id not in released:
            complain("effect_without_cause", None, f"nobody released hold {hold.hold_id}")
        if hold.status == "expired":
            moves = timeline.moves.get(("held", "available", hold.hold_id), [])
            if any(timeline.instants[version] < hold.expires_at for version, _ in moves):
                complain("early_expiry", None, f"hold {hold.hold_id} was ended before its time")
    entries = {entry.entry_id: entry for entry in timeline.facts.entries}
    for booking in timeline.facts.bookings:
        if booking.entry_id is None and (booking.user_id, booking.key) not in keys:
            complain("effect_without_cause", None, f"nobody asked for booking {booking.booking_id}")
        if booking.status == "cancelled" and booking.booking_id not in cancelled:
            complain("effect_without_cause", None, f"nobody cancelled booking {booking.booking_id}")
        if booking.entry_id is not None:
            entry = entries.get(booking.entry_id)
            if entry is None or (entry.user_id, entry.requested_seats) not in joined:
                complain("effect_without_cause", None, f"nobody waited for booking {booking.booking_id}")
