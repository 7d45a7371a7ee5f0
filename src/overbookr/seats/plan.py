"""Seating plans: from a file in pretix's public JSON format to seats that can be sold and a chart that can be drawn."""

from itertools import pairwise
from math import hypot
from typing import Any

import msgspec

from overbookr.seats.natural_order import natural_key
from overbookr.seats.plan_file import (
    FileArea,
    FileCategory,
    FileRow,
    FileSize,
    PlanFile,
    count_seats,
    decode,
    read_plan_file,
)
from overbookr.seats.plan_problems import ERRORS_MAX, PlanError, PlanRefused, Problems
from overbookr.seats.plan_rules import SEAT_NO_CHARACTERS_MAX, SEATS_MAX, check_plan, seat_label

__all__ = [
    "ERRORS_MAX",
    "SEATS_MAX",
    "SEAT_NO_CHARACTERS_MAX",
    "PlanArea",
    "PlanError",
    "PlanRefused",
    "PlannedRow",
    "PlannedSeat",
    "PlannedSection",
    "SeatingPlan",
    "chart_document",
    "parse_plan",
]

# Neighbours further apart than this many times the row's usual distance have an aisle between them.
_AISLE_FACTOR = 1.75
# No suffix that makes a label unique is longer than this, since no plan has more than SEATS_MAX seats.
_STEM_CHARACTERS_MAX = SEAT_NO_CHARACTERS_MAX - len(f" ({SEATS_MAX})")


class PlannedSeat(msgspec.Struct, frozen=True, gc=False):
    """x and y: absolute, in the plan's units. ordinal: two seats are neighbours if their ordinals differ by 1.

    section, row, number and category are trimmed; category is the name of one of the plan's categories.
    """

    seat_no: str
    seat_guid: str
    section: str
    row: str
    number: str
    category: str
    x: float
    y: float
    sort_key: str
    ordinal: int


class PlannedRow(msgspec.Struct, frozen=True):
    row: str
    seats: list[PlannedSeat]


class PlannedSection(msgspec.Struct, frozen=True):
    name: str
    rows: list[PlannedRow]


class PlanArea(msgspec.Struct, frozen=True):
    """A drawing without seats, and where its zone puts it."""

    area: FileArea
    x: float
    y: float


class SeatingPlan(msgspec.Struct, frozen=True):
    """sections: in file order, without those and the rows that have no seats. seats: the same seats in one list."""

    name: str
    categories: list[FileCategory]
    size: FileSize
    sections: list[PlannedSection]
    areas: list[PlanArea]
    seats: list[PlannedSeat]


def parse_plan(raw: bytes) -> SeatingPlan | PlanRefused:
    """The plan in the file, or every reason why it cannot be used. Never raises, whatever the bytes are.

    The largest plans take more than a second: keep it off the event loop.
    """
    document = decode(raw)
    if isinstance(document, PlanRefused):
        return document
    problems = Problems(document)
    seats = count_seats(document)
    if seats > SEATS_MAX:
        problems.add(("zones",), f"{seats:,} seats, and {SEATS_MAX:,} are allowed.")
        return problems.refusal()
    plan_file = read_plan_file(document, problems)
    if not problems.full:
        check_plan(plan_file, problems)
    if not seats:
        problems.add(("zones",), "there is no seat in any row of any zone.")
    return problems.refusal() if problems else _plan(plan_file)


def chart_document(plan: SeatingPlan) -> bytes:
    """What a client draws, as compact JSON; it never changes for a plan, so it can be cached for long.

    {"name", "size": {"width", "height"}, "categories": [{"name", "color"}],
     "sections": [{"name", "rows": [{"row", "seats": [[seat_no, number, x, y, index in categories]]}]}],
     "areas": [{"shape", "position": {"x", "y"}, "color", "border_color", "rotation",
                "circle": {"radius"} | "ellipse": {"radius": {"x", "y"}} | "rectangle": {"width", "height"}
                | "polygon": {"points": [{"x", "y"}]},
                "text": {"text", "position": {"x", "y"}, "color", "size"}}]}

    Seats and the areas' own positions are absolute; points and texts inside an area count from its position, around
    which it is turned by `rotation` degrees clockwise. A rectangle has its position at the top left, a circle and an
    ellipse at the centre. An area has the member that its shape names, and `text` if it has a caption. Numbers have at
    most 2 decimals.
    """
    index_of = {category.name: index for index, category in enumerate(plan.categories)}
    return msgspec.json.encode(
        {
            "name": plan.name,
            "size": {"width": _rounded(plan.size.width), "height": _rounded(plan.size.height)},
            "categories": [{"name": category.name, "color": category.color} for category in plan.categories],
            "sections": [
                {"name": section.name, "rows": [_chart_row(row, index_of) for row in section.rows]}
                for section in plan.sections
            ],
            "areas": [_chart_area(area) for area in plan.areas],
        }
    )


