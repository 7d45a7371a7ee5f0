"""The house under proof: real instances of the product on loopback, and their database to look at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from overbookr.audit.store import AuditStore
from overbookr.database.embedded import embedded
from overbookr.database.pool import Pool, open_pool
from tests.house.serving import Served, serve

SHARE: Final = 10
AUDIT_POOL_SIZE = 4


@dataclass
class House:
    """`instances` are `overbookr serve` processes, the first of which started the embedded PostgreSQL."""

    folder: Path
    dsn: str
    instances: list[Served]
    pool: Pool

    @property
    def urls(self) -> list[str]:
        return [instance.url for instance in self.instances]

    @property
    def logs(self) -> str:
        return "\n".join(instance.log for instance in self.instances)


@asynccontextmanager
async def open_house(folder: Path, *, instances: int = 1, workers: int = 2, **settings: str) -> AsyncIterator[House]:
    """Start the instances on one embedded PostgreSQL, whose settings are those it ships with, and stop them at the end.

    `settings` are environment variables; each instance has `workers` API processes and a process for the duties.
    """
    chosen = {"OVERBOOKR_WORKERS": str(workers), "OVERBOOKR_USER_MAX_SEATS_PER_EVENT": str(SHARE), **settings}
    running: list[Served] = []
    try:
        first = folder / "instance-1"
        first.mkdir(parents=True)
        running.append(await asyncio.to_thread(serve, None, first, chosen))
        # This process counts as a user of the server, so that it can be asked until the very end.
        async with embedded(first) as server:
            for number in range(2, instances + 1):
                own = folder / f"instance-{number}"
                own.mkdir()
                running.append(await asyncio.to_thread(serve, server.dsn, own, chosen))
            pool = await open_pool(server.dsn, size=AUDIT_POOL_SIZE, application_name="proof")
            try:
                yield House(folder, server.dsn, running, pool)
            finally:
                await pool.close()
                for instance in reversed(running):
                    await asyncio.to_thread(instance.stop)
    finally:
        for instance in reversed(running):
            await asyncio.to_thread(instance.stop)


@dataclass
class Auditor:
    """Asks every law in one snapshot, again and again while others write. `broken` are the laws it found broken."""

    pool: Pool
    audits: int = 0
    broken: list[str] = field(default_factory=list)

    async def keep_asking(self, pause_seconds: float) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(pause_seconds)

    async def ask(self, *, quiescent: bool = False) -> None:
        report = await AuditStore(self.pool).check(SHARE, quiescent=quiescent)
        self.audits += 1
        self.broken += [f"{law}: {rows[:3]}" for law, rows in report.violations.items()]
