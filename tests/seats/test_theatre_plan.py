"""The theatre that ships with the project is what its script draws, and a house one would want to sit in."""

import itertools
import subprocess
import sys
from importlib.resources import files
from math import dist
from pathlib import Path

import pytest

from overbookr.seats.plan import SeatingPlan, parse_plan

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_theatre_plan.py"
THEATRE = files("overbookr.seats") / "plans" / "theatre.json"


@pytest.fixture(scope="module")
def theatre() -> SeatingPlan:
    plan = parse_plan(THEATRE.read_bytes())
    assert isinstance(plan, SeatingPlan), plan
    return plan


def test_script_reproduces_the_file_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "theatre.json")], check=True, timeout=60)
    assert (tmp_path / "theatre.json").read_bytes() == THEATRE.read_bytes()


def test_house_has_stalls_a_balcony_and_a_stage(theatre: SeatingPlan) -> None:
    assert [section.name for section in theatre.sections] == [
        "Stalls",
        "Balcony Left",
        "Balcony Centre",
        "Balcony Right",
    ]
    assert [row.row for row in theatre.sections[0].rows] == list("ABCDEFGHIJKLMN")
    assert 400 <= len(theatre.seats) <= 600
    assert {seat.category for seat in theatre.seats} == {category.name for category in theatre.categories}
    assert "Stage" in [placed.area.text.text for placed in theatre.areas if placed.area.text]


def test_no_seats_overlap_and_all_are_within_the_plan(theatre: SeatingPlan) -> None:
    assert all(10 <= seat.x <= theatre.size.width - 10 for seat in theatre.seats)
    assert all(10 <= seat.y <= theatre.size.height - 10 for seat in theatre.seats)
    nearest = min(dist((a.x, a.y), (b.x, b.y)) for a, b in itertools.combinations(theatre.seats, 2))
    assert 24 < nearest < 26


def test_only_the_stalls_are_parted_by_an_aisle(theatre: SeatingPlan) -> None:
    for section in theatre.sections:
        for row in section.rows:
            aisles = [
                index for index, (a, b) in enumerate(itertools.pairwise(row.seats), 1) if b.ordinal > a.ordinal + 1
            ]
            assert aisles == ([len(row.seats) // 2] if section.name == "Stalls" else [])
