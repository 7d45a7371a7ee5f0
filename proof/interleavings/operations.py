"""The nine operations, each as the product runs it, and the start state in which those of a schedule meet.

One event with seats S1 and S2 held by ann, S3 booked by bob, S4 free and S5 blocked. What the operations are about
depends on whom they meet, so that they want the same hold, booking or seat: a purchase that is about to fail or succeed
by what the other does. In a scene with a queue eve wants two seats where there is one, so that whatever is freed is
fought for as well.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from overbookr.audit.store import AuditStore
from overbookr.bookings.model import BookHold, CancelBooking
from overbookr.database.pool import Pool
from overbookr.holds.model import PlaceHold, ReleaseHold
from overbookr.seats.store import SeatStore
from overbookr.waitlist.model import JoinWaitlist
from overbookr.writes.duties import EventSettler
from overbookr.writes.lane import Command, Lane
from proof.interleavings.scheduler import Operation
from tests.house.stage import SHARE, TIME_TO_LIVE

NAMES: Final = ("hold", "release", "book", "cancel", "expire", "promote", "add", "block", "reconcile")
# No operation, but who looks on: every law that holds under load, asked in one snapshot.
AUDIT: Final = "audit"

_DAMAGE: Final = """
update events set seats_count = seats_count + 1, held_count = held_count + 1, waiting_count = waiting_count + 1;
delete from mails where booking_id = (select booking_id from bookings order by booking_id limit 1);
update seats set hold_expires_at = hold_expires_at - interval '1 second' where seat_no = 'S2'
"""


def identifier(name: str) -> UUID:
    """The same id for the same name, always."""
    return UUID(bytes=hashlib.md5(name.encode()).digest(), version=4)


EVENT: Final = identifier("event")
HOLD, BOOKING = identifier("hold of ann"), identifier("booking of bob")
_PEOPLE: Final = ("ann", "bob", "cyd", "dee", "eve", "fay", "gus")
_IDS: Final = {
    identifier(name): name
    for name in (
        "event", "hold of ann", "booking of bob", "hold of bob", "entry of dee", "entry of eve", *_PEOPLE,
        *(f"{what} {n}" for what in ("new hold", "new booking") for n in range(3)),
    )
}  # fmt: skip


class Scene(NamedTuple):
    """What there is beyond the seats: ann's hold is overdue; dee is owed a free seat; counters, a mail and a seat
    have been damaged; eve waits for two seats."""

    overdue: bool
    owed: bool
    damaged: bool
    queue: bool

    @property
    def name(self) -> str:
        return " ".join(name for name, is_so in self._asdict().items() if is_so) or "plain"


def scene_of(names: Sequence[str], *, queue: bool) -> Scene:
    return Scene("expire" in names, "promote" in names, "reconcile" in names, queue)


def name_of(value: UUID) -> str | None:
    return _IDS.get(value)


def operations(names: Sequence[str], *, queue: bool) -> list[Operation]:
    """The operations of these names, set against each other."""
    made = []
    for place, name in enumerate(names):
        others = [*names[:place], *names[place + 1 :]]
        made.append(_MAKERS[name](place, others, queue))
    return made


def _lane(command: Command) -> Operation:
    async def run(pool: Pool) -> Any:
        lane = Lane(pool, name="stepped", time_to_live=TIME_TO_LIVE, user_seats_max=SHARE)
        outcome = (await lane._flush([command]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return run


def _contested_seat(others: Sequence[str], queue: bool) -> str:
    """The seat that the others are about; with a queue a cancellation is about S4, which eve gets together with S3."""
    cancelled = "S4" if queue else "S3"
    for other, seat_no in (("add", "S6"), ("cancel", cancelled), ("release", "S1"), ("expire", "S1"), ("book", "S1")):
        if other in others:
            return seat_no
    return "S4"


def _hold(place: int, others: Sequence[str], queue: bool) -> Operation:
    user = identifier(("cyd", "fay", "gus")[place])
    return _lane(PlaceHold(EVENT, identifier(f"new hold {place}"), user, (_contested_seat(others, queue),), None))


def _release(place: int, others: Sequence[str], queue: bool) -> Operation:
    return _lane(ReleaseHold(EVENT, HOLD, identifier("ann")))


def _book(place: int, others: Sequence[str], queue: bool) -> Operation:
    # Two bookings of one hold: by two requests, or (with a queue) by one request that was sent twice.
    key = "one key" if queue else f"key {place}"
    return _lane(BookHold(EVENT, HOLD, identifier("ann"), identifier(f"new booking {place}"), key))


def _cancel(place: int, others: Sequence[str], queue: bool) -> Operation:
    if "book" in others and not queue:
        # The booking that is being made.
        at = next(n for n in range(3) if ([*others[:place], "cancel", *others[place:]])[n] == "book")
        return _lane(CancelBooking(EVENT, identifier(f"new booking {at}"), identifier("ann"), False))
    return _lane(CancelBooking(EVENT, BOOKING, identifier("bob"), False))


def _settle(place: int, others: Sequence[str], queue: bool) -> Operation:
    return lambda pool: EventSettler(pool, user_seats_max=SHARE).run_once()


def _add(place: int, others: Sequence[str], queue: bool) -> Operation:
    async def run(pool: Pool) -> Any:
        # What became of the seats after the commit is read in a statement of its own, and may be another's doing.
        added = await SeatStore(pool, user_seats_max=SHARE).add(EVENT, ["S6", f"S{7 + place}"])
        return [seat.seat_no for seat in added] if isinstance(added, list) else added

    return run


def _block(place: int, others: Sequence[str], queue: bool) -> Operation:
    seat_no = _contested_seat(others, queue)
    return lambda pool: SeatStore(pool, user_seats_max=SHARE).block(
        EVENT, [seat_no], block=True, reason=f"reason {place}"
    )


def _reconcile(place: int, others: Sequence[str], queue: bool) -> Operation:
    return lambda pool: AuditStore(pool).apply_repairs([EVENT], SHARE)


def _audit(place: int, others: Sequence[str], queue: bool) -> Operation:
    async def run(pool: Pool) -> Any:
        return sorted((await AuditStore(pool).check(SHARE)).violations)

    return run


_MAKERS: Final[dict[str, Callable[[int, Sequence[str], bool], Operation]]] = {
    "hold": _hold,
    "release": _release,
    "book": _book,
    "cancel": _cancel,
    "expire": _settle,
    "promote": _settle,
    "add": _add,
    "block": _block,
    "reconcile": _reconcile,
    AUDIT: _audit,
}


async def build_scene(pool: Pool, scene: Scene) -> None:
    """Make the start state by the product itself in an empty database; only time and damage are done by hand."""
    await pool.execute(
        """insert into events (event_id, name, venue, start_time)
           values ($1, 'A show', 'A house', now() + interval '30 days')""",
        EVENT,
    )
    seats = SeatStore(pool, user_seats_max=SHARE)
    await seats.add(EVENT, [f"S{number}" for number in range(1, 6)])
    await seats.block(EVENT, ["S5"], block=True, reason="a pillar")
    ann, bob = identifier("ann"), identifier("bob")
    await _do(pool, PlaceHold(EVENT, identifier("hold of bob"), bob, ("S3",), None))
    await _do(pool, BookHold(EVENT, identifier("hold of bob"), bob, BOOKING, "key of bob"))
    await _do(pool, PlaceHold(EVENT, HOLD, ann, ("S1", "S2"), None))
    await pool.execute("update holds set expires_at = expires_at + interval '1 day' where status = 'active'")
    if scene.queue:
        await _do(pool, JoinWaitlist(EVENT, identifier("entry of eve"), identifier("eve"), 2))
    if scene.owed:
        # A sale that was paused when the seat came free, so that nobody was served.
        await pool.execute("update events set capacity = 3 where event_id = $1", EVENT)
        await _do(pool, JoinWaitlist(EVENT, identifier("entry of dee"), identifier("dee"), 1))
        await pool.execute("update events set capacity = null where event_id = $1", EVENT)
    if scene.overdue:
        await pool.execute(
            """update holds set created_at = created_at - interval '1 day', expires_at = clock_timestamp()
                where status = 'active'"""
        )
    await pool.execute(
        """update seats s set hold_expires_at = h.expires_at from holds h
            where h.hold_id = s.hold_id and h.status = 'active'"""
    )
    await pool.execute("update mails set sent_at = created_at")
    if scene.damaged:
        await pool.execute(_DAMAGE)


async def _do(pool: Pool, command: Command) -> None:
    await _lane(command)(pool)
