"""Audits as a person reads them."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from overbookr.audit.model import AuditReport, RepairPlan

ROWS_SHOWN_MAX = 10


def print_report(report: AuditReport, console: Console) -> None:
    looked_at = ", ".join(f"{count:,} {name}" for name, count in report.population.items())
    console.print(f"Looked at {looked_at} in {report.seconds:.1f} s.", highlight=False)
    if report.is_clean:
        console.print(f"[green]All {len(report.counts)} laws hold.[/green]")
        return
    for law, rows in report.violations.items():
        table = Table(title=f"{law}: {report.counts[law]} rows", title_justify="left")
        for column in rows[0]:
            table.add_column(column)
        for row in rows[:ROWS_SHOWN_MAX]:
            table.add_row(*(escape(str(value)) for value in row.values()))
        console.print(table)


def print_plan(plan: RepairPlan, console: Console, *, done: bool = False) -> None:
    if plan.steps:
        console.print("[bold]Done:[/bold]" if done else "[bold]What can be repaired:[/bold]")
        for step in plan.steps:
            console.print(f"  {escape(step.description)}", highlight=False)
    if plan.left:
        console.print("[bold]What people must decide:[/bold]")
        for step in plan.left:
            console.print(f"  {escape(step.description)}", highlight=False)
