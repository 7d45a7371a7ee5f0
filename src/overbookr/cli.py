"""The command line: `overbookr --help`."""

import asyncio
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from pydantic import ValidationError
from rich.console import Console
from rich.prompt import Confirm

from overbookr import __version__
from overbookr.settings import load_settings

app = App(
    name="overbookr",
    help="Sells every seat of a venue exactly once, at on-sale speed.",
    version=__version__,
    default_parameter=Parameter(negative=()),
)
admin_app = App(name="admin", help="Administrators.")
app.command(admin_app)

console = Console()
errors = Console(stderr=True)

DUTIES_NICENESS = 19


def main() -> None:
    """Entry point; refusals that have a clear cause end with one line instead of a traceback."""
    try:
        app()
    except ValidationError as error:
        for mistake in error.errors():
            name = ".".join(str(part) for part in mistake["loc"])
            errors.print(f"Setting {name}: {mistake['msg']}", highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # Imported late: it reaches every room, and most commands end well.
        from overbookr.refusals import REFUSALS

        if not isinstance(error, REFUSALS):
            raise
        errors.print(str(error), highlight=False, markup=False)
        sys.exit(1)


@app.command
def serve(
    *,
    welcome: Annotated[
        bool, Parameter(help="On an empty database, make an administrator and an event to try.")
    ] = False,
) -> None:
    """Start everything and serve until SIGTERM."""
    from overbookr.serving import serve as run
    from overbookr.welcome import greet

    settings = load_settings()
    run(settings, welcome=lambda dsn: asyncio.run(greet(dsn, settings, console, welcome=welcome)))


@app.command
def worker(*, supervisor: Annotated[int | None, Parameter(show=False)] = None) -> None:
    """Run the background duties alone, beside any number of other processes that do too."""
    from overbookr.main import run_duties
    from overbookr.processes import end_with_parent
    from overbookr.serving import database, prepare_database
    from overbookr.telemetry import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level)
    if supervisor is not None:
        end_with_parent(supervisor)
        # Drawing tickets must not slow those who are still buying.
        os.nice(DUTIES_NICENESS)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, stop.set)
        async with database(settings) as dsn:
            if supervisor is None:
                await prepare_database(dsn, settings)
            await run_duties(dsn, settings, stop)

    asyncio.run(run())


@app.command
def migrate() -> None:
    """Bring the database's schema up to date."""
    from overbookr.serving import database, prepare_database

    settings = load_settings()

    async def run() -> None:
        async with database(settings) as dsn:
            report = await prepare_database(dsn, settings)
        done = [*report.applied, *report.functions]
        console.print("Applied: " + ", ".join(done) if done else "The database is up to date.")

    asyncio.run(run())


@admin_app.command(name="create")
def create_admin(
    email: str,
    *,
    name: str = "Administrator",
    password: Annotated[str | None, Parameter(help="Made and printed once when not given.")] = None,
) -> None:
    """Make an administrator, or make a known user one and set the password."""
    from overbookr.serving import database, prepare_database
    from overbookr.stores import open_users
    from overbookr.users.model import AccountInvalid

    settings = load_settings()
    given = password or secrets.token_urlsafe(12)

    async def run() -> None:
        async with database(settings) as dsn:
            await prepare_database(dsn, settings)
            async with open_users(dsn, settings) as users:
                outcome = await users.ensure_admin(email, given, name)
        if isinstance(outcome, AccountInvalid):
            for field, fault in outcome.faults:
                errors.print(f"{field} {fault}", highlight=False)
            sys.exit(1)
        console.print(f"{email} is an administrator." + ("" if password else f" Password: {given}"), highlight=False)

    asyncio.run(run())


