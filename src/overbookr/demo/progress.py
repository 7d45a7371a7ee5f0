"""What a sale looks like while it runs: bars on a terminal, lines elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from overbookr.demo.scene import Scene

FRAME_SECONDS: Final = 0.25
LINE_SECONDS: Final = 2.0
_BAR_WIDTH = 48


class Pace:
    """Requests a second since the last time it was asked."""

    def __init__(self, scene: Scene) -> None:
        self._recorder = scene.recorder
        self._at = time.perf_counter()
        self._requests = self._recorder.requests

    def measure(self) -> float:
        at, requests = time.perf_counter(), self._recorder.requests
        pace = (requests - self._requests) / max(at - self._at, 1e-6)
        self._at, self._requests = at, requests
        return pace


def show_on(console: Console) -> Callable[[Scene], AbstractAsyncContextManager[None]]:
    """A progress display for `run_demo`, fit for the console."""

    @asynccontextmanager
    async def show(scene: Scene) -> AsyncIterator[None]:
        runner = _draw if console.is_terminal else _print_lines
        task = asyncio.create_task(runner(scene, console), name="progress")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return show


def seats_now(scene: Scene) -> tuple[int, int, int]:
    """Seats sold, held and free, by the newest map that anybody has seen."""
    view = scene.seat_map.latest
    if view is None:
        return 0, 0, len(scene.house.seat_nos)
    return view.booked, view.held, view.free


def line_of(scene: Scene, pace: float) -> str:
    """The state of the sale in one line."""
    sold, held, free = seats_now(scene)
    return (
        f"{scene.recorder.elapsed:5.1f} s  sold {sold:,}  held {held:,}  free {free:,}  "
        f"{pace:,.0f} requests/s  shopping {scene.crowd.shopping:,}  waiting {scene.crowd.waiting:,}"
    )


async def _print_lines(scene: Scene, console: Console) -> None:
    pace = Pace(scene)
    while True:
        await asyncio.sleep(LINE_SECONDS)
        console.print(line_of(scene, pace.measure()), highlight=False, soft_wrap=True)


async def _draw(scene: Scene, console: Console) -> None:
    pace = Pace(scene)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(picture_of(scene, pace.measure()), refresh=True)
            await asyncio.sleep(FRAME_SECONDS)


def picture_of(scene: Scene, pace: float) -> RenderableType:
    """Bars for the seats and a line for the crowd."""
    total = len(scene.house.seat_nos)
    grid = Table.grid(padding=(0, 1))
    for name, count, style in zip(("sold", "held", "free"), seats_now(scene), ("green", "yellow", "blue"), strict=True):
        bar = ProgressBar(total=total, completed=count, width=_BAR_WIDTH, complete_style=style, finished_style=style)
        grid.add_row(name, bar, f"{count:,}")
    crowd = Text(
        f"{scene.recorder.elapsed:.0f} s   {pace:,.0f} requests/s   "
        f"{scene.crowd.shopping:,} shopping   {scene.crowd.waiting:,} waiting"
    )
    return Group(Text(scene.house.name, style="bold"), grid, crowd)