def _plan(file: PlanFile) -> SeatingPlan:
    labels = iter(_seat_numbers(file))
    sections: list[PlannedSection] = []
    areas: list[PlanArea] = []
    ordinal = -1
    for zone in file.zones:
        rows: list[PlannedRow] = []
        for row in zone.rows:
            if not row.seats:
                continue
            steps = _ordinal_steps(row)
            x, y = zone.position.x + row.position.x, zone.position.y + row.position.y
            seats = []
            for seat, step in zip(row.seats, steps, strict=True):
                ordinal += step
                seat_no = next(labels)
                seats.append(
                    PlannedSeat(
                        seat_no=seat_no,
                        seat_guid=seat.seat_guid,
                        section=zone.name.strip(),
                        row=row.row_number.strip(),
                        number=seat.seat_number.strip(),
                        category=seat.category.strip(),
                        x=x + seat.position.x,
                        y=y + seat.position.y,
                        sort_key=natural_key(seat_no),
                        ordinal=ordinal,
                    )
                )
            rows.append(PlannedRow(row.row_number.strip(), seats))
        if rows:
            sections.append(PlannedSection(zone.name.strip(), rows))
        areas.extend(
            PlanArea(area, zone.position.x + area.position.x, zone.position.y + area.position.y)
            for area in zone.areas
            if area.shape != "text" or _has_caption(area)
        )
    return SeatingPlan(
        name=file.name.strip(),
        categories=[FileCategory(category.name.strip(), category.color) for category in file.categories],
        size=file.size,
        sections=sections,
        areas=areas,
        seats=[seat for section in sections for row in section.rows for seat in row.seats],
    )


def _seat_numbers(file: PlanFile) -> list[str]:
    """A label for each seat in file order; the second of the same gets " (2)", the third " (3)".

    A label that is in the file only once is never changed, even if it looks like a numbered one.
    """
    labels = [seat_label(zone, row, seat) for zone in file.zones for row in zone.rows for seat in row.seats]
    originals = set(labels)
    if len(originals) == len(labels):
        return labels
    taken: set[str] = set()
    next_number: dict[str, int] = {}
    unique: list[str] = []
    for label in labels:
        if label in taken:
            # Long labels that differ only in their end share a stem and count on together: no number is tried twice.
            stem = label[:_STEM_CHARACTERS_MAX]
            number = next_number.get(stem, 2)
            while (numbered := f"{stem} ({number})") in originals or numbered in taken:
                number += 1
            next_number[stem] = number + 1
            taken.add(numbered)
            unique.append(numbered)
        else:
            taken.add(label)
            unique.append(label)
    return unique


def _ordinal_steps(row: FileRow) -> list[int]:
    """How far each seat's ordinal is from the one before it in the file: 1 to a neighbour, 2 across an aisle or row."""
    positions = [seat.position for seat in row.seats]
    pitches = [hypot(b.x - a.x, b.y - a.y) for a, b in pairwise(positions)]
    if not pitches:
        return [2]
    # The lower median: in a row of three with one aisle the smaller distance is the usual one.
    widest = _AISLE_FACTOR * sorted(pitches)[(len(pitches) - 1) // 2]
    return [2, *(2 if pitch > widest else 1 for pitch in pitches)]


def _chart_row(row: PlannedRow, index_of: dict[str, int]) -> dict[str, Any]:
    return {
        "row": row.row,
        "seats": [
            [seat.seat_no, seat.number, _rounded(seat.x), _rounded(seat.y), index_of[seat.category]]
            for seat in row.seats
        ],
    }


def _chart_area(placed: PlanArea) -> dict[str, Any]:
    area = placed.area
    chart: dict[str, Any] = {
        "shape": area.shape,
        "position": {"x": placed.x, "y": placed.y},
        "color": area.color,
        "border_color": area.border_color,
        "rotation": area.rotation,
    }
    if area.shape != "text":
        chart[area.shape] = msgspec.to_builtins(getattr(area, area.shape))
    if _has_caption(area):
        chart["text"] = msgspec.to_builtins(area.text)
    rounded: dict[str, Any] = _rounded_all(chart)
    return rounded


def _has_caption(area: FileArea) -> bool:
    return area.text is not None and area.text.text.strip() != ""


def _rounded_all(value: Any) -> Any:
    match value:
        case float():
            return _rounded(value)
        case dict():
            return {name: _rounded_all(member) for name, member in value.items()}
        case list():
            return [_rounded_all(item) for item in value]
        case _:
            return value


def _rounded(value: float) -> float | int:
    """At most 2 decimals, and none at all when there are none: a third of a chart is coordinates."""
    rounded = round(value, 2)
    return int(rounded) if rounded.is_integer() else rounded
