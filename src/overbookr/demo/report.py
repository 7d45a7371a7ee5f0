"""The report of a sale: what is kept of it, and how it is printed."""

from typing import Final
from uuid import UUID

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overbookr.demo.batches import BatchFigures
from overbookr.demo.model import DemoOptions, Operation
from overbookr.demo.recorder import OperationFigures
from overbookr.demo.sale import SaleTimes
from overbookr.demo.verdict import Check, Evidence, judge

_TALLIES: Final = (
    "replayed",
    "released",
    "abandoned",
    "lapsed",
    "cancelled",
    "joined waitlist",
    "promoted",
    "left waitlist",
    "still waiting",
    "late buyers",
    "left without seats",
)


class Throughput(msgspec.Struct, frozen=True):
    """A second, on average until the rush was over and in the best whole second of the sale."""

    what: str
    count: int
    average: float
    peak: int


class DemoReport(msgspec.Struct, frozen=True):
    """`refused` counts answers by code, `statuses` by HTTP status; `ended_early` is why, or "".

    Times are seconds, but those in `operations` milliseconds.
    """

    event_id: UUID
    venue: str
    seats: int
    buyers: int
    seed: int
    connections: int
    times: SaleTimes
    bookings: int
    seats_sold: int
    tallies: dict[str, int]
    refused: dict[str, int]
    statuses: dict[str, int]
    operations: list[OperationFigures]
    throughput: list[Throughput]
    batches: list[BatchFigures]
    audit: list[Check]
    ended_early: str

    @property
    def passed(self) -> bool:
        return not self.ended_early and all(check.passed for check in self.audit)


def make_report(
    options: DemoOptions,
    evidence: Evidence,
    *,
    seed: int,
    venue: str,
    times: SaleTimes,
    batches: list[BatchFigures],
    ended_early: str = "",
) -> DemoReport:
    recorder = evidence.recorder
    rush = times.rush or times.total
    counts = {
        "requests": recorder.requests,
        "holds": recorder.answered(Operation.HOLD, 201),
        "bookings": recorder.answered(Operation.BOOK, 201),
    }
    return DemoReport(
        event_id=evidence.event_id,
        venue=venue,
        seats=evidence.seats,
        buyers=options.buyers,
        seed=seed,
        connections=options.connections,
        times=times,
        bookings=sum(booking.status == "active" for booking in evidence.bookings),
        seats_sold=evidence.house.booked,
        tallies={name: recorder.tallies[name] for name in _TALLIES},
        refused=recorder.refusals(),
        statuses=recorder.statuses(),
        operations=recorder.figures(),
        throughput=[
            Throughput(what, count, recorder.until(what, rush) / rush if rush else 0.0, recorder.peak(what))
            for what, count in counts.items()
        ],
        batches=batches,
        audit=judge(evidence),
        ended_early=ended_early,
    )


def write_json(report: DemoReport) -> bytes:
    """The report as indented JSON, with `passed`."""
    content = msgspec.to_builtins(report)
    return msgspec.json.format(msgspec.json.encode({"passed": report.passed, **content}), indent=2)


def print_report(report: DemoReport, console: Console) -> None:
    _print_story(report, console)
    _print_operations(report, console)
    _print_throughput(report, console)
    _print_audit(report, console)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _print_story(report: DemoReport, console: Console) -> None:
    times = report.times
    table = Table(
        title=f"{escape(report.venue)}: {report.seats:,} seats, {report.buyers:,} buyers", title_justify="left"
    )
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_row("seats sold", f"{report.seats_sold:,}")
    table.add_row("bookings that stand", f"{report.bookings:,}")
    for name, count in report.tallies.items():
        label = f"lapsed (time moved on for {count} abandoned holds)" if name == "lapsed" else name
        table.add_row(label, f"{count:,}")
    for code, count in report.refused.items():
        table.add_row(f"refused: {escape(code)}", f"{count:,}")
    if "no answer" in report.statuses:
        table.add_row("requests without an answer", f"{report.statuses['no answer']:,}")
    table.add_section()
    table.add_row("no seat free after", _seconds(times.all_taken))
    table.add_row("rush over after", _seconds(times.rush))
    table.add_row("every seat booked after", _seconds(times.sold_out))
    table.add_row("everybody home after", _seconds(times.total))
    table.add_row("seed", str(report.seed))
    console.print(table)


def _print_operations(report: DemoReport, console: Console) -> None:
    table = Table(title="Answer times in milliseconds", title_justify="left")
    table.add_column("operation")
    for column in ("count", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="right")
    for figures in report.operations:
        times = (figures.p50, figures.p95, figures.p99, figures.slowest)
        table.add_row(figures.operation, f"{figures.count:,}", *(f"{time:.1f}" for time in times))
    console.print(table)
    statuses = ", ".join(f"{count:,} x {status}" for status, count in report.statuses.items())
    console.print(f"Answers by status: {statuses}", highlight=False)


def _print_throughput(report: DemoReport, console: Console) -> None:
    table = Table(title="Throughput", title_justify="left")
    table.add_column("what")
    for column in ("count", "a second in the rush", "best second"):
        table.add_column(column, justify="right")
    for line in report.throughput:
        table.add_row(line.what, f"{line.count:,}", f"{line.average:,.0f}", f"{line.peak:,}")
    console.print(table)
    if report.batches:
        table = Table(title="Batches of the server", title_justify="left")
        table.add_column("batcher")
        for column in ("batches", "items", "mean size", "half up to", "largest up to"):
            table.add_column(column, justify="right")
        for batch in report.batches:
            table.add_row(
                escape(batch.name),
                f"{batch.batches:,}",
                f"{batch.items:,}",
                f"{batch.mean:.1f}",
                f"{batch.half_up_to:g}",
                f"{batch.largest_up_to:g}",
            )
        console.print(table)


def _print_audit(report: DemoReport, console: Console) -> None:
    table = Table(title="Audit of the database and of every answer", title_justify="left")
    for column in ("", "check", "finding"):
        table.add_column(column, overflow="fold")
    for check in report.audit:
        mark = "[green]yes[/green]" if check.passed else "[bold red]NO[/bold red]"
        table.add_row(mark, escape(check.name), escape(check.finding))
    console.print(table)
    if report.ended_early:
        console.print(report.ended_early, style="bold red")
    if report.passed:
        console.print("[bold green]Sold out, every seat exactly once, and the books are clean.[/bold green]")
    else:
        console.print("[bold red]Not all is well.[/bold red]")
    console.print(f"Repeat the buyers' decisions with --seed {report.seed}.", highlight=False)
