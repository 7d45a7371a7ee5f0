"""What the figures are wanted to be, and what they are: the goals that the page begins with."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.figures import ratio_of
from bench.scenarios.latency import COMMIT, COMMIT_MEANWHILE, HOLD_AT_HALF, LONE_HOLD
from bench.scenarios.pages import FRAMES_MIN, JAVASCRIPT_KB_MAX
from bench.sizes import BOUND

Figures = Mapping[tuple[str, str], dict[str, Any]]
_AT_LEAST: Final = "at least"
_AT_MOST: Final = "at most"


@dataclass(frozen=True)
class Goal:
    """`find` gives what was reached, or None where the figures do not say."""

    says: str
    wanted: float
    find: Callable[[Figures], float | None]
    limit: str = _AT_LEAST
    unit: str = ""

    def judged(self, figures: Figures) -> dict[str, Any] | None:
        found = self.find(figures)
        if found is None:
            return None
        reached = found >= self.wanted if self.limit == _AT_LEAST else found <= self.wanted
        wanted = f"{self.limit} {self.wanted:g}{self.unit}"
        return {"says": self.says, "wanted": wanted, "found": found, "unit": self.unit, "reached": reached}


def _value(name: str, variant: str) -> Callable[[Figures], float | None]:
    def find(figures: Figures) -> float | None:
        figure = figures.get((name, variant))
        return figure["median"] if figure is not None else None

    return find


def _quotient(over: tuple[str, str], under: tuple[str, str]) -> Callable[[Figures], float | None]:
    def find(figures: Figures) -> float | None:
        above, below = figures.get(over), figures.get(under)
        return ratio_of(_values(above), _values(below)) if above and below else None

    return find


def _values(figure: Mapping[str, Any]) -> list[float]:
    return [] if figure["failed"] else [repetition["value"] for repetition in figure["repetitions"]]


def _kilobytes(name: str, variant: str) -> Callable[[Figures], float | None]:
    def find(figures: Figures) -> float | None:
        figure = figures.get((name, variant))
        found = [each["body_bytes"] for each in figure["repetitions"] if "body_bytes" in each] if figure else []
        return max(found) / 1000 if found else None

    return find


def _most_grown(figures: Figures) -> float | None:
    """How many times as much anything costs that is not to cost more in a larger house."""
    bounded = [figure for figure in figures.values() if figure["repetitions"][0].get("bound") is not None]
    ratios = [figure["ratio"] for figure in bounded if figure["ratio"] is not None]
    return max(ratios, default=None)


_FLOW, _HOLD = "hold and book over HTTP", "hold over HTTP"

GOALS: Final = (
    Goal(
        "Holds booked a second on one event, times the other server's", 10,
        _quotient((_FLOW, "1 event"), (f"{_FLOW} by the peer", "1 event")),
    ),
    Goal(
        "Holds booked a second on 50 events, times the other server's", 5,
        _quotient((_FLOW, "50 events"), (f"{_FLOW} by the peer", "50 events")),
    ),
    Goal(
        "Holds booked a second on one event, of what the same SQL reaches without HTTP", 0.6,
        _quotient((_FLOW, "1 event"), ("hold and book without HTTP", "1 event")),
    ),
    Goal(
        "Holds a second on one event, of what the same SQL reaches without HTTP", 0.6,
        _quotient((_HOLD, "1 event"), ("hold without HTTP", "1 event")),
    ),
    Goal(
        "A lone hold (p99), times a bare durable commit", 3,
        _quotient((LONE_HOLD, "p99"), (COMMIT, "p99")), _AT_MOST,
    ),
    Goal(
        "A hold at half of the full rate (p99), times a bare durable commit", 3,
        _quotient((HOLD_AT_HALF, "p99"), (COMMIT, "p99")), _AT_MOST,
    ),
    Goal(
        "The same, times a bare durable commit in the same seconds", 3,
        _quotient((HOLD_AT_HALF, "p99"), (COMMIT_MEANWHILE, "p99")), _AT_MOST,
    ),
    Goal(
        "Availability of 50,000 seats, compact, compressed", 15,
        _kilobytes("compact availability", "50,000 seats, zstd"), _AT_MOST, " kB",
    ),
    Goal(
        "Reads of the availability of 50,000 seats, of what the bare server does with as long an answer", 0.7,
        _quotient(("availability", "50,000 seats, none"), ("static body like availability", "50,000 seats, none")),
    ),
    Goal(
        "A change told to 2,000 viewers (p99)", 500,
        _value("change told, from the answer to its hold", "2,000 viewers, p99"), _AT_MOST, " ms",
    ),
    Goal(
        "A report on 30 days of 5,000,000 bookings", 50,
        _value("report", "30 days of 5,000,000 bookings, p50"), _AT_MOST, " ms",
    ),
    Goal(
        "A report on 366 days of 5,000,000 bookings", 50,
        _value("report", "366 days of 5,000,000 bookings, p50"), _AT_MOST, " ms",
    ),
    Goal("Whatever an operation does not touch, 100 times as large: times its cost", BOUND, _most_grown, _AT_MOST),
    Goal(
        "The last minute of half an hour on sale, of the speed of the first", 0.8,
        _quotient(("on-sale churn", "the last 60 s"), ("on-sale churn", "the first 60 s")),
    ),
    Goal(
        "Frames a second while the map of 1,252 seats is pulled", FRAMES_MIN,
        _value("map while panning", "1,252 seats"),
    ),
    Goal(
        "Frames a second while the map of 1,252 seats is zoomed", FRAMES_MIN,
        _value("map while zooming", "1,252 seats"),
    ),
    Goal(
        "JavaScript that the page of an event loads, compressed", JAVASCRIPT_KB_MAX,
        _value("compressed JavaScript of the first load", "event, 1,252 seats"), _AT_MOST, " kB",
    ),
)  # fmt: skip


def judge_goals(figures: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each goal that the figures tell of: what it says, what was wanted and found, and whether it was reached."""
    by_key = {(figure["name"], figure["variant"]): figure for figure in figures if not figure["failed"]}
    return [judged for goal in GOALS if (judged := goal.judged(by_key)) is not None]
