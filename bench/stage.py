"""The stage on which everything is measured: one embedded PostgreSQL, houses of several layouts, many users.

Each layout is a template database, built once a run and vacuumed; before each measurement a database is copied from it
anew, behind a checkpoint. So no measurement pays for the one before it.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from overbookr.database.embedded import DATABASE, EmbeddedServer, embedded
from overbookr.database.migrate import migrate
from overbookr.database.pool import session_settings
from overbookr.database.sql import parse_queries
from overbookr.main import FUNCTION_SOURCES
from overbookr.settings import Settings
from overbookr.stores import open_audit, open_users
from overbookr.users.model import AdminEnsured, BulkUser
from overbookr.users.tokens import issue_access

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
# A user comes back after this many others, as people in a sale do; the processes then know the token already. So one
# visit in four is of somebody new, whatever the speed.
USERS_AT_ONCE: Final = 500
# A prime larger than any number of pairs, so that its multiples visit every pair once, scattered over the house.
STRIDE: Final = 104_729

# The layouts on which pairs of seats are sold, with their events.
GRIDS: Final[Mapping[str, int]] = {"one": 1, "fifty": 50, "thousand": 1_000}
YARDSTICK: Final = "classic"
ADMIN_EMAIL: Final = "organiser@bench.invalid"
TOKEN_SECONDS: Final = 12 * 3600
_USERS_PER_CALL = 2_500
_BUILT_SECONDS = 1_800.0

QUERIES: Final = parse_queries((HERE / "stage.sql").read_text(), "bench/stage.sql")

# Builds a layout in its template database and returns its events, in the order of their seats.
Builder = Callable[["Stage", str], Awaitable[list[UUID]]]


@dataclass(frozen=True, slots=True)
class Turnout:
    """How many users there are, and what there is for them. A visit is one user's way to one pair of seats."""

    users: int

    @property
    def pairs(self) -> int:
        """Each user takes four pairs of seats, which stays below the share of ten seats."""
        return self.users * 4

    @property
    def visits(self) -> int:
        """The visits after these are for warming up."""
        return self.pairs - self.pairs // 10

    def visit(self, number: int, events: int) -> tuple[int, int, int]:
        """Who wants what in the visit of this number (below `pairs`): the places of the user, the event and the pair.

        The script of wrk walks the same way. Pair k is the seats S(2k + 1) and S(2k + 2).
        """
        pair = number * STRIDE % self.pairs
        user = number // (USERS_AT_ONCE * 4) * USERS_AT_ONCE + number % USERS_AT_ONCE
        return user % self.users, pair % events, pair


