"""`overbookr doctor`: looks an installation over and says what is ill, changing nothing but what start-up changes."""

from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.markup import escape

from overbookr.audit.store import AuditStore
from overbookr.database.migrate import pending
from overbookr.database.pool import Pool, assert_durable, server_version_of
from overbookr.mail.store import MailStore

Check = Callable[[], Awaitable[str]]


class Ill(Exception):
    """What is wrong, in words."""


class Doctor:
    """Runs its checks in order and prints each; `healthy` afterwards tells whether all were well."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.healthy = True

    async def look(self, name: str, check: Check) -> None:
        try:
            finding = await check()
        except Exception as error:
            self.healthy = False
            self._console.print(
                f"[red]ill[/red]   {name}: {escape(str(error) or type(error).__name__)}", highlight=False
            )
        else:
            self._console.print(f"[green]well[/green]  {name}: {escape(finding)}", highlight=False)


async def look_over_database(
    doctor: Doctor, pool: Pool, function_sources: list[tuple[str, str]], *, user_seats_max: int
) -> None:
    async def version() -> str:
        async with pool.acquire() as connection:
            return f"PostgreSQL {server_version_of(connection)}"

    async def durability() -> str:
        async with pool.acquire() as connection:
            await assert_durable(connection)
        return "what is acknowledged is on disk"

    async def schema() -> str:
        async with pool.acquire() as connection:
            missing = await pending(connection, function_sources)
        if missing:
            raise Ill(f"not migrated: {', '.join(missing)}; run overbookr migrate")
        return "up to date"

    async def laws() -> str:
        report = await AuditStore(pool).check(user_seats_max)
        if not report.is_clean:
            raise Ill(f"{report.total} rows break {', '.join(report.violations)}; see overbookr reconcile")
        return f"all {len(report.counts)} hold"

    async def mail() -> str:
        backlog = await MailStore(pool).backlog()
        if backlog.failed:
            raise Ill(f"{backlog.failed} mails were given up, {backlog.waiting} wait")
        return f"{backlog.waiting} mails wait"

    await doctor.look("database", version)
    await doctor.look("durability", durability)
    await doctor.look("schema", schema)
    await doctor.look("laws", laws)
    await doctor.look("mail", mail)