@app.command(name="import-plan")
def import_plan(event: str, file: Path) -> None:
    """Put a seating plan (pretix's JSON format) in place of an event's seats."""
    from uuid import UUID

    from overbookr.seats.model import SeatsRefused
    from overbookr.seats.plan import PlanRefused, parse_plan
    from overbookr.serving import database, prepare_database
    from overbookr.stores import open_seats

    settings = load_settings()
    try:
        event_id = UUID(event)
    except ValueError:
        errors.print(f"{event!r} is no event's id.")
        sys.exit(2)
    plan = parse_plan(file.read_bytes())
    if isinstance(plan, PlanRefused):
        for fault in plan.errors:
            errors.print(f"{file.name}: {fault.path}: {fault.message}", highlight=False, markup=False)
        if plan.more:
            errors.print("... and more.")
        sys.exit(1)

    async def run() -> None:
        async with database(settings) as dsn:
            await prepare_database(dsn, settings)
            async with open_seats(dsn, settings) as seats:
                outcome = await seats.replace_plan(event_id, plan)
        if isinstance(outcome, SeatsRefused):
            labels = f": {', '.join(outcome.seat_nos)}" if outcome.seat_nos else ""
            errors.print(f"Refused ({outcome.reason.value}){labels}", highlight=False, markup=False)
            sys.exit(1)
        console.print(f"Imported {outcome.seats} seats as chart version {outcome.chart_version}.", highlight=False)

    asyncio.run(run())


@app.command
def reconcile(
    *,
    fix: Annotated[bool, Parameter(help="Repair what can be repaired, after showing the plan.")] = False,
    yes: bool = False,
) -> None:
    """Compare counters and states with the truth. Changes nothing unless --fix is given. Exits 1 when they differ."""
    from overbookr.audit.console import print_plan, print_report
    from overbookr.serving import database, require_schema
    from overbookr.stores import open_audit

    settings = load_settings()

    async def run() -> int:
        async with database(settings) as dsn:
            await require_schema(dsn, settings)
            async with open_audit(dsn, settings) as audit:
                report = await audit.check(settings.user_max_seats_per_event)
                print_report(report, console)
                if report.is_clean or not fix:
                    return 0 if report.is_clean else 1
                plan = await audit.plan_repairs(report.event_ids)
                print_plan(plan, console)
                if not plan.steps:
                    return 1
                if not yes and not await asyncio.to_thread(Confirm.ask, "Carry this out?", default=False):
                    return 1
                print_plan(
                    await audit.apply_repairs(report.event_ids, settings.user_max_seats_per_event), console, done=True
                )
                again = await audit.check(settings.user_max_seats_per_event)
                print_report(again, console)
                return 0 if again.is_clean else 1

    sys.exit(asyncio.run(run()))


@app.command
def doctor() -> None:
    """Look the installation over: database, durability, schema, secrets, laws of the house. Exits 1 when one is ill."""
    from overbookr.main import FUNCTION_SOURCES
    from overbookr.operations.doctor import Doctor, look_over_database
    from overbookr.serving import database, open_command_pool
    from overbookr.users.tokens import load_secret

    settings = load_settings()
    patient = Doctor(console)

    async def secret() -> str:
        load_secret(settings)
        return "strong enough"

    async def run() -> int:
        await patient.look("token secret", secret)
        async with database(settings) as dsn, open_command_pool(dsn, settings) as pool:
            await look_over_database(patient, pool, FUNCTION_SOURCES, user_seats_max=settings.user_max_seats_per_event)
        return 0 if patient.healthy else 1

    sys.exit(asyncio.run(run()))


@app.command(name="retry-mails")
def retry_mails() -> None:
    """Give the mails that were given up another round of attempts."""
    from overbookr.mail.store import MailStore
    from overbookr.serving import database, open_command_pool, require_schema

    settings = load_settings()

    async def run() -> None:
        async with database(settings) as dsn:
            await require_schema(dsn, settings)
            async with open_command_pool(dsn, settings) as pool:
                count = await MailStore(pool).requeue_failed()
        console.print(f"{count} mails will be tried again.", highlight=False)

    asyncio.run(run())


@app.command
def demo(
    *,
    plan: Annotated[Path | None, Parameter(help="A seating plan; the theatre that comes along when not given.")] = None,
    buyers: int = 2000,
    seed: Annotated[int | None, Parameter(help="Repeat the decisions of an earlier run.")] = None,
    url: Annotated[str | None, Parameter(help="The running server, when it is not the one of the settings.")] = None,
    json: Annotated[Path | None, Parameter(help="Write the report there, too.")] = None,
) -> None:
    """Put an event on sale on the running server and let simulated buyers fight for it; exits 1 unless all is well."""
    import uvloop

    from overbookr.demo.command import run

    sys.exit(uvloop.run(run(load_settings(), console, plan=plan, buyers=buyers, seed=seed, url=url, json=json)))
