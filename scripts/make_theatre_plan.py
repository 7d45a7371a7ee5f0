"""Draw the seating plan of the Lindenhof Theatre, the house that ships with Overbookr.

    python scripts/make_theatre_plan.py [FILE]

Writes src/overbookr/seats/plans/theatre.json, or FILE. The same bytes every time; needs nothing but Python.
"""

import json
import math
import sys
import uuid
from pathlib import Path
from typing import Any

DEFAULT_FILE = Path(__file__).resolve().parent.parent / "src" / "overbookr" / "seats" / "plans" / "theatre.json"

WIDTH, HEIGHT = 1080, 1080
PITCH = 25.0
ROW_DISTANCE = 40.0
AISLE = 34.0
# Every row lies on a circle around this point, far behind the stage.
CENTRE_X, CENTRE_Y = 540.0, -270.0
FIRST_STALLS_RADIUS = 510.0
FIRST_BALCONY_RADIUS = 1135.0

CATEGORIES = [
    {"name": "Premium", "color": "#9B2D3F"},
    {"name": "Stalls", "color": "#C98B4B"},
    {"name": "Balcony", "color": "#3F7377"},
    {"name": "Side view", "color": "#8A8FA3"},
]

# Seats to the left (and as many to the right) of the centre aisle.
STALLS = dict(zip("ABCDEFGHIJKLMN", [7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 13], strict=True))
PREMIUM_ROWS = "BCDEF"
# Seats in the centre block, and in each of the side blocks.
BALCONY = {"A": (18, 8), "B": (18, 8), "C": (20, 8), "D": (20, 9), "E": (20, 9)}

Angles = list[float]


def block(radius: float, seats: int, middle: float) -> Angles:
    """The angles of a run of seats one pitch apart, around a middle given as a length along the row."""
    return [(middle + (index - (seats - 1) / 2) * PITCH) / radius for index in range(seats)]


def row_of(zone: str, name: str, radius: float, angles: Angles, categories: list[str]) -> dict[str, Any]:
    points = [(CENTRE_X + radius * math.sin(angle), CENTRE_Y + radius * math.cos(angle)) for angle in angles]
    left, top = (round(points[0][0], 1), round(points[0][1], 1))
    seats = []
    for number, ((x, y), category) in enumerate(zip(points, categories, strict=True), start=1):
        seats.append(
            {
                "seat_number": str(number),
                "seat_guid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"overbookr:lindenhof-theatre/{zone}/{name}/{number}")),
                "position": {"x": round(x - left, 1), "y": round(y - top, 1)},
                "category": category,
            }
        )
    return {"row_number": name, "row_number_position": "both", "position": {"x": left, "y": top}, "seats": seats}


def stalls() -> dict[str, Any]:
    rows = []
    for index, (name, half) in enumerate(STALLS.items()):
        radius = FIRST_STALLS_RADIUS + index * ROW_DISTANCE
        # The seats beside the aisle are a pitch and the aisle apart.
        middle = (half * PITCH + AISLE) / 2
        angles = block(radius, half, -middle) + block(radius, half, middle)
        categories = [stalls_category(name, seat, half) for seat in range(2 * half)]
        rows.append(row_of("Stalls", name, radius, angles, categories))
    return zone("Stalls", rows, [stage()])


def stalls_category(row: str, seat: int, half: int) -> str:
    if row in PREMIUM_ROWS:
        return "Premium"
    # The outermost two seats of the first row look at the wings.
    return "Side view" if row == "A" and not 2 <= seat < 2 * half - 2 else "Stalls"


def balcony() -> list[dict[str, Any]]:
    left, centre, right = [], [], []
    for index, (name, (in_centre, in_side)) in enumerate(BALCONY.items()):
        radius = FIRST_BALCONY_RADIUS + index * ROW_DISTANCE
        middle = (in_centre + in_side) / 2 * PITCH + AISLE
        outer, inner = ["Side view"] * 4, ["Balcony"] * (in_side - 4)
        left.append(row_of("Balcony Left", name, radius, block(radius, in_side, -middle), outer + inner))
        centre.append(row_of("Balcony Centre", name, radius, block(radius, in_centre, 0.0), ["Balcony"] * in_centre))
        right.append(row_of("Balcony Right", name, radius, block(radius, in_side, middle), inner + outer))
    return [
        zone("Balcony Left", left, []),
        zone("Balcony Centre", centre, [caption("Balcony", CENTRE_Y + FIRST_BALCONY_RADIUS - 46)]),
        zone("Balcony Right", right, []),
    ]


def zone(name: str, rows: list[dict[str, Any]], areas: list[dict[str, Any]]) -> dict[str, Any]:
    """The zone at the top left corner of its rows, and the rows placed within it."""
    left = min(row["position"]["x"] for row in rows)
    top = min(row["position"]["y"] for row in rows)
    for item in (*rows, *areas):
        item["position"] = {"x": round(item["position"]["x"] - left, 1), "y": round(item["position"]["y"] - top, 1)}
    return {
        "name": name,
        "zone_id": name.lower().replace(" ", "-"),
        "position": {"x": left, "y": top},
        "rows": rows,
        "areas": areas,
    }


def stage() -> dict[str, Any]:
    """The stage: straight at the back, curved like the first row at the front."""
    radius, half_width, back = FIRST_STALLS_RADIUS - 62, 250.0, 50.0
    widest = math.asin(half_width / radius)
    front = [widest * step / 8 for step in range(8, -9, -1)]
    points = [(-half_width * 0.8, 0.0), (half_width * 0.8, 0.0)]
    points += [(radius * math.sin(angle), CENTRE_Y + radius * math.cos(angle) - back) for angle in front]
    return {
        "shape": "polygon",
        "color": "#2E2A33",
        "border_color": "#2E2A33",
        "rotation": 0,
        "position": {"x": CENTRE_X, "y": back},
        "polygon": {"points": [{"x": round(x, 1), "y": round(y, 1)} for x, y in points]},
        "text": {"text": "Stage", "color": "#F4EDE4", "size": 26, "position": {"x": 0, "y": 64}},
    }


def caption(text: str, y: float) -> dict[str, Any]:
    return {
        "shape": "text",
        "color": "transparent",
        "border_color": "transparent",
        "rotation": 0,
        "position": {"x": CENTRE_X, "y": y},
        "text": {"text": text, "color": "#6B7080", "size": 20, "position": {"x": 0, "y": 0}},
    }


def theatre() -> dict[str, Any]:
    return {
        "name": "Lindenhof Theatre",
        "categories": CATEGORIES,
        "size": {"width": WIDTH, "height": HEIGHT},
        "zones": [stalls(), *balcony()],
    }


def is_one_line(value: dict[str, Any]) -> bool:
    return "seat_guid" in value or not any(isinstance(member, dict | list) for member in value.values())


def as_text(value: Any, depth: int = 0) -> str:
    """JSON with a line for each seat, so that a change of one seat is a change of one line."""
    if isinstance(value, dict) and not is_one_line(value):
        parts = [f"{json.dumps(name)}: {as_text(member, depth + 1)}" for name, member in value.items()]
        opening, closing = "{}"
    elif isinstance(value, list) and value:
        parts = [as_text(member, depth + 1) for member in value]
        opening, closing = "[]"
    else:
        return json.dumps(value, ensure_ascii=False)
    inner = "\n" + " " * (depth + 1)
    return opening + inner + ("," + inner).join(parts) + "\n" + " " * depth + closing


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    file.write_bytes((as_text(theatre()) + "\n").encode())


if __name__ == "__main__":
    main()
