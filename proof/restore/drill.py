"""One drill: sell, back up as documented, go on selling, lose everything, restore as documented, compare."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg

from overbookr.audit.store import AuditStore
from overbookr.database.migrate import migrate
from overbookr.database.pool import open_pool
from overbookr.main import FUNCTION_SOURCES
from overbookr.settings import Settings
from overbookr.users.tokens import load_secret
from proof.crowd.caller import Person
from proof.restore.buyers import House, a_buyer, furnish, selling
from proof.restore.document import CommandFailed, Documented
from proof.restore.installations import Installation
from proof.restore.ledger import Ledger, Mark, Restored, look
from tests.house.serving import Served, environment, serve
from tests.house.stage import Stage

_USER_SEATS_MAX: Final = 10
_WAIT_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Measures:
    """How much is sold at what pace, and how many seconds of it may be lost."""

    seats: int
    buyers: int
    pause: float
    bookings_between: int
    loss_seconds_max: int


@dataclass
class Course:
    """What happened before everything was lost."""

    house: House
    people: list[Person]
    base: Path
    earlier: Mark
    mark: Mark
    segment: str
    killed_at: datetime
    base_seconds: float


@dataclass
class Recovery:
    """Seconds from the first command of the restore: until the doctor was done, and until requests were answered."""

    restored: Restored
    examined_seconds: float
    ready_seconds: float
    violations: list[str] = field(default_factory=list)
    sold_again: list[str] = field(default_factory=list)
    pages_complaint: str = ""
    planted_complaint: str = ""


class Drill:
    def __init__(self, installation: Installation, measures: Measures) -> None:
        self.ledger = Ledger()
        self._at = installation
        self._measures = measures
        # The secret is left to the data folder, so that the document has to see to it.
        self._settings = {"OVERBOOKR_JWT_SECRET": "", "OVERBOOKR_WORKERS": "1"}
        variables = environment(installation.url, installation.data_dir, self._settings) | installation.variables()
        variables |= {"BACKUPS": str(installation.backups), "LOSS_SECONDS_MAX": str(measures.loss_seconds_max)}
        self.documented = Documented(variables, *installation.names)
        self._pristine = installation.folder / "pristine"

    async def sell_and_lose(self, chance: random.Random) -> Course:
        """Everything up to the loss. Afterwards there are the backups and nothing else."""
        await self._prepare()
        house, people = await self._furnish()
        served = await self._serve()
        receiver: subprocess.Popen[bytes] | None = None
        try:
            with open(self._at.folder / "receiver.log", "wb") as log:
                measures = self._measures
                async with selling(
                    served.url, house, self.ledger, people, chance, buyers=measures.buyers, pause=measures.pause
                ):
                    await self._sold(measures.bookings_between)
                    began = time.monotonic()
                    await self.documented.run(*self._at.address, "base backup")
                    base_seconds = time.monotonic() - began
                    receiver = self.documented.start(*self._at.address, "receiver", log=log)
                    await self._sold(measures.bookings_between)
                    earlier = await self._mark()
                    await self._sold(measures.bookings_between)
                    mark = await self._mark()
                    await self._sold(5)
                    segment = await self._archived()
                    await asyncio.sleep(chance.uniform(0.3, 1.0) * measures.loss_seconds_max)
                    killed_at = datetime.now(UTC)
                    await self._at.kill()
        finally:
            for process in (served.process, receiver):
                if process is not None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await asyncio.to_thread(process.wait)
            # The supervisor may have started the server once more before it was killed.
            await self._at.kill()
        (base,) = self._at.backups.glob("base-*")
        self._at.lose()
        self._at.backups.rename(self._pristine)
        return Course(house, people, base, earlier, mark, segment, killed_at, base_seconds)

    async def _prepare(self) -> None:
        await self._at.create()
        await migrate(self._at.dsn, FUNCTION_SOURCES)
        await self.documented.run(*self._at.address, "archive")
        await self._at.stop()
        await self._at.start()

    async def _furnish(self) -> tuple[House, list[Person]]:
        secret = load_secret(Settings(data_dir=self._at.data_dir, jwt_secret=None, _env_file=None))
        pool = await open_pool(self._at.dsn, size=2, application_name="proof", write=True)
        try:
            return await furnish(Stage(pool), secret, self._measures.seats // 4, self._measures.seats)
        finally:
            await pool.close()

    async def _serve(self) -> Served:
        return await asyncio.to_thread(serve, self._at.url, self._at.data_dir, self._settings)

    async def _sold(self, bookings: int) -> None:
        """Wait until so many more were acknowledged."""
        goal, deadline = self.ledger.bookings + bookings, time.monotonic() + _WAIT_SECONDS
        while self.ledger.bookings < goal:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {self.ledger.bookings} of {goal} bookings were made")
            await asyncio.sleep(0.01)

    async def _mark(self) -> Mark:
        answers = len(self.ledger.answers)
        return Mark(answers, await self._ask("select clock_timestamp()"))

    async def _archived(self) -> str:
        """Wait until everything written so far is in the archive; the last segment of it."""
        segment: str = await self._ask("select pg_walfile_name(pg_current_wal_insert_lsn())")
        deadline = time.monotonic() + _WAIT_SECONDS
        while not (self._at.backups / "wal" / segment).exists():
            if time.monotonic() > deadline:
                raise AssertionError(f"{segment} was not archived")
            await asyncio.sleep(0.02)
        return segment

    async def _ask(self, query: str) -> Any:
        connection = await asyncpg.connect(self._at.dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    # Restoring.

    def _lay_out(self, course: Course, *, received: bool, without: str | None) -> None:
        """Nothing but the backups as they were when everything was lost, perhaps with less in them."""
        self._at.lose()
        shutil.rmtree(self._at.backups, ignore_errors=True)
        shutil.copytree(self._pristine, self._at.backups, copy_function=os.link)
        if not received:
            shutil.rmtree(self._at.backups / "received")
        if without is not None:
            (self._at.backups / "wal" / without).unlink()

    async def _restore(self, course: Course, moment: datetime | None, *, received: bool, without: str | None) -> None:
        self._lay_out(course, received=received, without=without)
        text = moment.isoformat(sep=" ") if moment is not None else ""
        await self.documented.run("restore", BASE=str(course.base), MOMENT=text)

    async def glance(
        self, course: Course, moment: datetime | None, *, received: bool = False, without: str | None = None
    ) -> Restored:
        """Restore and look, without serving. Raises NotStarted when the server refuses."""
        await self._restore(course, moment, received=received, without=without)
        until = datetime.now(UTC)
        await self._at.start()
        try:
            connection = await asyncpg.connect(self._at.dsn)
            try:
                return await look(connection, moment, until)
            finally:
                await connection.close()
        finally:
            await self._at.stop()

    async def recover(self, course: Course) -> Recovery:
        """Restore to the mark as the document tells, examine, serve, and sell again."""
        self._lay_out(course, received=False, without=None)
        began, until = time.monotonic(), datetime.now(UTC)
        moment = course.mark.moment.isoformat(sep=" ")
        await self.documented.run("restore", BASE=str(course.base), MOMENT=moment)
        async with self._own_server_running():
            said = await self.documented.run("examination")
            examined_seconds = time.monotonic() - began
            served = await self._serve()
            ready_seconds = time.monotonic() - began
            try:
                pool = await open_pool(self._at.dsn, size=2, application_name="proof")
                try:
                    async with pool.acquire() as connection:
                        restored = await look(connection, course.mark.moment, until)
                    recovery = Recovery(restored, examined_seconds, ready_seconds)
                    recovery.sold_again = await self._sell_again(served, course, pool)
                    report = await AuditStore(pool).check(_USER_SEATS_MAX)
                finally:
                    await pool.close()
                recovery.violations += [f"{law}: {rows[:2]}" for law, rows in report.violations.items()]
                if "ill" in said.split():
                    recovery.violations.append(said)
                recovery.pages_complaint = await self._complaint(*self._at.address, "pages and indexes")
                await self._hide_a_row()
                recovery.planted_complaint = await self._complaint(*self._at.address, "pages and indexes")
            finally:
                await asyncio.to_thread(served.stop)
        return recovery

    async def _complaint(self, *names: str, **variables: str) -> str:
        """What a documented command said when it failed, or ""."""
        try:
            await self.documented.run(*names, **variables)
        except CommandFailed as error:
            return str(error)
        return ""

    async def _hide_a_row(self) -> None:
        """Make an index that lacks a row of its table, which is what a search of pages and indexes is for."""
        connection = await asyncpg.connect(self._at.dsn)
        try:
            await connection.execute(
                """create table hidden (number integer primary key);
                   update pg_index set indisready = false where indexrelid = 'hidden_pkey'::regclass"""
            )
            await connection.execute("insert into hidden values (1)")
            await connection.execute("update pg_index set indisready = true where indexrelid = 'hidden_pkey'::regclass")
        finally:
            await connection.close()

    async def accepts_a_damaged_backup(self, course: Course) -> bool:
        """Whether pg_verifybackup, called as documented, overlooks one changed byte in a table."""
        copy = self._at.folder / "damaged"
        shutil.copytree(self._pristine / course.base.name, copy)
        try:
            file = max((file for file in (copy / "base").rglob("*") if file.is_file()), key=lambda f: f.stat().st_size)
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
            verification = self.documented.line("base backup", "pg_verifybackup")
            return await self.documented.succeeds(verification, BASE=str(copy))
        finally:
            shutil.rmtree(copy)

    @asynccontextmanager
    async def _own_server_running(self) -> AsyncIterator[None]:
        """One's own server is started by its operator; the embedded one by whatever needs it."""
        if self._at.url is None:
            yield
            return
        await self._at.start()
        try:
            yield
        finally:
            await self._at.stop()

    async def _sell_again(self, served: Served, course: Course, pool: Any) -> list[str]:
        """What did not work as before: buying, queueing, and counting versions and tickets on."""
        house, faults = course.house, []
        query = "select version from events where event_id = $1"
        ticket = "select coalesce(max(ticket), 0) from waitlist_entries where event_id = $1"
        version, last_ticket = await pool.fetchval(query, house.large), await pool.fetchval(ticket, house.small)
        free = await pool.fetch(
            "select seat_no from seats where event_id = $1 and status = 'available' limit 20", house.large
        )
        async with a_buyer(served.url, house, Ledger()) as buyer:
            bought = [await buyer.buy(course.people[-1], house.large, [row["seat_no"]]) for row in free[:2]]
            queued = [await buyer.join(person, house.small) for person in course.people[:3]]
        if not bought or None in bought:
            faults.append(f"buying two seats gave {bought}")
        if await pool.fetchval(query, house.large) != version + 2 * len(bought):
            faults.append("versions did not go on where they were")
        tickets = await pool.fetch(
            "select ticket from waitlist_entries where event_id = $1 and entry_id = any ($2) order by ticket",
            house.small,
            [entry for entry in queued if entry is not None],
        )
        if [row["ticket"] for row in tickets] != list(range(last_ticket + 1, last_ticket + 1 + len(tickets))):
            faults.append(f"tickets {tickets} do not go on after {last_ticket}")
        return faults
