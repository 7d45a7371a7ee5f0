"""Analytics as one table for a spreadsheet (RFC 4180): every line says which section of the answer it belongs to."""

import csv
import io

from overbookr.analytics.model import TotalBookings

COLUMNS = (
    "section",
    "day",
    "status",
    "event_id",
    "name",
    "bookings",
    "seats_booked",
    "cancellations",
    "active",
    "capacity",
    "booked_count",
)

# What makes a spreadsheet take a text for a formula, the full-width forms of the signs included.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def guarded(text: str) -> str:
    """The text as a cell that no spreadsheet runs: an apostrophe before whatever starts like a formula."""
    text = text.replace("\x00", "")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def to_csv(answer: TotalBookings) -> str:
    """Header and lines, ending in CRLF. Seats in range of `event_utilization` are in the column `seats_booked`."""
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for line in _lines(answer):
        writer.writerow({name: guarded(value) if isinstance(value, str) else value for name, value in line.items()})
    return target.getvalue()


def _lines(answer: TotalBookings) -> list[dict[str, str | int]]:
    totals = answer.totals
    lines: list[dict[str, str | int]] = [
        {
            "section": "totals",
            "bookings": totals.total_bookings,
            "seats_booked": totals.total_seats_booked,
            "cancellations": totals.total_cancellations,
            "active": totals.total_active,
        }
    ]
    lines += [
        {
            "section": "by_day",
            "day": one.day.date().isoformat(),
            "bookings": one.bookings,
            "seats_booked": one.seats_booked,
        }
        for one in answer.by_day
    ]
    lines += [{"section": "by_status", "status": one.status, "bookings": one.count} for one in answer.by_status]
    lines += [
        {
            "section": "top_events",
            "event_id": str(one.event_id),
            "name": one.name,
            "bookings": one.bookings_count,
            "seats_booked": one.seats_booked,
            "capacity": one.capacity,
            "booked_count": one.booked_count,
        }
        for one in answer.top_events
    ]
    lines += [
        {
            "section": "event_utilization",
            "event_id": str(one.event_id),
            "name": one.name,
            "seats_booked": one.bookings_seats_in_range,
            "capacity": one.capacity,
            "booked_count": one.booked_count,
        }
        for one in answer.event_utilization
    ]
    return lines
