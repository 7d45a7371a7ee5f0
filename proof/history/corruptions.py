"""Histories that lie: for each class of anomaly one that occurred nowhere, made out of a history that is true.

A checker that finds nothing proves something only if it would have found these.
"""

import copy
import random
from collections.abc import Callable
from typing import Final
from uuid import UUID

from proof.crowd.caller import pack_map, unpack_map
from proof.crowd.record import Operation
from proof.history.check import STALE_SECONDS_MAX, check_event
from proof.history.facts import HoldFact
from proof.history.recording import Closing

# Each changes its copy of the history and says whether there was something to change.
Corrupt = Callable[[list[Operation], Closing, random.Random], bool]


def lose_a_booking(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    told = {o.result for o in operations if o.kind == "book" and o.succeeded}
    found = [booking for booking in closing.facts.bookings if booking.booking_id in told]
    if found:
        closing.facts.bookings.remove(chance.choice(found))
    return bool(found)


def give_a_booking_to_another(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    told = {o.result: o for o in operations if o.kind == "book" and o.succeeded}
    found = [booking for booking in closing.facts.bookings if booking.booking_id in told]
    others = [o.user_id for o in operations]
    if not found:
        return False
    booking = chance.choice(found)
    booking.user_id = next(other for other in others if other != booking.user_id)
    return True


def do_what_was_refused(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    found = [o for o in operations if o.kind == "hold" and o.refused]
    if not found:
        return False
    refused = chance.choice(found)
    closing.facts.holds.append(
        HoldFact(chance_id(chance), refused.user_id, refused.seat_nos, "released", refused.key, refused.last_instant)
    )
    return True


def answer_a_repeat_differently(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    booked = {o.key for o in operations if o.kind == "book" and o.succeeded}
    found = [o for o in operations if o.kind == "repeat" and o.succeeded and o.key in booked]
    if found:
        chance.choice(found).digest = "another body"
    return bool(found)


def hold_a_seat_twice(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    """One of the changes that took a free seat took one that somebody held at that moment."""
    held: set[str] = set()
    for change in closing.facts.changes:
        if change.to_status == "held":
            if held and change.version > len(closing.facts.changes) // 2:
                change.seat_no = sorted(held)[0]
                return True
            held.add(change.seat_no)
        else:
            held.discard(change.seat_no)
    return False


def skip_a_version(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    if len(closing.facts.changes) < 3:
        return False
    del closing.facts.changes[chance.randrange(1, len(closing.facts.changes) - 1)]
    return True


def answer_before_asking(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    """A hold claims to have begun long after later ones had been answered: real time and versions disagree."""
    holds = sorted((o for o in operations if o.kind == "hold" and o.succeeded), key=lambda o: o.last_instant)
    if len(holds) < 10:
        return False
    early, late = holds[len(holds) // 4], holds[-1]
    early.started, early.ended = late.last_instant + 0.001, late.last_instant + 0.002
    return True


def refuse_what_was_free(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    blocked = {change.seat_no for change in closing.facts.changes if change.to_status == "blocked"}
    found = [o for o in operations if o.refused and o.code == "seats_unavailable" and o.conflicts[0][0] not in blocked]
    if not found:
        return False
    refused = chance.choice(found)
    refused.conflicts = ((refused.conflicts[0][0], "blocked"), *refused.conflicts[1:])
    return True


def name_half_of_the_conflicts(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    """A refusal that names one seat of two that stood in the way all the while."""
    found = [o for o in operations if o.refused and len(o.conflicts) == 2 and {s for _, s in o.conflicts} == {"booked"}]
    last_of = {change.seat_no: change for change in closing.facts.changes}
    for refused in found:
        taken = [last_of[seat_no] for seat_no, _ in refused.conflicts]
        if all(change.to_status == "booked" and change.at < refused.started - 1 for change in taken):
            refused.conflicts = refused.conflicts[:1]
            return True
    return False


def show_an_old_map(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    looks = sorted((o for o in operations if o.kind == "look" and o.succeeded), key=lambda o: o.started)
    for old, new in zip(looks, reversed(looks), strict=False):
        if new.version > old.version + 10 and new.started > old.last_instant + 4 * STALE_SECONDS_MAX:
            new.version, new.map = old.version, old.map
            return True
    return False


def tear_a_map(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    """A map that shows one seat as booked that was free."""
    for look in operations:
        if look.kind != "look" or not look.succeeded:
            continue
        letters = unpack_map(look.map)
        shown: dict[int, list[str]] = {letter: [] for letter in letters}
        for seat_no, place in closing.places.items():
            shown[letters[place]].append(seat_no)
        if shown.get(ord("-")):
            booked = [*shown.get(ord("b"), []), shown[ord("-")][0]]
            look.map = pack_map(shown.get(ord("h"), []), booked, shown.get(ord("x"), []), closing.places)
            return True
    return False


def end_a_hold_early(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    found = [hold for hold in closing.facts.holds if hold.status == "expired"]
    if found:
        chance.choice(found).expires_at += 1000
    return bool(found)


def book_a_lapsed_hold(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    booked = {booking.hold_id for booking in closing.facts.bookings}
    found = [hold for hold in closing.facts.holds if hold.hold_id in booked]
    if found:
        chance.choice(found).expires_at -= 1000
    return bool(found)


def jump_the_queue(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    """The first who was served and the last of the same size change places."""
    entries = {entry.entry_id: entry for entry in closing.facts.entries}
    served = [booking for booking in closing.facts.bookings if booking.entry_id is not None]
    served.sort(key=lambda booking: entries[booking.entry_id].ticket if booking.entry_id else 0)
    for first in served:
        for last in reversed(served):
            if len(first.seat_nos) == len(last.seat_nos) and first.created_at < last.created_at:
                first.entry_id, last.entry_id = last.entry_id, first.entry_id
                return True
    return False


def draw_a_ticket_too_late(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    joins = sorted((o for o in operations if o.kind == "join" and o.succeeded), key=lambda o: o.started)
    entries = {entry.entry_id: entry for entry in closing.facts.entries}
    if len(joins) < 4 or joins[0].result not in entries or joins[-1].result not in entries:
        return False
    if joins[0].last_instant >= min(joins[-1].started, joins[-2].started):
        return False  # Those who ask at the same time may draw in any order.
    first, last = entries[joins[0].result], entries[joins[-1].result]
    first.ticket, last.ticket = last.ticket, first.ticket
    closing.facts.entries.sort(key=lambda entry: entry.ticket)
    return True


def forget_who_asked(operations: list[Operation], closing: Closing, chance: random.Random) -> bool:
    found = [o for o in operations if o.kind == "hold" and o.succeeded]
    if found:
        operations.remove(chance.choice(found))
    return bool(found)


def chance_id(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128))


# By what the checker calls it.
CORRUPTIONS: Final[tuple[tuple[str, Corrupt], ...]] = (
    ("lost_acknowledgement", lose_a_booking),
    ("lost_acknowledgement", give_a_booking_to_another),
    ("effect_of_a_refusal", do_what_was_refused),
    ("effect_without_cause", forget_who_asked),
    ("two_effects_of_a_key", answer_a_repeat_differently),
    ("double_hold", hold_a_seat_twice),
    ("gap", skip_a_version),
    ("order", answer_before_asking),
    ("unjustified_refusal", refuse_what_was_free),
    ("unjustified_refusal", name_half_of_the_conflicts),
    ("stale_read", show_an_old_map),
    ("torn_read", tear_a_map),
    ("early_expiry", end_a_hold_early),
    ("late_booking", book_a_lapsed_hold),
    ("queue_order", jump_the_queue),
    ("queue_order", draw_a_ticket_too_late),
)


def is_caught(
    expected: str, corrupt: Corrupt, operations: list[Operation], closing: Closing, chance: random.Random
) -> bool | None:
    """Whether the checker finds the lie by its name; None when this history has nothing to lie about."""
    copied, told = copy.deepcopy(operations), copy.deepcopy(closing)
    if not corrupt(copied, told, chance):
        return None
    return expected in {name for name, _ in check_event(copied, told.facts, told.places, told.share).violations}
