"""Which ranges there are, and what no spreadsheet will run."""

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from overbookr.analytics.model import (
    DayCount,
    EventUtilization,
    RangeRefusal,
    StatusCount,
    TimeRange,
    TopEvent,
    TotalBookings,
    Totals,
    read_bound,
    resolve_range,
)
from overbookr.analytics.spreadsheet import COLUMNS, guarded, to_csv

NOW = datetime(2024, 3, 15, 12, 30, tzinfo=UTC)
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-02-29", "2024-02-29T00:00:00+00:00", "2024-02-29T23:59:59.999999+00:00"),
        ("2023-12-31", "2023-12-31T00:00:00+00:00", "2023-12-31T23:59:59.999999+00:00"),
        ("2024-02-29T10:00:00Z", "2024-02-29T10:00:00+00:00", "2024-02-29T10:00:00+00:00"),
        ("2024-02-29T10:00:00.25z", "2024-02-29T10:00:00.250000+00:00", "2024-02-29T10:00:00.250000+00:00"),
        ("2024-02-29T23:30:00-02:00", "2024-03-01T01:30:00+00:00", "2024-03-01T01:30:00+00:00"),
        ("2024-02-29T01:30:00+02:00", "2024-02-28T23:30:00+00:00", "2024-02-28T23:30:00+00:00"),
        # The plus of an offset that nobody encoded.
        ("2024-02-29T01:30:00 02:00", "2024-02-28T23:30:00+00:00", "2024-02-28T23:30:00+00:00"),
    ],
)
def test_a_bound_is_a_date_or_a_datetime(text: str, start: str, end: str) -> None:
    begins, ends = read_bound(text, is_end=False), read_bound(text, is_end=True)
    assert begins is not None
    assert ends is not None
    assert begins.isoformat() == start
    assert ends.isoformat() == end


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2024-13-01",
        "2024-00-10",
        "24-01-01",
        "2024-1-1",
        "20240101",
        "2024-W01-1",
        "today",
        "now()",
        " ",
        "2024-01-01T10:00:00",
        "2024-01-01T25:00:00Z",
        "2024-01-01T10:00:60Z",
        "2024-01-01T10:00:00+99:99",
        "1704067200",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31",
        "9999-12-31T23:59:59-14:00",
        "0000-01-01",
        "2024-01-01\x00",
        '"',
        "\ud800",
        "٢٠٢٤-٠١-٠١",
        "2024-01-01' or 1=1 --",
        "null",
        "-1",
        "infinity",
    ],
)
def test_nothing_else_is_a_bound(text: str) -> None:
    assert read_bound(text, is_end=False) is None
    assert read_bound(text, is_end=True) is None


def test_a_range_that_is_not_given_is_the_last_thirty_days() -> None:
    assert resolve_range(None, None, NOW) == TimeRange(NOW - timedelta(days=30), NOW)
    assert resolve_range(NOW - timedelta(days=1), None, NOW) == TimeRange(NOW - timedelta(days=1), NOW)
    earlier = NOW - timedelta(days=100)
    assert resolve_range(None, earlier, NOW) == TimeRange(earlier - timedelta(days=30), earlier)


def test_a_range_is_neither_upside_down_nor_longer_than_a_leap_year() -> None:
    assert resolve_range(NOW, NOW, NOW) == TimeRange(NOW, NOW)
    assert resolve_range(NOW, NOW - timedelta(microseconds=1), NOW) is RangeRefusal.UPSIDE_DOWN
    assert resolve_range(NOW + timedelta(microseconds=1), None, NOW) is RangeRefusal.UPSIDE_DOWN
    year = read_bound("2024-01-01", is_end=False), read_bound("2024-12-31", is_end=True)
    assert isinstance(resolve_range(*year, NOW), TimeRange)
    assert isinstance(resolve_range(NOW - timedelta(days=366), NOW, NOW), TimeRange)
    assert resolve_range(NOW - timedelta(days=366, microseconds=1), NOW, NOW) is RangeRefusal.TOO_LONG


PAYLOADS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x","y")',
    "-2+3+cmd|x",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    '"=1',
    "a,b",
    'say "no"',
    "two\r\nlines",
    "\x00=1",
    "=1;2",
    "Romeo & Juliet",
    "Überraschung",
]
RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def _answer(name: str) -> TotalBookings:
    return TotalBookings(
        range=TimeRange(NOW, NOW),
        totals=Totals(4, 5, 1, 3),
        by_day=[DayCount(datetime(2024, 2, 29, tzinfo=UTC), 2, 3)],
        top_events=[TopEvent(ID, name, 2, 3, 8, 4)],
        by_status=[StatusCount("active", 3)],
        event_utilization=[EventUtilization(ID, name, 8, 4, 3)],
    )


@pytest.mark.parametrize("name", PAYLOADS)
def test_no_name_becomes_a_formula_and_every_name_survives(name: str) -> None:
    table = list(csv.reader(io.StringIO(to_csv(_answer(name)), newline="")))
    assert [len(line) for line in table] == [len(COLUMNS)] * 6
    assert not any(cell.startswith(RUN) for line in table for cell in line)
    read_back = table[4][COLUMNS.index("name")]
    assert read_back in (name.replace("\x00", ""), "'" + name.replace("\x00", ""))
    assert read_back == table[5][COLUMNS.index("name")]


def test_a_table_is_what_the_standard_says() -> None:
    assert to_csv(_answer('The "Globe", London')) == (
        "section,day,status,event_id,name,bookings,seats_booked,cancellations,active,capacity,booked_count\r\n"
        "totals,,,,,4,5,1,3,,\r\n"
        "by_day,2024-02-29,,,,2,3,,,,\r\n"
        "by_status,,active,,,3,,,,,\r\n"
        f'top_events,,,{ID},"The ""Globe"", London",2,3,,,8,4\r\n'
        f'event_utilization,,,{ID},"The ""Globe"", London",,3,,,8,4\r\n'
    )


def test_plain_text_is_left_as_it_is() -> None:
    assert guarded("1 = 1") == "1 = 1"
    assert guarded("") == ""
