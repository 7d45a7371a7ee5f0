"""Pieces of a range are exactly the range, counted instant by instant against a plain comparison."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overbookr.analytics.model import TimeRange
from overbookr.analytics.spans import cut, spans_of

DAYS = st.dates(date(1901, 1, 1), date(2200, 1, 1))
STEP = timedelta(microseconds=1)
_EARLIEST = datetime(2031, 3, 1)
INSTANTS = st.one_of(
    st.datetimes(_EARLIEST, _EARLIEST + timedelta(days=4), timezones=st.just(UTC)),
    # Midnights and their neighbours, where an end is easily one step off.
    st.builds(
        lambda day, steps: _EARLIEST.replace(tzinfo=UTC) + timedelta(days=day) + steps * STEP,
        st.integers(0, 4),
        st.integers(-1, 1),
    ),
)


@settings(deadline=None)
@given(DAYS, st.integers(-1, 400))
def test_spans_are_the_days_each_once_and_start_at_their_multiples(first: date, more: int) -> None:
    last = first + timedelta(days=more)
    spans = spans_of(first, last)
    days = [start + timedelta(days=day) for length, start in spans for day in range(length)]
    assert days == [first + timedelta(days=day) for day in range(more + 1)]
    assert all((start - date(1970, 1, 1)).days % length == 0 for length, start in spans)


@settings(deadline=None)
@given(DAYS)
def test_a_year_is_few_spans(first: date) -> None:
    assert len(spans_of(first, first + timedelta(days=366))) <= 14 + 14 + 5


@settings(deadline=None)
@given(INSTANTS, INSTANTS, INSTANTS, st.lists(INSTANTS, min_size=1))
def test_pieces_have_what_the_range_has(one: datetime, other: datetime, now: datetime, made: list[datetime]) -> None:
    """Whatever the clock says: it only decides which part of the last day is read, not what comes out."""
    start, end = sorted((one, other))
    pieces = cut(TimeRange(start, end), now)
    for at in (*made, start, end, start - STEP, end + STEP):
        times = int(pieces.first <= at.date() <= pieces.last)
        times += sum(edge.sign for edge in pieces.edges if edge.start <= at < edge.before)
        assert times == int(start <= at <= end), (at, pieces)


@settings(deadline=None)
@given(INSTANTS, INSTANTS, st.lists(INSTANTS, min_size=1))
def test_a_range_without_an_end_has_all_of_today(one: datetime, other: datetime, made: list[datetime]) -> None:
    start, now = sorted((one, other))
    pieces = cut(TimeRange(start, now), now, is_open=True)
    assert all(edge.start.date() == start.date() for edge in pieces.edges)
    for at in (*made, start, now, start - STEP):
        if at <= now:
            times = int(pieces.first <= at.date() <= pieces.last)
            times += sum(edge.sign for edge in pieces.edges if edge.start <= at < edge.before)
            assert times == int(start <= at), (at, pieces)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2031-03-01T00:00", "2031-03-02T23:59:59.999999", 0),
        ("2031-03-01T05:00", "2031-03-02T23:59:59.999999", 5),
        ("2031-03-01T17:00", "2031-03-02T23:59:59.999999", 7),
        ("2031-03-01T00:00", "2031-03-02T05:59:59.999999", 6),
        ("2031-03-01T00:00", "2031-03-02T18:59:59.999999", 5),
        ("2031-03-01T00:00", "2031-03-04T17:59:59.999999", 2),
    ],
)
def test_no_more_than_the_smaller_part_of_a_day_is_read(start: str, end: str, hours: int) -> None:
    """At eight in the evening of the fourth, after which there is nothing."""
    span = TimeRange(*(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end)))
    now = datetime(2031, 3, 4, 20, tzinfo=UTC)
    read = [min(edge.before, now) - edge.start for edge in cut(span, now).edges]
    assert sum(read, timedelta()) == timedelta(hours=hours)
