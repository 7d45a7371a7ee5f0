"""What was measured, as tables for a terminal."""

import sys
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.figures import KILOBYTES, MILLISECONDS, mean_of
from bench.results import durations
from bench.wear import growth_lines

COSTS: Final = {
    "postgres": "PostgreSQL", "api": "API processes", "python": "Python, no HTTP", "duties": "duties", "serve": "serve",
    "load": "load generator",
}  # fmt: skip


def print_report(results: dict[str, Any]) -> None:
    console = Console(width=max(130, Console().width) if sys.stdout.isatty() else 160, highlight=False)
    machine, server = results["machine"], results["server"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['file_system']}; PostgreSQL "
        f"{server['server_version']}, fsync {server['fsync']}; commit {results['commit']}"
        f"{' with changes' if results['changed_since'] else ''}"
    )
    console.print(f"Disk: {results['disk']}")
    if most_load(results) > machine["cores"] / 2:
        console.print(f"[bold]Others were at work here (load {most_load(results)}): take no figure at its word.[/bold]")
    console.print(_figures_table(results["figures"]))
    console.print(_costs_table(results["figures"]))
    if starts := sorted(results["start_seconds"]):
        times = f"min {starts[0]:.2f}, median {median(starts):.2f}, max {starts[-1]:.2f}"
        console.print(f"Seconds from start to ready, {len(starts)} starts beside a running database: {times}")
    for name, processes in results["memory_mib"].items():
        total = sum(process["pss"] for process in processes)
        console.print(f"Memory of {name} after the last load: {total:.0f} MiB (PSS) in {len(processes)} processes")
    for name, rounds, build, seconds in durations(results["rounds"]):
        console.print(f"{name}: {rounds} rounds of {number(seconds)} s, {number(build)} s before for its layouts")
    console.print(f"The laws of the house were asked {results['audits']} times.")
    for figure in results["figures"]:
        for problem in [f"[bold]FAILED:[/bold] {reason}" for reason in figure["failed"]] + remarks(figure):
            console.print(f"{figure['name']} ({figure['variant']}): {problem}")


def most_load(results: dict[str, Any]) -> float:
    """Of what others did on the machine as far as it is known: when a slice of the run began."""
    return float(max(results["machine"]["load_before"], *results.get("loads_before", (0.0,))))


def number(value: float | None) -> str:
    """As exact as it is worth: three digits or so."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def latency(figure: dict[str, Any]) -> tuple[str, str]:
    """Middle and 99th percentile in milliseconds, means of the repetitions'; pgbench knows only its own mean."""
    p50 = mean_of(figure, "latency_ms", "p50")
    mean = mean_of(figure, "latency_ms", "mean")
    return (
        number(p50) if p50 is not None or mean is None else f"mean {number(mean)}",
        number(mean_of(figure, "latency_ms", "p99")),
    )


def cells(figure: dict[str, Any]) -> list[str]:
    """Unit, least, middle and greatest value, ratio, latencies and refusals of a figure."""
    values = ["failed", "", ""] if figure["failed"] else [number(figure[name]) for name in ("min", "median", "max")]
    unit = figure["measure"] if figure["measure"] in (MILLISECONDS, KILOBYTES) else f"{figure['unit']}/s"
    refused = mean_of(figure, "refused")
    return [unit, *values, number(figure["ratio"]), *latency(figure), f"{refused:,.0f}" if refused else ""]


def costs(figure: dict[str, Any]) -> dict[str, float]:
    """Processor microseconds for each one done, by who used them."""
    done = mean_of(figure, "done")
    found = {name: mean_of(figure, "cpu_seconds", name) for name in COSTS}
    if figure["failed"] or not done:
        return {}
    return {name: used / done * 1e6 for name, used in found.items() if used is not None}


def remarks(figure: dict[str, Any]) -> list[str]:
    """What a reader of the figure has to know besides: what was refused, with how many of each."""
    found: dict[str, int] = {}
    for repetition in figure["repetitions"]:
        for reason, times in (repetition.get("refusals") or {}).items():
            found[reason] = found.get(reason, 0) + times
    told = [f"{times:,} answers {reason}" for reason, times in sorted(found.items())]
    told += [f"missed its goal: {goal}" for goal in figure.get("missed", ())]
    if any(repetition.get("ran_out") for repetition in figure["repetitions"]):
        told.append("was done before its time was over; the rate is that of the time it took")
    if figure.get("scenario") == "peer" and figure["ratio"]:
        told.append(f"Overbookr does {number(1 / figure['ratio'])} times as many")
    told += growth_lines(figure["repetitions"][0].get("samples") or [])
    bound = figure["repetitions"][0].get("bound")
    if bound is not None and figure["ratio"] is not None and figure["ratio"] > bound:
        told.append(f"grew {number(figure['ratio'])} times; {bound} is the bound of what it does not itself touch")
    return told


def _figures_table(figures: list[dict[str, Any]]) -> Table:
    table = Table(title="Ratios are to the yardstick, the middle one of all rounds; latencies in ms")
    for column in ("scenario", "what", "where", "unit"):
        table.add_column(column, overflow="fold")
    for column in ("min", "median", "max", "ratio", "p50", "p99", "refused"):
        table.add_column(column, justify="right", no_wrap=True)
    for figure in figures:
        table.add_row(figure["scenario"], figure["name"], figure["variant"], *cells(figure))
    return table


def _costs_table(figures: list[dict[str, Any]]) -> Table:
    table = Table(title="Processor microseconds for each one done")
    for column in ("what", "where"):
        table.add_column(column, overflow="fold")
    for column in COSTS.values():
        table.add_column(column, justify="right")
    for figure in figures:
        if spent := costs(figure):
            table.add_row(figure["name"], figure["variant"], *(number(spent.get(name)) for name in COSTS))
    return table
