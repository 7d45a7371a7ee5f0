"""Growth: one dimension at a time, told beside the smallest house, and told when it is beyond the bound."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bench.charts import draw_growth
from bench.figures import MILLISECONDS, Figure, as_json
from bench.grown import GROWTH, build_grown
from bench.report import remarks
from bench.sizes import DIMENSIONS, FULL, ONCE, SMALL, Sizes, points_of
from bench.stage import Turnout, open_stage


def _figure(variant: str, dimension: str, factor: int, value: float, bound: float | None) -> Figure:
    repetition = {"value": value, "done": 5, "failed": [], "dimension": dimension, "factor": factor, "bound": bound}
    return Figure("growth", "hold", variant, "operations", MILLISECONDS, ("hold", ONCE), [repetition])


@pytest.mark.parametrize("sizes", [SMALL, FULL])
def test_a_house_grows_in_one_dimension_at_a_time(sizes: Sizes) -> None:
    first, *grown = points_of(sizes)
    assert first.variant == ONCE
    assert first.sizes == sizes.once
    assert len(grown) == len(DIMENSIONS) * len(sizes.factors)
    for point in grown:
        differ = {name for name, size in point.sizes.items() if size != sizes.once[name]}
        assert differ == {point.dimension}
        assert point.sizes[point.dimension] == sizes.once[point.dimension] * point.factor
    assert len({point.layout for point in (first, *grown)}) == len(grown) + 1


def test_growth_beyond_the_bound_is_told_and_what_is_touched_may_grow() -> None:
    figures: list[dict[str, Any]] = as_json(
        [
            _figure(ONCE, "nothing", 1, 2.0, 1.5),
            _figure("10 times the seats", "seats", 10, 2.5, 1.5),
            _figure("100 times the seats", "seats", 100, 4.0, 1.5),
            _figure("100 times the people", "waiters", 100, 9.0, None),
        ]
    )
    told = [remarks(figure) for figure in figures]
    assert told[0] == told[1] == told[3] == []
    assert told[2] == ["grew 2.00 times; 1.5 is the bound of what it does not itself touch"]
    drawn = draw_growth("seats", "Seats", figures)
    assert drawn is not None
    assert b"100 times" in drawn
    assert draw_growth("viewers", "Viewers", figures) is None


@pytest.mark.slow
def test_a_grown_house_is_what_its_sizes_say_and_lawful_where_it_is_sold_out(tmp_path: Path) -> None:
    async def build() -> dict[str, int]:
        point = next(point for point in points_of(SMALL) if point.dimension == "waiters")
        async with open_stage(tmp_path, Turnout(1_000)) as stage:
            await stage.build([(point.layout, build_grown(point))])
            await stage.refill(point.layout)
            sold_out, on_sale, _ = stage.events[point.layout]
            async with stage.connect() as connection:
                found: Any = await connection.fetchrow(
                    """select count(*) filter (where event_id = $1 and status = 'booked') as sold,
                              count(*) filter (where event_id = $2 and status = 'available') as on_sale,
                              (select count(*) from bookings where event_id not in ($1, $2)) as past,
                              (select count(*) from waitlist_entries where status = 'waiting') as waiting,
                              (select count(*) from plan_event_repairs_v1($1) r where r.kind <> 'owe_mail') as wrong
                         from seats""",
                    sold_out, on_sale,
                )  # fmt: skip
                assert len(await connection.fetch(GROWTH.list_bookings, sold_out, 5)) == 5
            return {"expected waiting": point.sizes["waiters"], **dict(found)}

    found = asyncio.run(build())
    assert found == {
        "expected waiting": SMALL.once["waiters"] * 10,
        "sold": SMALL.once["seats"],
        "on_sale": SMALL.once["seats"],
        "past": SMALL.once["bookings"],
        "waiting": SMALL.once["waiters"] * 10,
        "wrong": 0,
    }