@dataclass(frozen=True, slots=True)
class Stage:
    """`events` by layout, in the order of their seats; `folder` is for the files of measurements."""

    turnout: Turnout
    server: EmbeddedServer
    secret: str
    password: str
    folder: Path
    users: list[BulkUser]
    tokens: list[str]
    admin_token: str
    events: dict[str, list[UUID]] = field(default_factory=dict)

    @property
    def socket_folder(self) -> str:
        return parse_qs(urlsplit(self.server.dsn).query)["host"][0]

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder, jwt_secret=SecretStr(self.secret))

    def dsn(self, database: str = DATABASE) -> str:
        return urlunsplit(urlsplit(self.server.dsn)._replace(path=f"/{database}"))

    async def refill(self, layout: str, database: str = DATABASE) -> None:
        """Put the layout on sale, as if nobody had ever bought anything; Overbookr's database, or the yardstick's."""
        await self._copy(f"{database}_{layout}", database)

    @asynccontextmanager
    async def lent(self, layout: str) -> AsyncIterator[None]:
        """Have the layout's own template served, which must not be changed then: for one too large to be copied."""
        template = f"{DATABASE}_{layout}"
        async with self.connect("postgres") as connection:
            await connection.execute(f"drop database if exists {DATABASE} with (force)")
            await connection.execute(f"alter database {template} rename to {DATABASE}")
        try:
            yield
        finally:
            async with self.connect("postgres") as connection:
                await connection.execute(QUERIES.end_sessions, DATABASE)
                await connection.execute(f"alter database {DATABASE} rename to {template}")

    @asynccontextmanager
    async def connect(self, database: str = DATABASE) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        # The functions rely on the planner settings of the write sessions; the time limits of these do not fit here.
        settings = {name: value for name, value in session_settings(write=True).items() if not name.endswith("timeout")}
        connection = await asyncpg.connect(
            self.server.dsn, database=database, command_timeout=_BUILT_SECONDS, server_settings=settings
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def audit(self) -> list[str]:
        """The laws of the house that are broken by what a measurement has left behind."""
        async with open_audit(self.server.dsn, self.settings) as audit:
            report = await audit.check(self.settings.user_max_seats_per_event)
        return [f"law broken: {law} ({report.counts[law]})" for law in report.violations]

    async def server_settings(self) -> dict[str, str]:
        """The settings of the server that matter for what is measured."""
        async with self.connect("postgres") as connection:
            rows = await connection.fetch(QUERIES.server_settings)
        return {row["name"]: f"{row['setting']} {row['unit'] or ''}".strip() for row in rows}

    async def build(self, builders: Iterable[tuple[str, Builder]]) -> None:
        """Make the layouts' templates, one after the other."""
        for layout, builder in builders:
            template = f"{DATABASE}_{layout}"
            await self._copy(f"{DATABASE}_empty", template)
            self.events[layout] = await builder(self, template)
            async with self.connect(template) as connection:
                await connection.execute(QUERIES.settle)
            (self.folder / f"events-{layout}").write_text("".join(f"{event_id}\n" for event_id in self.events[layout]))

    async def build_yardstick(self, layout: str) -> None:
        """A template of the yardstick's own plain tables, with as many events and seats."""
        template = f"{YARDSTICK}_{layout}"
        text = (HERE / "classic_schema.sql").read_text()
        async with self.connect("postgres") as connection:
            await connection.execute(f"create database {template}")
        async with self.connect(template) as connection:
            await connection.execute(
                text.replace(":events", str(GRIDS[layout])).replace(":seats", str(2 * self.turnout.pairs))
            )
            await connection.execute(QUERIES.settle)

    async def has_yardstick(self, layout: str) -> bool:
        async with self.connect("postgres") as connection:
            return bool(await connection.fetchval(QUERIES.has_database, f"{YARDSTICK}_{layout}"))

    async def keep_empty(self) -> None:
        """Keep the database as it is, with its users and no event, as what layouts are built upon."""
        await self._copy(DATABASE, f"{DATABASE}_empty")

    async def _copy(self, template: str, database: str) -> None:
        async with self.connect("postgres") as connection:
            await connection.execute(f"drop database if exists {database} with (force)")
            await connection.execute(f"create database {database} template {template} strategy file_copy")


@asynccontextmanager
async def open_stage(folder: Path, turnout: Turnout) -> AsyncIterator[Stage]:
    """Start the server in `folder` and make the users there, stop it at the end. The folder is left behind."""
    secret, password = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    settings = Settings(data_dir=folder, jwt_secret=SecretStr(secret))
    async with embedded(folder) as server:
        await migrate(server.dsn, FUNCTION_SOURCES)
        people = [(f"Bench {number}", f"bench-{number}@bench.invalid") for number in range(turnout.users)]
        made: list[BulkUser] = []
        async with open_users(server.dsn, settings) as users:
            for start in range(0, turnout.users, _USERS_PER_CALL):
                made += await users.create_in_bulk(people[start : start + _USERS_PER_CALL], password)
            admin = await users.ensure_admin(ADMIN_EMAIL, password)
        assert isinstance(admin, AdminEnsured)
        key = secret.encode()
        tokens = [issue_access(key, user.user_id, user.token_version, TOKEN_SECONDS) for user in made]
        _write_tokens(folder / "tokens", tokens)
        stage = Stage(
            turnout, server, secret, password, folder, made, tokens, issue_access(key, admin.user_id, 1, TOKEN_SECONDS)
        )
        await stage.keep_empty()
        yield stage


def seats_of(pair: int) -> tuple[str, str]:
    return f"S{2 * pair + 1}", f"S{2 * pair + 2}"


async def run_command(*command: str) -> str:
    """The output of a command. Raises RuntimeError with its last words when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaint = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with status {process.returncode}: {complaint.decode()[-800:]}")
    return output.decode()


def _write_tokens(path: Path, tokens: list[str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("".join(f"{token}\n" for token in tokens))
