"""A long run is judged by its own beginning, and says what grew and of what."""

from typing import Any

from bench.report import remarks
from bench.wear import BLOAT_BYTES, growth_lines, judge


def _sample(rate: float, *, seats: int = 100_000, index: int = 50_000, changes: int = 0) -> dict[str, Any]:
    def row(table: str, size: int, *, is_index: bool = False, **counts: int) -> dict[str, Any]:
        zero = dict.fromkeys(("live", "dead", "inserted", "updated", "updated_in_place", "vacuums"), 0)
        return {"of_table": table, "is_index": is_index, "bytes": size} | zero | counts

    return {
        "rate": rate,
        "tables": {
            "events": row("events", 8_192),
            "seats": row("seats", seats, updated=changes, updated_in_place=changes // 2, dead=7),
            "seats_pkey": row("seats", index, is_index=True),
            "seat_changes": row("seat_changes", 8_192 + 100 * changes, inserted=changes),
        },
    }


def test_a_run_that_stays_as_it_is_passes() -> None:
    assert judge([_sample(rate) for rate in (100, 104, 98, 101, 96, 90)]) == []


def test_a_run_that_becomes_slower_is_seen() -> None:
    assert judge([_sample(rate) for rate in (100, 100, 90, 90, 80, 80)]) == ["1.25 times slower at the end"]


def test_a_hot_table_that_bloats_is_seen_by_its_index_too() -> None:
    (fault,) = judge([_sample(100), _sample(100), _sample(100, index=50_000 + 3 * BLOAT_BYTES)])
    assert fault.startswith("seats grew from 150,000 to 3,295,728 bytes")


def test_append_only_tables_may_grow_and_it_is_told_of_what() -> None:
    samples = [_sample(100), _sample(100, changes=2_000)]
    assert judge(samples) == []
    told = growth_lines(samples)
    assert told == [
        "seats: +0 KiB, 0 rows came, 2,000 updates of which 50 % in place; 7 dead at the end, 0 vacuums",
        "seat_changes: +195 KiB, 2,000 rows came, 100 bytes each; 0 dead at the end, 0 vacuums",
    ]
    figure = {"repetitions": [{"samples": samples}], "ratio": None}
    assert remarks(figure) == told
