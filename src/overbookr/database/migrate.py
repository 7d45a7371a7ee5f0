"""Brings a database's schema up to this code: numbered migrations once, functions whenever their text changes.

Migrations are plain SQL files in dbmate's format:

    -- migrate:up
    create table ...;
    -- migrate:down
    drop table ...;

Each runs in one transaction together with the row that records it. `-- migrate:up transaction:false` is for the
statements that PostgreSQL refuses inside a transaction; such a file holds one statement, written so that it can be
run again, because a crash may come between the statement and its record. The down section is for people.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import asyncpg

from overbookr.database.pool import CONNECT_TIMEOUT_SECONDS, Connection, server_version_of
from overbookr.database.sql import load_queries, load_text

# An arbitrary number; it only has to be the same in every process that migrates this database.
_LOCK = 0x0B0_0C_AB1E
_LOCK_DEADLINE_SECONDS = 600.0
_LOCK_POLL_SECONDS = 0.1
_DDL_LOCK_TIMEOUT_MS = "15000"

_FILE_NAME = re.compile(r"(?P<version>\d{4,14})_(?P<name>[a-z0-9_]+)\.sql")
_SECTION = re.compile(r"^--\s*migrate:(?P<direction>\w+)(?P<options>.*)$", re.MULTILINE)

_QUERIES = load_queries(__package__)

FunctionSource = tuple[str, str]


class BadMigration(Exception):
    """A migration file does not follow the format. The text names the file."""


class MigrationFailed(Exception):
    """PostgreSQL refused a file; nothing of it was kept. The text names the file and PostgreSQL's words."""


class MigrationChanged(Exception):
    """A migration that this database already has was edited afterwards. The text names the file."""


class DatabaseNewer(Exception):
    """The database was migrated by a newer Overbookr than this one."""


