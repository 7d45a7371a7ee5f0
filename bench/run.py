"""A run: every scenario in turn, round after round, so that a slow minute of the machine touches all of them alike."""

import asyncio
import http.client
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeVar

import asyncpg

from bench.figures import PER_SECOND, Figure
from bench.serving import Served, serve
from bench.sizes import SMALL, SMALL_SOAK, Sizes, Soak
from bench.stage import Stage

_T = TypeVar("_T")

LAYOUT_NAMES: Final = {"one": "1 event", "fifty": "50 events", "thousand": "1,000 events"}


@dataclass(frozen=True)
class Choices:
    """What the caller wants. `halls` are the seats of those whose maps are read, the smallest first; `bookings` those
    that reports are made of, `watch_seconds` how long viewers watch."""

    seconds: int
    repetitions: int
    users: int
    halls: tuple[int, ...]
    bookings: int
    viewers: tuple[int, ...]
    watch_seconds: int
    peer: str | None = None
    peer_command: str | None = None
    peer_migrations: Path | None = None
    growth: Sizes = SMALL
    soak: Soak = SMALL_SOAK


@dataclass
class Bench:
    """What a scenario is given: the stage, the choices, and where its figures go. `rounds` tells of each scenario when
    each of its rounds began and how long it took."""

    stage: Stage
    choices: Choices
    figures: dict[tuple[str, str], Figure] = field(default_factory=dict)
    rounds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    start_seconds: list[float] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)
    audits: int = 0

    @property
    def seconds(self) -> int:
        return self.choices.seconds

    def add(
        self,
        scenario: str,
        name: str,
        variant: str,
        unit: str,
        repetition: dict[str, Any],
        *,
        measure: str = PER_SECOND,
        yardstick: tuple[str, str] | None = None,
    ) -> None:
        figure = self.figures.setdefault((name, variant), Figure(scenario, name, variant, unit, measure, yardstick))
        figure.repetitions.append({"failed": []} | repetition)
        failed = repetition.get("failed") or []
        told = "; ".join(failed) if failed else f"{repetition['value']:,.2f} {unit} {measure}"
        self.say(f"  {name} ({variant}): {'FAILED: ' if failed else ''}{told}{_besides(repetition)}")

    async def measure(self, scenario: str, measure: "Measure", build: "Measure") -> None:
        """A round of a scenario, after what it needs is there. What cannot be measured is told like anything that
        failed, and does not take the rest of the run with it."""
        told: dict[str, Any] = {"started_at": datetime.now(UTC).isoformat(timespec="seconds")}
        began = built = time.perf_counter()
        try:
            await build(self)
            built = time.perf_counter()
            await measure(self)
        except (RuntimeError, OSError, asyncpg.PostgresError, http.client.HTTPException) as error:
            self.add(scenario, scenario, "all of it", "figures", {"failed": [f"{type(error).__name__}: {error}"]})
        told |= {"build_seconds": round(built - began, 1), "seconds": round(time.perf_counter() - built, 1)}
        self.rounds.setdefault(scenario, []).append(told)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    @asynccontextmanager
    async def serving(self, layout: str, **settings: str) -> AsyncIterator[Served]:
        """Overbookr over HTTP with a layout that nobody has bought anything of."""
        await self.stage.refill(layout)
        with serve(self.stage, **settings) as served:
            self.start_seconds.append(served.seconds_to_ready)
            yield served
            self.memory = served.memory()

    async def audited(self, repetition: dict[str, Any]) -> dict[str, Any]:
        """The repetition, failed if it left any law of the house broken."""
        self.audits += 1
        repetition["failed"] = [*repetition["failed"], *await self.stage.audit()]
        return repetition

    async def beside(self, work: Callable[[], _T]) -> _T:
        """Do what blocks in a thread."""
        return await asyncio.to_thread(work)

    def middle_of(self, name: str, variant: str) -> float | None:
        """The median so far of a figure's values."""
        figure = self.figures.get((name, variant))
        return median(figure.values) if figure is not None and figure.values else None


# Measures what belongs together once, and adds it to the bench.
Measure = Callable[[Bench], Awaitable[None]]


def _besides(repetition: dict[str, Any]) -> str:
    refusals = repetition.get("refusals") or {}
    told = ", ".join(f"{times:,} x {name}" for name, times in sorted(refusals.items()))
    return f" [{told}]" if told else ""
