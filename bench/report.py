"""What was measured, as a table for people and as JSON, with the machine and the commit it was measured on."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from stage import HERE

YARDSTICK: Final = "pgbench"


@dataclass(slots=True)
class Figure:
    """One thing that was measured, a few times. `yardstick` is the figure whose median its own is divided by."""

    name: str
    unit: str
    layout: str | None = None
    yardstick: str | None = None
    repetitions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        return sorted(repetition["rate"] for repetition in self.repetitions)

    @property
    def median(self) -> float:
        return median(self.rates)

    def mean_of(self, *path: str) -> float | None:
        """The mean over the repetitions of a number inside of them, None where it was not measured."""
        found = []
        for repetition in self.repetitions:
            value: Any = repetition
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
            if isinstance(value, int | float):
                found.append(value)
        return mean(found) if found else None


def describe_machine(folder: Path) -> dict[str, Any]:
    """Where it was measured."""
    cpuinfo, meminfo = Path("/proc/cpuinfo").read_text(), Path("/proc/meminfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", meminfo, re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "file_system": file_system_of(folder),
        "load_before": round(os.getloadavg()[0], 2),
    }


def describe_commit() -> dict[str, Any]:
    """The commit that was measured, and whether anything was changed since. None outside of a git checkout."""

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    return {"commit": git("rev-parse", "HEAD"), "changed_since": bool(git("status", "--porcelain"))}


def file_system_of(folder: Path) -> str:
    """The type of the file system on which the folder is, as in ext4."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, found = line.split()[:3]
        place = place.encode().decode("unicode_escape")
        if len(place) > len(best) and folder.resolve().is_relative_to(place):
            best, kind = place, found
    return kind


def as_json(figures: Iterable[Figure], facts: dict[str, Any]) -> dict[str, Any]:
    named = {(figure.name, figure.layout): figure for figure in figures}
    return facts | {
        "figures": [
            {"min": figure.rates[0], "median": figure.median, "max": figure.rates[-1], "ratio": _ratio(figure, named)}
            | asdict(figure)
            for figure in named.values()
        ]
    }


def print_report(figures: list[Figure], facts: dict[str, Any]) -> None:
    console = Console(width=max(130, Console().width) if sys.stdout.isatty() else 150)
    machine = facts["machine"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['file_system']}; "
        f"PostgreSQL {facts['server']['server_version']}, fsync {facts['server']['fsync']}; commit {facts['commit']}"
        f"{' with changes' if facts['changed_since'] else ''}",
        highlight=False,
    )
    console.print(f"pg_test_fsync, one 8 kB write: {facts['pg_test_fsync']}", highlight=False)
    if machine["load_before"] > machine["cores"] / 2:
        console.print(
            f"[bold]Others were at work here (load {machine['load_before']}): take no figure at its word.[/bold]"
        )
    console.print(_rates_table(figures))
    console.print(_costs_table(figures))
    if starts := sorted(facts["start_seconds"]):
        times = f"min {starts[0]:.2f}, median {median(starts):.2f}, max {starts[-1]:.2f}"
        console.print(f"Seconds from start to ready, {len(starts)} starts beside a running database: {times}")
    for name, processes in facts["memory_mib"].items():
        each = ", ".join(f"{process['rss']:.0f}/{process['pss']:.0f}" for process in processes[:4])
        more = f" and {len(processes) - 4} more" if len(processes) > 4 else ""
        total = sum(process["pss"] for process in processes)
        console.print(f"Memory of {name} after the load, RSS/PSS in MiB: {each}{more}; PSS in all {total:.0f}")
    console.print(f"Laws of the house after each load: {facts['laws']}")
    for figure in figures:
        for problem in sorted(_problems(figure)):
            console.print(f"[bold]{figure.name} ({figure.layout}): {problem}[/bold]")


def _rates_table(figures: list[Figure]) -> Table:
    table = Table(title="A second (median of the repetitions; ratio to pgbench on as many events)")
    for column in ("what", "events", "unit"):
        table.add_column(column, no_wrap=True)
    for column in ("min", "median", "max", "ratio", "p50 ms", "p95 ms", "p99 ms", "batch", "refused"):
        table.add_column(column, justify="right")
    named = {(figure.name, figure.layout): figure for figure in figures}
    for figure in figures:
        ratio = _ratio(figure, named)
        p50 = figure.mean_of("latency_ms", "p50") or figure.mean_of("latency_ms", "mean")
        table.add_row(
            figure.name,
            {"one": "1", "fifty": "50"}.get(figure.layout or "", ""),
            figure.unit,
            *(f"{rate:,.0f}" for rate in (figure.rates[0], figure.median, figure.rates[-1])),
            "" if ratio is None else f"{ratio:.2f}",
            *(
                _number(value)
                for value in (p50, figure.mean_of("latency_ms", "p95"), figure.mean_of("latency_ms", "p99"))
            ),
            _number(figure.mean_of("batch", "mean")),
            f"{figure.mean_of('refused') or 0:.0f}",
        )
    return table


def _costs_table(figures: list[Figure]) -> Table:
    names = ("postgres", "api", "python", "duties", "serve", "load")
    table = Table(title="Processor microseconds for each one done")
    for column in ("what", "events"):
        table.add_column(column, no_wrap=True)
    for column in names:
        table.add_column(column, justify="right")
    for figure in figures:
        cells = []
        for name in names:
            used, done = figure.mean_of("cpu_seconds", name), figure.mean_of("done")
            cells.append("" if used is None or not done else f"{used / done * 1e6:.0f}")
        if any(cells):
            table.add_row(figure.name, {"one": "1", "fifty": "50"}.get(figure.layout or "", ""), *cells)
    return table


def _ratio(figure: Figure, named: dict[tuple[str, str | None], Figure]) -> float | None:
    if figure.yardstick is None:
        return None
    yardstick = named.get((figure.yardstick, figure.layout))
    return figure.median / yardstick.median if yardstick is not None and yardstick.median else None


def _problems(figure: Figure) -> set[str]:
    found = set()
    for repetition in figure.repetitions:
        if repetition.get("ran_out"):
            found.add("sold out before its time; the rate is that of the time it lasted")
        for name in ("timeouts", "broken"):
            if repetition.get(name):
                found.add(f"{repetition[name]} {name}")
        found |= {f"refused: {reason}" for reason in repetition.get("refusals", {})}
    return found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
