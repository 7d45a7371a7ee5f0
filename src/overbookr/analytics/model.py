"""What was sold: totals over a range of time, in the shapes of the wire. All times are UTC."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

RANGE_DAYS_DEFAULT = 30
RANGE_DAYS_MAX = 366
TOP_EVENTS_DEFAULT = 10
TOP_EVENTS_MAX = 100

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# The finest step of the database's clock: the last instant of a day is the next midnight less this.
_STEP = timedelta(microseconds=1)
# Far from the edges where time zones and whole days overflow.
_YEARS = range(1900, 9000)


class TimeRange(msgspec.Struct, frozen=True):
    """Both ends belong to the range."""

    from_: datetime = msgspec.field(name="from")
    to: datetime


class Totals(msgspec.Struct, frozen=True):
    """Of the bookings made in the range. Seats of those that were cancelled since do not count as booked."""

    total_bookings: int
    total_seats_booked: int
    total_cancellations: int
    total_active: int


class DayCount(msgspec.Struct, frozen=True):
    """A day on which something was booked; `day` is its midnight."""

    day: datetime
    bookings: int
    seats_booked: int


class TopEvent(msgspec.Struct, frozen=True):
    """`bookings_count` and `seats_booked` are of the range; `capacity`, what can be sold, and `booked_count` of now."""

    event_id: UUID
    name: str
    bookings_count: int
    seats_booked: int
    capacity: int
    booked_count: int


class StatusCount(msgspec.Struct, frozen=True):
    status: str
    count: int


class EventUtilization(msgspec.Struct, frozen=True):
    """How full an event is now, and how many seats of that were booked in the range."""

    event_id: UUID
    name: str
    capacity: int
    booked_count: int
    bookings_seats_in_range: int


class TotalBookings(msgspec.Struct, frozen=True):
    range: TimeRange
    totals: Totals
    by_day: list[DayCount]
    top_events: list[TopEvent]
    by_status: list[StatusCount]
    event_utilization: list[EventUtilization]


class MinuteOfSales(msgspec.Struct, frozen=True):
    """What became of seats in a minute, which `minute` begins.

    `held` were set aside; of held ones, `booked` were bought and `returned` let go of or lapsed. `promoted` went from
    the waitlist's freed seats straight to a waiter. `cancelled` were booked before.
    """

    minute: datetime
    held: int
    booked: int
    returned: int
    promoted: int
    cancelled: int


class EventSales(msgspec.Struct, frozen=True):
    """A stretch of an event's feed, by minute: the changes after `after` up to and including `version`.

    Stretches that follow each other add up, minute by minute. `is_whole` is false where there was more to tell between
    `version` and the present than one answer tells.
    """

    after: int
    version: int
    is_whole: bool
    minutes: list[MinuteOfSales]


class RangeRefusal(StrEnum):
    """Why there is no such range, in words for people."""

    UPSIDE_DOWN = "from is later than to"
    TOO_LONG = f"the range is longer than {RANGE_DAYS_MAX} days"


def read_bound(text: str, *, is_end: bool) -> datetime | None:
    """The instant of a date (its first, or as an end its last) or of an RFC 3339 datetime; None for anything else."""
    is_day = _DAY.fullmatch(text) is not None
    # An offset's plus sign that nobody encoded arrives as a blank.
    written = f"{text}T00:00:00Z" if is_day else re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", text)
    try:
        instant = msgspec.convert(written, _Instant)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None
    if instant.year not in _YEARS:
        return None
    return instant.astimezone(UTC) + (timedelta(days=1) - _STEP if is_day and is_end else timedelta())


def resolve_range(start: datetime | None, end: datetime | None, now: datetime) -> TimeRange | RangeRefusal:
    """The range asked for; without an end it ends now, without a start it begins thirty days before its end."""
    to = now if end is None else end
    from_ = to - timedelta(days=RANGE_DAYS_DEFAULT) if start is None else start
    if from_ > to:
        return RangeRefusal.UPSIDE_DOWN
    if to - from_ > timedelta(days=RANGE_DAYS_MAX):
        return RangeRefusal.TOO_LONG
    return TimeRange(from_, to)
