"""How a range of time is put together of what is counted: spans of whole days, and parts of days at its ends."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from overbookr.analytics.model import TimeRange

# In the database too, where each booking is counted in one span of each length. Powers of two.
SPANS_DAYS: Final = (64, 8, 1)
_EPOCH: Final = date(1970, 1, 1)
_DAY: Final = timedelta(days=1)
_STEP: Final = timedelta(microseconds=1)


class Edge(msgspec.Struct, frozen=True):
    """A part of one day, without `before`: its bookings are added to what whole days say, or (`sign` -1) taken away."""

    start: datetime
    before: datetime
    sign: int


class Pieces(msgspec.Struct, frozen=True):
    """Whole days from `first` to `last`, none when that lies before it, and at most two edges."""

    first: date
    last: date
    edges: list[Edge]


def spans_of(first: date, last: date) -> list[tuple[int, date]]:
    """The fewest spans, as length and first day, that are exactly the days from `first` to `last`."""
    found = []
    while first <= last:
        days = next(
            days
            for days in SPANS_DAYS
            if (first - _EPOCH).days % days == 0 and first + timedelta(days=days - 1) <= last
        )
        found.append((days, first))
        first += timedelta(days=days)
    return found


def cut(span: TimeRange, now: datetime, *, is_open: bool = False) -> Pieces:
    """The pieces of a range, read at `now`; `is_open` when it has no end, so that today counts whole.

    Of a day that is partly in the range, the smaller part is read: the one that is in it, or the one that is not. After
    `now` there is nothing to read, so a range that ended a moment ago costs no more than one that has no end.
    """
    before = _midnight(now.date()) + _DAY if is_open else span.to + _STEP
    first, last = span.from_.date(), (before - _STEP).date()
    if first == last and span.from_ > _midnight(first) and before < _midnight(first) + _DAY:
        return Pieces(first, first - _DAY, [Edge(span.from_, before, 1)])
    edges = []
    if span.from_ > _midnight(first):
        ends = _midnight(first) + _DAY
        if span.from_ - _midnight(first) < ends - span.from_:
            edges.append(Edge(_midnight(first), span.from_, -1))
        else:
            edges.append(Edge(span.from_, ends, 1))
            first += _DAY
    if before < _midnight(last) + _DAY:
        ends = _midnight(last) + _DAY
        if min(ends, now) - before < before - _midnight(last):
            edges.append(Edge(before, ends, -1))
        else:
            edges.append(Edge(_midnight(last), before, 1))
            last -= _DAY
    return Pieces(first, last, edges)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
