"""Whether the queue was kept: tickets in the order of joining, nobody served before one who was owed first."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from proof.crowd.record import Operation
from proof.history.facts import EntryFact
from proof.history.timeline import Timeline

Complain = Callable[[str, Operation | None, str], None]

# The clocks of clients and of the database are one machine's, read by different means.
CLOCK_SECONDS: Final = 0.005


def check(operations: list[Operation], timeline: Timeline, share: int, complain: Complain) -> None:
    entries = {entry.entry_id: entry for entry in timeline.facts.entries}
    _check_tickets(operations, entries, complain)
    _check_promotions(timeline, share, complain)
    _check_refusals(operations, timeline, complain)


def _check_refusals(operations: list[Operation], timeline: Timeline, complain: Complain) -> None:
    """Who is told that they wait already did; who is told that they do not, did not all the while."""
    by_user: dict[UUID, list[EntryFact]] = {}
    for entry in timeline.facts.entries:
        by_user.setdefault(entry.user_id, []).append(entry)
    for operation in operations:
        if not operation.refused:
            continue
        entries = by_user.get(operation.user_id, [])
        match operation.kind, operation.code:
            case "join", "already_waiting":
                if not any(_waited_at_some_time(entry, operation) for entry in entries):
                    complain("unjustified_refusal", operation, "no entry of the user waited")
            case "leave", "waitlist_entry_not_found":
                if any(_waited_all_the_time(entry, operation) for entry in entries):
                    complain("unjustified_refusal", operation, "an entry of the user waited all the while")
            case "join", ("seats_available" | "hold_limit"):
                pass
            case (("join" | "leave"), code):
                complain("unjustified_refusal", operation, f"refused as {code}")
            case _:
                pass


def _waited_at_some_time(entry: EntryFact, operation: Operation) -> bool:
    began = entry.created_at <= operation.last_instant + CLOCK_SECONDS
    return began and (entry.status == "waiting" or entry.updated_at >= operation.started - CLOCK_SECONDS)


def _waited_all_the_time(entry: EntryFact, operation: Operation) -> bool:
    began = entry.created_at < operation.started - CLOCK_SECONDS
    return began and (entry.status == "waiting" or entry.updated_at > operation.last_instant + CLOCK_SECONDS)


def _check_tickets(operations: list[Operation], entries: dict[UUID, EntryFact], complain: Complain) -> None:
    """Who was told that they wait before another one asked has the lower ticket."""
    joins = [o for o in operations if o.kind == "join" and o.succeeded and o.result in entries]
    ends = sorted(joins, key=lambda o: o.last_instant)
    highest, place = 0, 0
    for join in sorted(joins, key=lambda o: o.started):
        while place < len(ends) and ends[place].last_instant < join.started:
            ended = ends[place]
            assert ended.result is not None
            highest = max(highest, entries[ended.result].ticket)
            place += 1
        assert join.result is not None
        ticket = entries[join.result].ticket
        if ticket < highest:
            complain("queue_order", join, f"ticket {ticket} was drawn after ticket {highest} had been answered")


def _check_promotions(timeline: Timeline, share: int, complain: Complain) -> None:
    """When somebody was served, no earlier ticket waited that wanted no more seats and had room in its share."""
    served = {booking.entry_id: booking for booking in timeline.facts.bookings if booking.entry_id is not None}
    versions: dict[UUID, int] = {}
    for entry_id, booking in served.items():
        moves = timeline.moves.get(("available", "booked", booking.booking_id))
        if moves is None:
            complain("queue_order", None, f"promotion {booking.booking_id} made no change of seats")
        else:
            assert entry_id is not None
            versions[entry_id] = moves[0][0]
    waiting: list[EntryFact] = []
    for entry in timeline.facts.entries:
        own = versions.get(entry.entry_id)
        if own is not None:
            strict = timeline.facts.policy == "strict"
            for earlier in waiting:
                fits = strict or earlier.requested_seats <= entry.requested_seats
                if fits and _was_owed(earlier, own, versions, timeline, share):
                    why = f"ticket {entry.ticket} was served at version {own} before ticket {earlier.ticket}"
                    complain("queue_order", None, why)
        waiting.append(entry)


def _was_owed(entry: EntryFact, version: int, versions: dict[UUID, int], timeline: Timeline, share: int) -> bool:
    """Whether this entry surely waited at that version, with room for its seats in its user's share."""
    own = versions.get(entry.entry_id)
    if own is not None:
        waited = own > version
    elif entry.status == "waiting":
        waited = True
    else:
        # It was left; it waited if that was surely later.
        waited = entry.updated_at > timeline.instants[version]
    return waited and timeline.owned_by(entry.user_id, version - 1) + entry.requested_seats <= share
