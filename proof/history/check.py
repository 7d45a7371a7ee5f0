"""Decides whether what clients were told can have come of one event sold in one order that respects real time.

Seat changes are numbered under the event's lock, so their order is known. Each acknowledged write has its place in it;
a refusal or a look must have found a place where its answer was true. For each operation the least such place is
chosen, in the order of time, and not before the place of anything that had ended when it began. If that succeeds for
all of them, there is an order of the whole history that explains every answer and respects real time (strict
serializability of the event, operations on several seats included). If it fails for one, there is none, because a later
place of one operation never makes room for another.
"""

import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from proof.crowd.caller import letter_of, unpack_map
from proof.crowd.record import NEVER, Operation
from proof.history import effects, queue
from proof.history.facts import Facts
from proof.history.timeline import Replay, Timeline

# How old a seat map may be.
STALE_SECONDS_MAX: Final = 0.25
FREE: Final = "available"
_ENDS, _BEGINS = 0, 1


@dataclass
class Verdict:
    """`counts` say how many operations of each kind and outcome were checked; `violations` are (class, what)."""

    violations: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def complain(self, what: str, operation: Operation | None, why: str) -> None:
        about = "" if operation is None else f" by operation {operation.number} ({operation.kind} {operation.key})"
        self.violations.append((what, f"{why}{about}"))

    def add(self, other: "Verdict") -> None:
        self.violations += other.violations
        self.counts += other.counts


def check_event(operations: list[Operation], facts: Facts, places: dict[str, int], share: int) -> Verdict:
    """The verdict on one event. `share` is how many seats of it a user may own."""
    verdict = Verdict()
    timeline = Timeline(facts)
    for fault in timeline.faults:
        verdict.complain(fault.split(":")[0].replace(" ", "_"), None, fault)
    if any(fault.startswith("gap") for fault in timeline.faults):
        return verdict
    for operation in operations:
        verdict.counts[f"{operation.kind} {operation.status or 'unknown'}"] += 1
    verdict.counts["operations"] += len(operations)
    effects.check(operations, timeline, verdict.complain)
    queue.check(operations, timeline, share, verdict.complain)
    _check_maps(operations, timeline, places, verdict)
    _Order(operations, timeline, share, verdict).check()
    return verdict


def _check_maps(operations: list[Operation], timeline: Timeline, places: dict[str, int], verdict: Verdict) -> None:
    """Each map is what the changes up to its version make it, lapsed holds shown as free."""
    looks = [o for o in operations if o.kind == "look" and o.status == 200]
    replay = Replay(timeline, places)
    free, held = letter_of(None), letter_of("held")
    for look in sorted(looks, key=lambda o: o.version):
        if look.version > timeline.last_version:
            verdict.complain("stale_read", look, f"a map of version {look.version}, which there never was")
            continue
        replay.go_to(look.version)
        seen = unpack_map(look.map)
        if seen == replay.letters and min(replay.held.values(), default=NEVER) > look.started - STALE_SECONDS_MAX:
            continue
        kept = timeline.facts.policy == "strict"
        lapsed = {place for place, until in replay.held.items() if until <= look.last_instant}
        for place, (shown, recorded) in enumerate(zip(seen, replay.letters, strict=True)):
            if shown == recorded:
                if shown == held and not kept and replay.held.get(place, NEVER) <= look.started - STALE_SECONDS_MAX:
                    verdict.complain("lapsed_hold_shown", look, f"seat {place} is shown as held after its time")
                continue
            if shown == free and recorded == held and place in lapsed:
                continue
            if kept and shown == held and recorded == free:
                continue  # Free seats that are gathered for the head of a strict queue.
            why = f"seat {place} is shown as {chr(shown)!r} at version {look.version}, where it was {chr(recorded)!r}"
            verdict.complain("torn_read", look, why)
            break


