"""How many requests a process has in hand at once, and which it turns away when there are more than it can serve.

Refusing must cost little, or a crowd ten times too large takes the time of those who could be served: so it is decided
from method and path alone, before a token is looked at. Up to a ceiling everybody is let in. When answers have become
slow, the limit comes down to what is served within a target at the rate of late (Little's law), never below a floor;
it goes up again while answers are quick, and away as soon as nobody had to be refused. The rate is that of reads and
holds, which the limit is for: counted with the bookings, it would let in twice of what the target allows. Reads leave
room for holds.
Bookings have a room of their own, which holds cannot fill and which does not shrink: whoever holds seats is nearly
done, and what a hold cost is lost when its booking is refused. It is larger: how many bookings come is decided by how
many holds were let in, and they come in waves.
"""

import random
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from overbookr import limits

_GROWTH: Final = 1.05
_ALWAYS_ANSWERED: Final = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})
_CONFLICT = 409


class Kind(IntEnum):
    """What a request is, least first. OTHER are log-ins and organisers' work, whose slowness tells nothing."""

    READ = 0
    OTHER = 1
    HOLD = 2
    BOOKING = 3
    OPERATIONS = 4
    STREAM = 5


# Reads, holds and the rest share a room; bookings have their own, and so have what must always be answered and streams,
# which last.
_ROOM_OF: Final = (0, 0, 0, 1, 2, 3)
_TELLS_SPEED: Final = (True, False, True, True, False, False)
# Reads, holds and bookings are slow each for reasons of their own, so their times are not added up.
_PACES: Final = (Kind.READ, Kind.HOLD, Kind.BOOKING)


def kind_of(method: str, path: str) -> Kind:
    """By method and path as they were sent, unresolved: looking for the route would cost more than the answer."""
    if method == "POST":
        if path.startswith("/bookings"):
            return Kind.BOOKING
        return Kind.HOLD if path.startswith("/holds") else Kind.OTHER
    if method in ("GET", "HEAD", "OPTIONS"):
        if path.endswith(("/stream", "/stream/")):
            return Kind.STREAM
        return Kind.OPERATIONS if path in _ALWAYS_ANSWERED else Kind.READ
    # Whoever lets go of a hold or a booking frees seats.
    return Kind.BOOKING if method == "DELETE" else Kind.OTHER


def pause_seconds(paused: int) -> float:
    """How long the answer to a refusal waits while `paused` answers do, itself among them.

    Each time somebody comes back costs what those who are served would have used, so the more there are, the longer
    they pause. Not all the same, or those who were refused together come back together, for ever.
    """
    crowded = min(1.0, paused / limits.REFUSALS_PAUSED_MANY)
    shortest, longest = limits.REFUSAL_PAUSE_SECONDS_MIN, limits.REFUSAL_PAUSE_SECONDS_MAX
    return random.uniform(0.5, 1.5) * (shortest + crowded * (longest - shortest))


class Admission:
    """`in_flight` counts requests that were let in and are not answered yet; `limit` is how many holds may be.

    `report` hears now and then how many requests of each kind were refused since it heard last, in the order of Kind.
    """

    def __init__(
        self,
        *,
        report: Callable[[list[int]], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        floor: int = limits.IN_FLIGHT_FLOOR,
        ceiling: int = limits.IN_FLIGHT_MAX,
        bookings: int = limits.BOOKINGS_IN_FLIGHT_MAX,
    ) -> None:
        self.limit = ceiling
        self._report = report
        self._clock = clock
        self._floor = floor
        self._ceiling = ceiling
        self._bookings = bookings
        self._limits = self._limits_for(ceiling)
        # In each of the rooms that _ROOM_OF knows.
        self._taken = [0, 0, 0, 0]
        self._refused = [0] * len(Kind)
        self._any_refused = False
        self._looked_at = clock()
        # By kind: how many were answered since the last look, and in how many seconds altogether.
        self._answered = [0] * len(Kind)
        self._seconds = [0.0] * len(Kind)

    @property
    def in_flight(self) -> int:
        return sum(self._taken)

    def admit(self, kind: Kind) -> bool:
        """Whether a request may come in; one that may must `leave` again."""
        room = _ROOM_OF[kind]
        if self._taken[room] < self._limits[kind]:
            self._taken[room] += 1
            return True
        self._refused[kind] += 1
        self._any_refused = True
        return False

    def leave(self, kind: Kind, status: int, seconds: float) -> None:
        """A request that was let in has been answered with `status`, `seconds` after it came."""
        self._taken[_ROOM_OF[kind]] -= 1
        # Refusals come back without having waited for anything.
        if _TELLS_SPEED[kind] and (status < 400 or status == _CONFLICT):
            self._answered[kind] += 1
            self._seconds[kind] += seconds
        now = self._clock()
        if now - self._looked_at >= limits.OVERLOAD_LOOK_SECONDS:
            self._look(now - self._looked_at)
            self._looked_at = now

    def _look(self, elapsed: float) -> None:
        target = limits.IN_FLIGHT_TARGET_SECONDS
        answered, seconds = self._answered, self._seconds
        if any(answered[kind] and seconds[kind] / answered[kind] > target for kind in _PACES):
            rate = (answered[Kind.READ] + answered[Kind.HOLD]) / elapsed
            self.limit = max(self._floor, min(self._ceiling, int(rate * target)))
        elif self._any_refused:
            self.limit = min(self._ceiling, int(self.limit * _GROWTH) + 1)
        else:
            self.limit = self._ceiling
        self._limits = self._limits_for(self.limit)
        self._answered = [0] * len(Kind)
        self._seconds = [0.0] * len(Kind)
        if self._any_refused:
            self._any_refused = False
            if self._report is not None:
                refused, self._refused = self._refused, [0] * len(Kind)
                self._report(refused)

    def _limits_for(self, limit: int) -> tuple[float, ...]:
        """Below how many in its room a request of each kind is let in."""
        reads = limit * limits.READS_PERCENT_MAX // 100
        return (reads, limit, limit, self._bookings, float("inf"), limits.STREAMS_MAX)