class MigrationLockTimeout(Exception):
    """Another process has been migrating this database for longer than ten minutes."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name without number and suffix, its up section and that section's sha256."""

    version: str
    name: str
    up: str
    checksum: str
    transaction: bool

    @property
    def label(self) -> str:
        return f"{self.version}_{self.name}"


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What one call did: migrations as `0001_name`, functions as `package/file.sql`; empty lists for nothing to do."""

    applied: list[str]
    functions: list[str]


@dataclass(frozen=True, slots=True)
class _Functions:
    name: str
    text: str
    checksum: str


def load_migrations(folder: Traversable | None = None) -> list[Migration]:
    """The migrations in order of version; by default those of this package. Raises BadMigration."""
    folder = resources.files(__package__).joinpath("migrations") if folder is None else folder
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")] if folder.is_dir() else []
    migrations = sorted((_parse(file.name, file.read_text(encoding="utf-8")) for file in files), key=_by_number)
    for one, next_one in itertools.pairwise(migrations):
        if int(one.version) == int(next_one.version):
            raise BadMigration(f"{one.label} and {next_one.label} have the same number")
    return migrations


async def migrate(
    dsn: str,
    function_sources: Sequence[FunctionSource],
    *,
    migrations: Traversable | None = None,
) -> MigrationReport:
    """Apply what is missing, under a lock that makes concurrent callers take turns.

    `function_sources` are (package, file) pairs in the order in which they are to be created. A file that failed
    leaves those before it applied; calling again continues there.

    Raises MigrationChanged, DatabaseNewer (before touching anything), MigrationFailed, BadMigration,
    MigrationLockTimeout, ServerTooOld.
    """
    known = load_migrations(migrations)
    functions = [_load_functions(source) for source in function_sources]
    connection = await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings={"application_name": "overbookr migrate", "timezone": "UTC"},
    )
    try:
        server_version_of(connection)
        async with _lock(connection):
            await connection.execute(_QUERIES.create_migration_tables)
            missing = _missing(known, await connection.fetch(_QUERIES.applied_migrations))
            for migration in missing:
                await _apply(connection, migration)
            changed = _changed(functions, await connection.fetch(_QUERIES.applied_functions))
            if changed:
                await _replace_functions(connection, changed)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)
    return MigrationReport([one.label for one in missing], [one.name for one in changed])


async def pending(
    connection: Connection,
    function_sources: Sequence[FunctionSource],
    *,
    migrations: Traversable | None = None,
) -> list[str]:
    """What `migrate` would still have to do, by label; empty when the schema is ready for this code.

    Reads two small tables and changes nothing. A database that is newer than this code has nothing pending: while a
    new version is being rolled out, the processes of the old one keep serving. Raises MigrationChanged.
    """
    known = load_migrations(migrations)
    functions = [_load_functions(source) for source in function_sources]
    if not await connection.fetchval(_QUERIES.has_migration_tables):
        return [one.label for one in known] + [one.name for one in functions]
    try:
        missing = _missing(known, await connection.fetch(_QUERIES.applied_migrations))
    except DatabaseNewer:
        return []
    changed = _changed(functions, await connection.fetch(_QUERIES.applied_functions))
    return [one.label for one in missing] + [one.name for one in changed]


def _by_number(migration: Migration) -> int:
    return int(migration.version)


def _parse(file_name: str, text: str) -> Migration:
    named = _FILE_NAME.fullmatch(file_name)
    if named is None:
        raise BadMigration(f"{file_name}: a migration is called NNNN_snake_case.sql")
    sections = list(_SECTION.finditer(text))
    directions = [section["direction"] for section in sections]
    if directions not in (["up"], ["up", "down"]):
        raise BadMigration(f"{file_name}: expected `-- migrate:up` and then at most one `-- migrate:down`")
    if re.sub(r"--.*", "", text[: sections[0].start()]).strip():
        raise BadMigration(f"{file_name}: SQL before `-- migrate:up` would never run")
    options = sections[0]["options"].split()
    if any(option not in ("transaction:true", "transaction:false") for option in options):
        raise BadMigration(f"{file_name}: unknown option in {sections[0].group().strip()!r}")
    end = sections[1].start() if len(sections) > 1 else len(text)
    up = text[sections[0].end() : end].strip()
    if not up:
        raise BadMigration(f"{file_name}: the up section is empty")
    return Migration(named["version"], named["name"], up, _checksum(up), "transaction:false" not in options)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _load_functions(source: FunctionSource) -> _Functions:
    package, file = source
    text = load_text(package, file)
    return _Functions(f"{package}/{file}", text, _checksum(text))


def _missing(known: Sequence[Migration], rows: Sequence[asyncpg.Record]) -> list[Migration]:
    by_version = {int(one.version): one for one in known}
    for row in rows:
        migration = by_version.get(int(row["version"]))
        if migration is None:
            newest = known[-1].version if known else "none"
            raise DatabaseNewer(
                f"the database has migration {row['version']}, this Overbookr knows up to {newest}; upgrade Overbookr"
            )
        if migration.checksum != row["checksum"]:
            raise MigrationChanged(
                f"{migration.label}.sql was changed after it had been applied to this database; "
                "put it back as it was and write a new migration"
            )
    applied = {int(row["version"]) for row in rows}
    return [one for one in known if int(one.version) not in applied]


def _changed(functions: Sequence[_Functions], rows: Sequence[asyncpg.Record]) -> list[_Functions]:
    checksums = {row["name"]: row["checksum"] for row in rows}
    return [one for one in functions if checksums.get(one.name) != one.checksum]


@asynccontextmanager
async def _lock(connection: Connection) -> AsyncIterator[None]:
    deadline = time.monotonic() + _LOCK_DEADLINE_SECONDS
    while not await connection.fetchval(_QUERIES.try_migration_lock, _LOCK):
        if time.monotonic() > deadline:
            raise MigrationLockTimeout("another process has been migrating this database for more than ten minutes")
        await asyncio.sleep(_LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        # Closing the connection would release it too, but only once the server has noticed.
        if not connection.is_closed():
            await connection.fetchval(_QUERIES.release_migration_lock, _LOCK)


async def _apply(connection: Connection, migration: Migration) -> None:
    record = (migration.version, migration.name, migration.checksum)
    try:
        if migration.transaction:
            await connection.fetchval(_QUERIES.limit_lock_waits, _DDL_LOCK_TIMEOUT_MS)
            async with connection.transaction():
                await connection.execute(migration.up)
                await connection.execute(_QUERIES.record_migration, *record)
        else:
            # CREATE INDEX CONCURRENTLY waits for old transactions by design and leaves a broken index if cut short.
            await connection.fetchval(_QUERIES.limit_lock_waits, "0")
            await connection.execute(migration.up)
            await connection.execute(_QUERIES.record_migration, *record)
    except asyncpg.PostgresError as error:
        raise MigrationFailed(_explain(f"{migration.label}.sql", error)) from error


async def _replace_functions(connection: Connection, changed: Sequence[_Functions]) -> None:
    await connection.fetchval(_QUERIES.limit_lock_waits, _DDL_LOCK_TIMEOUT_MS)
    async with connection.transaction():
        for functions in changed:
            try:
                await connection.execute(functions.text)
            except asyncpg.PostgresError as error:
                raise MigrationFailed(_explain(functions.name, error)) from error
            await connection.execute(_QUERIES.record_functions, functions.name, functions.checksum)


def _explain(file: str, error: asyncpg.PostgresError) -> str:
    parts = [f"{file}: {error.message} ({error.sqlstate})"]
    if error.detail:
        parts.append(error.detail)
    if error.context:
        parts.append(error.context)
    return "; ".join(parts)
