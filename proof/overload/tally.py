"""What a phase of load came to, counted by the crowd itself."""

from array import array
from typing import Any, Final

import msgspec

from overbookr.demo.percentile import percentile

REFUSALS: Final = (429, 503)


class Second(msgspec.Struct):
    """One second of a phase, by when answers came: what was accepted, refused, and how long the accepted took."""

    accepted: int
    refused: int
    p99_ms: float | None


class Tally(msgspec.Struct):
    """`goodput` counts requests that had their effect (201). Latencies in milliseconds, from when a request was meant
    to be sent. `offered` requests are `sent` or `unsent`: no connection of the crowd's was free."""

    name: str
    seconds: float
    offered: int = 0
    sent: int = 0
    unsent: int = 0
    holds: int = 0
    bookings: int = 0
    refused: int = 0
    refused_bookings: int = 0
    refused_without_retry_after: int = 0
    others: dict[str, int] = {}
    broken: int = 0
    unanswered: int = 0
    hold_p50_ms: float | None = None
    hold_p99_ms: float | None = None
    booking_p50_ms: float | None = None
    booking_p99_ms: float | None = None
    accepted_p50_ms: float | None = None
    accepted_p99_ms: float | None = None
    refusal_p99_ms: float | None = None
    processor_seconds: float = 0.0
    by_second: list[Second] = []

    @property
    def goodput(self) -> float:
        """Effects a second."""
        return (self.holds + self.bookings) / self.seconds

    def improper(self) -> list[str]:
        """What an overloaded server may not answer, a line each."""
        lines = [f"{self.name}: {count} answers {what}" for what, count in self.others.items()]
        if self.refused_without_retry_after:
            lines.append(f"{self.name}: {self.refused_without_retry_after} refusals without Retry-After")
        if self.broken:
            lines.append(f"{self.name}: {self.broken} requests lost with their connection")
        if self.unanswered:
            lines.append(f"{self.name}: {self.unanswered} requests were never answered")
        return lines

    def figures(self) -> dict[str, Any]:
        told = msgspec.to_builtins(self)
        for name in ("name", "by_second", "others"):
            del told[name]
        return {f"{self.name}_{name}": round(value, 3) if isinstance(value, float) else value
                for name, value in told.items()} | {
            f"{self.name}_goodput_per_second": round(self.goodput, 1),
            f"{self.name}_offered_per_second": round(self.offered / self.seconds, 1),
            f"{self.name}_sent_per_second": round(self.sent / self.seconds, 1),
        }  # fmt: skip


class Counting:
    """Counts while a phase runs; `finish` makes a Tally of it."""

    def __init__(self, name: str, started: float) -> None:
        self._tally = Tally(name, 0.0)
        self._started = started
        self._holds = array("d")
        self._bookings = array("d")
        self._refusals = array("d")
        self._seconds: list[tuple[array[float], list[int]]] = []

    @property
    def counts(self) -> Tally:
        return self._tally

    def answered(self, *, is_booking: bool, status: int, retry_after: int | None, meant_at: float, now: float) -> None:
        took = (now - meant_at) * 1000
        accepted, refused = self._second(now)
        tally = self._tally
        if status == 201:
            accepted.append(took)
            if is_booking:
                tally.bookings += 1
                self._bookings.append(took)
            else:
                tally.holds += 1
                self._holds.append(took)
        elif status in REFUSALS:
            refused[0] += 1
            tally.refused += 1
            tally.refused_bookings += is_booking
            self._refusals.append(took)
            if retry_after is None or retry_after < 1:
                tally.refused_without_retry_after += 1
        else:
            what = f"{status} to {'bookings' if is_booking else 'holds'}"
            tally.others[what] = tally.others.get(what, 0) + 1

    def _second(self, now: float) -> "tuple[array[float], list[int]]":
        place = max(0, int(now - self._started))
        while len(self._seconds) <= place:
            self._seconds.append((array("d"), [0]))
        return self._seconds[place]

    def finish(self, seconds: float, processor_seconds: float) -> Tally:
        tally = self._tally
        tally.seconds, tally.processor_seconds = seconds, processor_seconds
        tally.hold_p50_ms, tally.hold_p99_ms = percentile(self._holds, 50), percentile(self._holds, 99)
        tally.booking_p50_ms, tally.booking_p99_ms = percentile(self._bookings, 50), percentile(self._bookings, 99)
        accepted = self._holds + self._bookings
        tally.accepted_p50_ms, tally.accepted_p99_ms = percentile(accepted, 50), percentile(accepted, 99)
        tally.refusal_p99_ms = percentile(self._refusals, 99)
        tally.by_second = [
            Second(len(accepted), refused[0], percentile(accepted, 99)) for accepted, refused in self._seconds
        ]
        return tally


def seconds_until_normal(
    tally: Tally, *, p99_ms_max: float, refused_share_max: float = 0.01, in_a_row: int = 3
) -> int | None:
    """How many seconds of a phase pass before so many in a row are normal; None if that never happens.

    Not before all later ones are: close to what can be served, a second now and then is odd without any overload.
    """
    normal = 0
    for place, second in enumerate(tally.by_second):
        total = second.accepted + second.refused
        slow = second.p99_ms is None or second.p99_ms > p99_ms_max
        odd = total > 0 and (slow or second.refused > total * refused_share_max)
        normal = 0 if odd else normal + 1
        if normal == in_a_row:
            return place + 1 - in_a_row
    return None