class _Order:
    """The search for the order, by time, over one event."""

    def __init__(self, operations: list[Operation], timeline: Timeline, share: int, verdict: Verdict) -> None:
        self._operations = operations
        self._timeline = timeline
        self._share = share
        self._verdict = verdict
        self._waiting_may_keep = timeline.facts.policy == "strict"
        self._blocks = {o.number: block for o in operations if (block := effects.block_of(o, timeline))}
        self._ceilings: dict[int, int] = {}

    def check(self) -> None:
        self._find_ceilings()
        # What had been answered 250 ms before a look began must be in it; for everything else, what had been answered.
        floors: dict[int, int] = {}
        floor = 0
        for _, kind, number in self._instants():
            operation = self._by_number[number]
            if kind == _BEGINS:
                floors[number] = floor
            else:
                floor = max(floor, self._place(operation, floors.pop(number)))

    def _instants(self) -> Iterator[tuple[float, int, int]]:
        """Beginnings and ends by time; at the same instant ends come first, so that more is demanded, never less."""
        self._by_number = {operation.number: operation for operation in self._operations}
        instants: list[tuple[float, int, int]] = []
        for operation in self._operations:
            begins = operation.started - (STALE_SECONDS_MAX if operation.kind == "look" else 0.0)
            instants.append((begins, _BEGINS, operation.number))
            if operation.ended is not None:
                instants.append((operation.ended, _ENDS, operation.number))
        heapq.heapify(instants)
        while instants:
            yield heapq.heappop(instants)

    def _find_ceilings(self) -> None:
        """For each operation the last version that can have been there when it ended: later writes had not begun."""
        begun = sorted((o.started, self._blocks[o.number][0]) for o in self._operations if o.number in self._blocks)
        starts = [start for start, _ in begun]
        least = [self._timeline.last_version + 1] * (len(begun) + 1)
        for place in range(len(begun) - 1, -1, -1):
            least[place] = min(least[place + 1], begun[place][1])
        for operation in self._operations:
            self._ceilings[operation.number] = least[bisect_right(starts, operation.last_instant)] - 1

    def _place(self, operation: Operation, floor: int) -> int:
        """Where the operation stands among the versions; complains when there is no place for it."""
        ceiling = self._ceilings[operation.number]
        block = self._blocks.get(operation.number)
        if block is not None:
            if block[0] <= floor:
                why = f"it made version {block[0]} though version {floor} had been answered before it began"
                self._verdict.complain("order", operation, why)
            return block[1]
        if operation.kind == "look" and operation.status == 200:
            if operation.version < floor:
                why = f"a map of version {operation.version} when version {floor} had been answered 250 ms before"
                self._verdict.complain("stale_read", operation, why)
            elif operation.version > ceiling:
                why = f"a map of version {operation.version} before whoever made it had asked"
                self._verdict.complain("stale_read", operation, why)
            return min(operation.version, ceiling)
        if not operation.refused:
            return floor
        found = self._least_place(operation, floor, ceiling)
        if found is None:
            why = f"{operation.code} {operation.conflicts} was true at no version from {floor} to {ceiling}"
            self._verdict.complain("unjustified_refusal", operation, why)
            return floor
        return found

    def _least_place(self, operation: Operation, floor: int, ceiling: int) -> int | None:
        match operation.kind, operation.code:
            case "hold", "seats_unavailable":
                return self._place_of_conflicts(operation, floor, ceiling)
            case (("hold" | "join"), "hold_limit"):
                wanted = operation.size or len(operation.seat_nos)
                return self._first(floor, ceiling, lambda version: self._owns_too_much(operation, version, wanted))
            case "join", "seats_available":
                return self._first(floor, ceiling, lambda version: self._timeline.free_at(version) >= operation.size)
            case _:
                # Their reasons are no states of seats; `effects` and `queue` judge them.
                return floor

    def _owns_too_much(self, operation: Operation, version: int, wanted: int) -> bool:
        return self._timeline.owned_by(operation.user_id, version) + wanted > self._share

    def _first(self, floor: int, ceiling: int, is_true: Callable[[int], bool]) -> int | None:
        return next((version for version in range(floor, ceiling + 1) if is_true(version)), None)

    def _place_of_conflicts(self, operation: Operation, floor: int, ceiling: int) -> int | None:
        """The first version at which exactly these seats, in exactly these states, were in the way."""
        told = dict(operation.conflicts)
        if not told or set(told) - set(operation.seat_nos):
            return None
        version = floor
        while version <= ceiling:
            wrong = next((s for s in operation.seat_nos if not self._agrees(s, told.get(s, FREE), version)), None)
            if wrong is None:
                return version
            steps = self._timeline.seats.get(wrong)
            following = steps.next_version(version) if steps else None
            if following is None:
                return None
            version = following
        return None

    def _agrees(self, seat_no: str, told: str, version: int) -> bool:
        status = self._timeline.status(seat_no, version)
        return status == told or (self._waiting_may_keep and told == "held" and status == FREE)
