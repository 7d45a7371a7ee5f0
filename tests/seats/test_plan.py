"""Seating plans that are sound: labels, coordinates, neighbours, the chart, and a real arena."""

import itertools
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overbookr.seats.natural_order import natural_key
from overbookr.seats.plan import (
    SEAT_NO_CHARACTERS_MAX,
    PlannedSeat,
    PlanRefused,
    SeatingPlan,
    chart_document,
    parse_plan,
)

ARENA = Path(__file__).resolve().parents[3] / "shared" / "data" / "riethsporthalle-erfurt.json"


def row_of(number: str, *seats: str | tuple[str, float], y: float = 0) -> dict[str, Any]:
    """A row of seats 25 apart, or of (number, x) where a seat stands elsewhere."""
    placed = [(seat, index * 25.0) if isinstance(seat, str) else seat for index, seat in enumerate(seats)]
    return {
        "row_number": number,
        "position": {"x": 10, "y": y},
        "seats": [
            {"seat_number": seat, "seat_guid": f"{number}/{index}/{y}", "position": {"x": x, "y": 0.5}, "category": "A"}
            for index, (seat, x) in enumerate(placed)
        ],
    }


def zone_of(name: str, *rows: dict[str, Any], **members: Any) -> dict[str, Any]:
    for row in rows:
        for seat in row["seats"]:
            seat["seat_guid"] += f"/{id(row)}"
    return {"name": name, "position": {"x": 100, "y": 200}, "rows": list(rows), **members}


def plan_of(*zones: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "House",
        "categories": [{"name": "B", "color": "#fff"}, {"name": "A", "color": "#123456"}],
        "size": {"width": 1000, "height": 800},
        "zones": list(zones),
    }


def parsed(document: dict[str, Any]) -> SeatingPlan:
    plan = parse_plan(json.dumps(document).encode())
    assert isinstance(plan, SeatingPlan), plan
    return plan


def labels_of(plan: SeatingPlan) -> list[str]:
    return [seat.seat_no for seat in plan.seats]


def ordinals_of(plan: SeatingPlan) -> list[int]:
    return [seat.ordinal for seat in plan.seats]


def test_seat_carries_trimmed_labels_and_its_absolute_position() -> None:
    document = plan_of(zone_of(" Parkett ", row_of(" 3 ", "1", " 2", y=40)))
    document["zones"][0]["rows"][0]["seats"][1] |= {"category": " A ", "seat_guid": "guid-2"}
    assert parsed(document).seats[1] == PlannedSeat(
        seat_no="Parkett-3-2",
        seat_guid="guid-2",
        section="Parkett",
        row="3",
        number="2",
        category="A",
        x=135.0,
        y=240.5,
        sort_key=natural_key("Parkett-3-2"),
        ordinal=2,
    )


def test_members_that_nobody_asked_for_are_ignored_and_optional_ones_may_be_absent() -> None:
    document = plan_of(zone_of("A", row_of("1", "1"), uuid="u", start_at=4, zone_id=7))
    document["zones"][0]["rows"][0] |= {"row_number_position": None, "row_label": None}
    document["zones"][0]["rows"][0]["seats"][0] |= {"radius": None, "start_direction": "<>"}
    del document["zones"][0]["rows"][0]["position"]
    del document["categories"][0]["color"]
    plan = parsed(document)
    assert (plan.seats[0].x, plan.areas) == (100, [])
    assert plan.categories[0].color.startswith("#")


def test_byte_order_mark_is_no_mistake() -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(plan_of(zone_of("A", row_of("1", "1")))).encode()
    assert isinstance(parse_plan(raw), SeatingPlan)


def test_zone_without_seats_needs_no_name_and_is_no_section() -> None:
    area = {"shape": "circle", "circle": {"radius": 4}}
    stage = {"position": {"x": 5, "y": 6}, "rows": [{"row_number": "", "seats": []}], "areas": [area]}
    plan = parsed(plan_of(stage, zone_of("A", row_of("1", "1"), row_of("2", y=40))))
    assert [(section.name, [row.row for row in section.rows]) for section in plan.sections] == [("A", ["1"])]
    assert [(placed.area.shape, placed.x, placed.y) for placed in plan.areas] == [("circle", 5, 6)]


def test_same_label_again_is_numbered_in_file_order() -> None:
    plan = parsed(plan_of(zone_of("A", row_of("1", "1", "1", "2", "1")), zone_of("A", row_of("1", "2", "3"))))
    assert labels_of(plan) == ["A-1-1", "A-1-1 (2)", "A-1-2", "A-1-1 (3)", "A-1-2 (2)", "A-1-3"]


def test_label_that_looks_numbered_keeps_its_name() -> None:
    plan = parsed(plan_of(zone_of("A", row_of("1", "1", "1", "1 (2)", "1 (2)"))))
    assert labels_of(plan) == ["A-1-1", "A-1-1 (3)", "A-1-1 (2)", "A-1-1 (2) (2)"]


def test_numbered_labels_stay_within_the_limit_and_unique() -> None:
    name = "Z" * 58
    plan = parsed(
        plan_of(zone_of(name, row_of("1", "111", "111", "112", "112", "113")), zone_of(name, row_of("1", "113")))
    )
    labels = labels_of(plan)
    assert len(set(labels)) == len(labels) == 6
    assert max(map(len, labels)) == SEAT_NO_CHARACTERS_MAX
    assert [label for label in labels if not label.endswith(")")] == [f"{name}-1-{n}" for n in (111, 112, 113)]


