"""The display: bars on a terminal, lines elsewhere, and it ends with the sale."""

import asyncio
import io
import time
from typing import cast

import pytest
from rich.console import Console

from overbookr.demo import progress
from overbookr.demo.client import Client
from overbookr.demo.model import Operation
from overbookr.demo.picking import AvailabilityAnswer, House
from overbookr.demo.recorder import Recorder
from overbookr.demo.scene import Scene, SeatMap
from tests.demo.hall import EVENT, small_plan

pytestmark = pytest.mark.anyio


class _Nowhere:
    """A client that is never asked anything."""

    def url(self, path: str) -> str:
        return path


@pytest.fixture
def scene() -> Scene:
    house = House(small_plan(rows=3, seats=8))
    recorder = Recorder()
    client = cast(Client, _Nowhere())
    scene = Scene(client, house, EVENT, recorder, SeatMap(client, house, EVENT, recorder))
    scene.seat_map.latest = house.view(AvailabilityAnswer(1, 0, ["Hall-A-1"], ["Hall-A-2", "Hall-A-3"], []))
    scene.crowd.shopping, scene.crowd.waiting = 1_234, 56
    return scene


async def shown(console: Console, scene: Scene, seconds: float) -> str:
    async with progress.show_on(console)(scene):
        await asyncio.sleep(seconds)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_lines_where_there_is_no_terminal(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    text = await shown(Console(file=io.StringIO(), width=60), scene, 0.1)
    assert "\x1b" not in text
    assert "sold 2  held 1  free 21" in text.splitlines()[0]
    assert "shopping 1,234  waiting 56" in text.splitlines()[0]


async def test_bars_on_a_terminal(scene: Scene) -> None:
    text = await shown(Console(file=io.StringIO(), width=100, force_terminal=True), scene, 0.1)
    assert "━" in text
    assert "1,234 shopping" in text


def test_before_anybody_has_looked_every_seat_is_free(scene: Scene) -> None:
    scene.seat_map.latest = None
    assert progress.seats_now(scene) == (0, 0, 24)


def test_the_pace_is_of_the_time_since_it_was_asked_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    pace = progress.Pace(scene)
    for _ in range(30):
        scene.recorder.record(Operation.LOOK, 200, "", 0.1)
    now = 102.0
    assert pace.measure() == pytest.approx(15.0)
    now = 103.0
    assert pace.measure() == 0.0
