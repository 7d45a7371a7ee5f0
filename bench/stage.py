"""The stage on which everything is measured: one embedded PostgreSQL, two layouts of the same seats, many users.

Each layout, `one` event and `fifty` events, is a template database, built once and vacuumed; before each measurement a
database is copied from it anew, behind a checkpoint. So no measurement pays for the one before it.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from overbookr.database.embedded import DATABASE, EmbeddedServer, embedded
from overbookr.database.migrate import migrate
from overbookr.database.pool import session_settings
from overbookr.database.sql import parse_queries
from overbookr.ids import new_id
from overbookr.main import FUNCTION_SOURCES, open_users
from overbookr.seats.natural_order import natural_key
from overbookr.settings import Settings
from overbookr.users.model import BulkUser
from overbookr.users.tokens import issue_access

HERE: Final = Path(__file__).parent
EVENTS: Final = {"one": 1, "fifty": 50}
USERS: Final = 25_000
# Each user takes four pairs of seats, which stays below the share of ten seats.
PAIRS: Final = USERS * 4
# A user comes back after this many others, as people in a sale do; the processes then know the token already. So one
# visit in four is of somebody new, whatever the speed.
USERS_AT_ONCE: Final = 500
# The visits after these are for warming up.
VISITS: Final = PAIRS - 10_000
# Without a common divisor with PAIRS, so that its multiples visit every pair once, scattered over the house.
STRIDE: Final = 61_803

YARDSTICK: Final = "classic"
TOKEN_SECONDS: Final = 6 * 3600
_USERS_PER_CALL = 2_500
_BUILT_SECONDS = 600.0

QUERIES: Final = parse_queries((HERE / "stage.sql").read_text(), "bench/stage.sql")


@dataclass(frozen=True, slots=True)
class Stage:
    """`events` by layout, in the order of their seats; `folder` is for the files of measurements."""

    server: EmbeddedServer
    secret: str
    folder: Path
    events: dict[str, list[UUID]]
    user_ids: list[UUID]

    @property
    def socket_folder(self) -> str:
        return parse_qs(urlsplit(self.server.dsn).query)["host"][0]

    async def refill(self, layout: str, database: str = DATABASE) -> None:
        """Put the layout on sale, as if nobody had ever bought anything; Overbookr's database, or the yardstick's."""
        await _copy(self.server, f"{database}_{layout}", database)

    @asynccontextmanager
    async def connect(self, database: str = DATABASE) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        async with _connect(self.server, database) as connection:
            yield connection

    async def settings(self) -> dict[str, str]:
        """The settings of the server that matter for what is measured."""
        async with self.connect("postgres") as connection:
            rows = await connection.fetch(QUERIES.server_settings)
        return {row["name"]: f"{row['setting']} {row['unit'] or ''}".strip() for row in rows}


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Start the server in `folder`, build what is needed there, stop it at the end. The folder is left behind."""
    secret = secrets.token_urlsafe(48)
    async with embedded(folder) as server:
        await migrate(server.dsn, FUNCTION_SOURCES)
        users = await _create_users(server, secret, folder)
        events = {}
        for layout, count in EVENTS.items():
            events[layout] = await _build_layout(server, layout, count)
            (folder / f"events-{layout}").write_text("".join(f"{event_id}\n" for event_id in events[layout]))
            await _build_yardstick(server, layout, count)
        _write_tokens(folder / "tokens", secret, users)
        yield Stage(server, secret, folder, events, [user.user_id for user in users])


def settings_of(folder: Path, secret: str) -> Settings:
    return Settings(data_dir=folder, jwt_secret=SecretStr(secret))


def visit(number: int, layout: str) -> tuple[int, int, int]:
    """Who wants what in the visit of this number (below PAIRS): the places of the user, the event and the pair.

    The script of wrk walks the same way. Pair k is the seats S(2k + 1) and S(2k + 2).
    """
    pair = number * STRIDE % PAIRS
    user = number // (USERS_AT_ONCE * 4) * USERS_AT_ONCE + number % USERS_AT_ONCE
    return user, pair % EVENTS[layout], pair


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


@asynccontextmanager
async def _connect(server: EmbeddedServer, database: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    # The functions rely on the planner settings of the write sessions; the time limits of these do not fit here.
    settings = {name: value for name, value in session_settings(write=True).items() if not name.endswith("timeout")}
    connection = await asyncpg.connect(
        server.dsn, database=database, command_timeout=_BUILT_SECONDS, server_settings=settings
    )
    try:
        yield connection
    finally:
        await connection.close()


async def _copy(server: EmbeddedServer, template: str, database: str) -> None:
    async with _connect(server, "postgres") as connection:
        await connection.execute(f"drop database if exists {database} with (force)")
        await connection.execute(f"create database {database} template {template} strategy file_copy")


async def _create_users(server: EmbeddedServer, secret: str, folder: Path) -> list[BulkUser]:
    people = [(f"Bench {number}", f"bench-{number}@bench.invalid") for number in range(USERS)]
    made = []
    async with open_users(server.dsn, settings_of(folder, secret)) as users:
        for start in range(0, USERS, _USERS_PER_CALL):
            made += await users.create_in_bulk(people[start : start + _USERS_PER_CALL], secrets.token_urlsafe(24))
    return made


def _write_tokens(path: Path, secret: str, users: list[BulkUser]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        for user in users:
            file.write(issue_access(secret.encode(), user.user_id, user.token_version, TOKEN_SECONDS) + "\n")


async def _build_layout(server: EmbeddedServer, layout: str, count: int) -> list[UUID]:
    """A template with the users and the layout's events; the ids of these."""
    template = f"{DATABASE}_{layout}"
    await _copy(server, DATABASE, template)
    event_ids = [new_id() for _ in range(count)]
    async with _connect(server, template) as connection:
        for place, event_id in enumerate(event_ids):
            labels = [label for pair in range(place, PAIRS, count) for label in seats_of(pair)]
            keys = [natural_key(label) for label in labels]
            await connection.execute(QUERIES.insert_event, event_id, f"Bench {place}")
            await connection.execute(QUERIES.add_seats, event_id, [new_id() for _ in labels], labels, keys)
        await connection.execute(QUERIES.settle)
    return event_ids


async def _build_yardstick(server: EmbeddedServer, layout: str, count: int) -> None:
    """A template of the yardstick's own plain tables, with as many events and seats."""
    template = f"{YARDSTICK}_{layout}"
    text = (HERE / "classic_schema.sql").read_text()
    async with _connect(server, "postgres") as connection:
        await connection.execute(f"create database {template}")
    async with _connect(server, template) as connection:
        await connection.execute(text.replace(":events", str(count)).replace(":seats", str(2 * PAIRS)))
        await connection.execute(QUERIES.settle)