def test_neighbours_have_consecutive_ordinals_and_rows_are_apart() -> None:
    plan = parsed(
        plan_of(zone_of("A", row_of("1", "1", "2", "3"), row_of("2", "1")), zone_of("B", row_of("1", "1", "2")))
    )
    assert ordinals_of(plan) == [1, 2, 3, 5, 7, 8]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([0, 25, 50, 100, 125], [1, 2, 3, 5, 6]),
        ([0, 25, 50, 93.74, 118], [1, 2, 3, 4, 5]),
        ([0, 25, 50, 93.76, 118], [1, 2, 3, 5, 6]),
        ([0, 25, 75], [1, 2, 4]),
        ([125, 100, 50, 25], [1, 2, 4, 5]),
        ([0, 900], [1, 2]),
        ([0, 0, 0], [1, 2, 3]),
    ],
)
def test_aisle_parts_neighbours(places: list[float], expected: list[int]) -> None:
    row = row_of("1", *[(str(index), float(place)) for index, place in enumerate(places)])
    assert ordinals_of(parsed(plan_of(zone_of("A", row)))) == expected


def test_distance_counts_in_both_directions() -> None:
    document = plan_of(zone_of("A", row_of("1", "1", "2", "3", "4")))
    for index, seat in enumerate(document["zones"][0]["rows"][0]["seats"]):
        seat["position"] = {"x": 0, "y": 30 * index + (60 if index > 1 else 0)}
    assert ordinals_of(parsed(document)) == [1, 2, 4, 5]


def test_chart_holds_everything_a_client_draws() -> None:
    area = {
        "shape": "polygon",
        "color": "#ccc",
        "border_color": "navy",
        "rotation": 12.345,
        "uuid": "left out",
        "position": {"x": 1.5, "y": 2},
        "polygon": {"points": [{"x": 0, "y": 0}, {"x": 10.128, "y": 0}, {"x": 0, "y": 10}]},
        "text": {"text": "Stage\nleft", "position": {"x": 3, "y": 4}, "color": "black", "size": 20},
    }
    captions = [{"shape": "text", "text": {"text": text}} for text in ("Foyer", " ")]
    row = row_of("1", "7", ("8", 33.333), y=1 / 3)
    chart = json.loads(chart_document(parsed(plan_of(zone_of("Hall", row, areas=[area, *captions])))))
    assert chart == {
        "name": "House",
        "size": {"width": 1000, "height": 800},
        "categories": [{"name": "B", "color": "#fff"}, {"name": "A", "color": "#123456"}],
        "sections": [
            {
                "name": "Hall",
                "rows": [
                    {"row": "1", "seats": [["Hall-1-7", "7", 110, 200.83, 1], ["Hall-1-8", "8", 143.33, 200.83, 1]]}
                ],
            }
        ],
        "areas": [
            {
                "shape": "polygon",
                "position": {"x": 101.5, "y": 202},
                "color": "#ccc",
                "border_color": "navy",
                "rotation": 12.35,
                "polygon": {"points": [{"x": 0, "y": 0}, {"x": 10.13, "y": 0}, {"x": 0, "y": 10}]},
                "text": {"text": "Stage\nleft", "position": {"x": 3, "y": 4}, "color": "black", "size": 20},
            },
            {
                "shape": "text",
                "position": {"x": 100, "y": 200},
                "color": "transparent",
                "border_color": "transparent",
                "rotation": 0,
                "text": {"text": "Foyer", "position": {"x": 0, "y": 0}, "color": "#333333", "size": 16},
            },
        ],
    }


def test_chart_has_whole_numbers_without_a_point() -> None:
    chart = chart_document(parsed(plan_of(zone_of("A", row_of("1", "1")))))
    assert b'["A-1-1","1",110,200.5,1]' in chart


@pytest.fixture(scope="module")
def arena() -> SeatingPlan:
    if not ARENA.exists():
        pytest.skip(f"the arena's plan is not at {ARENA}")
    plan = parse_plan(ARENA.read_bytes())
    assert isinstance(plan, SeatingPlan), plan
    return plan


def test_real_arena_is_read_whole(arena: SeatingPlan) -> None:
    assert len(arena.seats) == 1252
    assert len(set(labels_of(arena))) == 1252
    assert not [label for label in labels_of(arena) if label.endswith(")")]
    assert {section.name for section in arena.sections} == {f"Block {letter}" for letter in "ABCDEF"}
    assert {category.name for category in arena.categories} == {"Kategorie I", "Kategorie II", "VIP"}


def test_real_arena_has_neighbours_within_rows_only(arena: SeatingPlan) -> None:
    rows = [row.seats for section in arena.sections for row in section.rows]
    assert all(b.ordinal - a.ordinal == 1 for row in rows for a, b in itertools.pairwise(row))
    assert all(after[0].ordinal - before[-1].ordinal == 2 for before, after in itertools.pairwise(rows))


def test_real_arena_survives_the_chart(arena: SeatingPlan) -> None:
    chart = msgspec.json.decode(chart_document(arena))
    drawn = [seat for section in chart["sections"] for row in section["rows"] for seat in row["seats"]]
    names = [category["name"] for category in chart["categories"]]
    assert [(no, number, x, y, names[index]) for no, number, x, y, index in drawn] == [
        (seat.seat_no, seat.number, seat.x, seat.y, seat.category) for seat in arena.seats
    ]


def test_fifty_thousand_seats_take_less_than_two_seconds() -> None:
    rows = [row_of(str(number), *map(str, range(100)), y=number * 40.0) for number in range(50)]
    raw = json.dumps(plan_of(*[zone_of(f"Z{number}", *json.loads(json.dumps(rows))) for number in range(10)])).encode()
    # The processor's time and not the wall's, so that a busy machine does not fail it.
    started = time.process_time()
    plan = parse_plan(raw)
    assert not isinstance(plan, PlanRefused), plan
    chart_document(plan)
    assert time.process_time() - started < 2
    assert len(plan.seats) == 50_000
