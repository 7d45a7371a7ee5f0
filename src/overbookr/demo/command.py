"""`overbookr demo`: the run and its report, for the command line."""

import asyncio
from pathlib import Path

from rich.console import Console

from overbookr.database.pool import open_pool
from overbookr.demo.model import DemoOptions, DemoRefused
from overbookr.demo.onsale import run_demo
from overbookr.demo.progress import show_on
from overbookr.demo.report import print_report, write_json
from overbookr.serving import database
from overbookr.settings import Settings
from overbookr.stores import open_audit, open_users
from overbookr.users.tokens import load_secret


async def run(
    settings: Settings,
    console: Console,
    *,
    plan: Path | None,
    buyers: int,
    seed: int | None,
    url: str | None,
    json: Path | None,
) -> int:
    """The exit code: 0 when the house is sold out and every check has passed, 1 when not."""
    options = DemoOptions(
        base_url=url or settings.base_url,
        plan=plan,
        buyers=buyers,
        seed=seed,
        user_seats_max=settings.user_max_seats_per_event,
        hold_seats_max=settings.hold_max_seats,
    )
    try:
        async with (
            database(settings) as dsn,
            open_users(dsn, settings) as users,
            open_audit(dsn, settings) as audit,
            await open_pool(
                dsn, size=2, application_name="overbookr demo", statement_cache=settings.statement_cache
            ) as pool,
        ):
            report = await run_demo(
                options,
                pool=pool,
                users=users,
                audit=audit,
                secret=load_secret(settings),
                show_progress=show_on(console),
            )
    except DemoRefused as refusal:
        console.print(str(refusal), style="bold red", highlight=False, markup=False)
        return 1
    print_report(report, console)
    if json is not None:
        await asyncio.to_thread(json.write_bytes, write_json(report))
    return 0 if report.passed else 1
