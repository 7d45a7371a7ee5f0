from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from overbookr.database.migrate import (
    BadMigration,
    DatabaseNewer,
    FunctionSource,
    MigrationChanged,
    MigrationFailed,
    MigrationReport,
    load_migrations,
    migrate,
    pending,
)

pytestmark = pytest.mark.anyio

ONE = (
    "-- The first one.\n-- migrate:up\ncreate table things (id int primary key);\n-- migrate:down\ndrop table things;\n"
)
TWO = "-- migrate:up\nalter table things add name text;\ninsert into things values (1, 'one');\n"


class Code:
    """A version of the code: its migrations and one package with function files, and the database it meets."""

    def __init__(self, folder: Path, package: str, dsn: str, connection: asyncpg.Connection) -> None:
        self.migrations, self.package_folder, self.package = folder / "migrations", folder / package, package
        self.dsn, self.connection = dsn, connection
        self.sources: list[FunctionSource] = []
        self.migrations.mkdir()
        self.package_folder.mkdir()

    def has(self, name: str, text: str) -> None:
        (self.migrations / name).write_text(text)

    def has_functions(self, name: str, text: str) -> None:
        (self.package_folder / name).write_text(text)
        if (self.package, name) not in self.sources:
            self.sources.append((self.package, name))

    async def migrate(self) -> MigrationReport:
        return await migrate(self.dsn, self.sources, migrations=self.migrations)

    async def pending(self) -> list[str]:
        return await pending(self.connection, self.sources, migrations=self.migrations)


@pytest.fixture
async def code(empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Code]:
    package = f"room_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(empty_database)
    code = Code(tmp_path, package, empty_database, connection)
    monkeypatch.syspath_prepend(tmp_path)
    code.has("0001_things.sql", ONE)
    code.has("0002_names.sql", TWO)
    yield code
    await connection.close()
    sys.modules.pop(package, None)


async def test_everything_is_applied_once_and_in_order(code: Code) -> None:
    code.has_functions(
        "functions.sql", "create function answer() returns int language sql as 'select 41 + id from things'"
    )
    name = f"{code.package}/functions.sql"
    assert await code.pending() == ["0001_things", "0002_names", name]
    assert await code.migrate() == MigrationReport(["0001_things", "0002_names"], [name])
    assert await code.pending() == []
    assert await code.migrate() == MigrationReport([], [])
    assert await code.connection.fetchval("select answer()") == 42
    rows = await code.connection.fetch("select version, name, length(checksum) from schema_migrations order by 1")
    assert [tuple(row) for row in rows] == [("0001", "things", 64), ("0002", "names", 64)]
    code.has("0003_more.sql", "-- migrate:up\ncreate table more ();")
    assert await code.pending() == ["0003_more"]
    assert await code.migrate() == MigrationReport(["0003_more"], [])


async def test_concurrent_callers_take_turns(code: Code) -> None:
    code.has("0003_slow.sql", "-- migrate:up\nselect pg_sleep(0.3);")
    code.has_functions("functions.sql", "create function one() returns int language sql as 'select 1'")
    reports = await asyncio.gather(*(code.migrate() for _ in range(4)))
    busy = [report for report in reports if report.applied or report.functions]
    assert len(busy) == 1
    assert busy[0].applied == ["0001_things", "0002_names", "0003_slow"]
    assert busy[0].functions == [f"{code.package}/functions.sql"]
    assert await code.connection.fetchval("select count(*) from things") == 1
    assert await code.connection.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 0


async def test_callers_in_two_processes_take_turns(code: Code) -> None:
    code.has("0003_slow.sql", "-- migrate:up\nselect pg_sleep(0.3);")
    script = (
        "import asyncio, pathlib, sys; from overbookr.database.migrate import migrate;"
        "print(len(asyncio.run(migrate(sys.argv[1], [], migrations=pathlib.Path(sys.argv[2]))).applied))"
    )
    command = [sys.executable, "-c", script, code.dsn, str(code.migrations)]
    processes = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(2)]
    answers = [(await process.communicate())[0].strip() for process in processes]
    assert sorted(answers) == [b"0", b"3"]


async def test_a_changed_migration_is_refused_by_name(code: Code) -> None:
    await code.migrate()
    code.has("0001_things.sql", ONE.replace("int primary", "bigint primary"))
    with pytest.raises(MigrationChanged, match=r"0001_things.sql was changed"):
        await code.migrate()
    with pytest.raises(MigrationChanged, match=r"0001_things.sql was changed"):
        await code.pending()
    # Only the up section counts: what is around it was never run.
    code.has("0001_things.sql", ONE.replace("drop table things", "drop table if exists things").replace("The", "A"))
    assert await code.migrate() == MigrationReport([], [])


async def test_a_newer_database_is_left_alone(code: Code) -> None:
    code.has("0003_more.sql", "-- migrate:up\ncreate table more ();")
    code.has_functions("functions.sql", "create or replace function answer() returns int language sql as 'select 2'")
    await code.migrate()
    (code.migrations / "0003_more.sql").unlink()
    code.has_functions("functions.sql", "create or replace function answer() returns int language sql as 'select 1'")
    message = r"^the database has migration 0003, this Overbookr knows up to 0002; upgrade Overbookr$"
    with pytest.raises(DatabaseNewer, match=message):
        await code.migrate()
    assert await code.connection.fetchval("select answer()") == 2
    assert await code.pending() == []


async def test_a_failing_migration_leaves_nothing_and_can_be_mended(code: Code) -> None:
    code.has("0003_bad.sql", "-- migrate:up\ncreate table kept_not ();\nselect 1 / 0;")
    code.has("0004_later.sql", "-- migrate:up\ncreate table later ();")
    with pytest.raises(MigrationFailed, match=r"0003_bad.sql: division by zero \(22012\)"):
        await code.migrate()
    assert await code.connection.fetchval("select to_regclass('kept_not')") is None
    assert await code.pending() == ["0003_bad", "0004_later"]
    code.has("0003_bad.sql", "-- migrate:up\ncreate table kept_not ();")
    assert (await code.migrate()).applied == ["0003_bad", "0004_later"]


async def test_without_a_transaction(code: Code) -> None:
    index = "create index concurrently if not exists by_name on things (name);"
    code.has("0003_index.sql", f"-- migrate:up\n{index}")
    with pytest.raises(MigrationFailed, match=r"0003_index.sql: .*25001"):
        await code.migrate()
    code.has("0003_index.sql", f"-- migrate:up transaction:false\n{index}")
    reports = await asyncio.gather(code.migrate(), code.migrate())
    assert sorted(report.applied for report in reports) == [[], ["0003_index"]]
    assert await code.connection.fetchval("select indisvalid from pg_index where indexrelid = 'by_name'::regclass")


async def test_functions_follow_their_text(code: Code) -> None:
    code.has_functions("base.sql", "create or replace function base() returns int language sql as 'select 1'")
    code.has_functions("top.sql", "create or replace function top() returns int language sql return base() + 1")
    base, top = f"{code.package}/base.sql", f"{code.package}/top.sql"
    assert (await code.migrate()).functions == [base, top]
    code.has_functions("base.sql", "create or replace function base() returns int language sql as 'select 10'")
    assert await code.pending() == [base]
    assert (await code.migrate()).functions == [base]
    assert await code.connection.fetchval("select top()") == 11
    # One file that fails takes the others of the call back with it.
    code.has_functions("base.sql", "create or replace function base() returns int language sql as 'select 100'")
    code.has_functions("top.sql", "create or replace function top() returns text language sql as 'select 1::text'")
    with pytest.raises(MigrationFailed, match=r"top.sql: cannot change return type"):
        await code.migrate()
    assert await code.connection.fetchval("select top()") == 11
    code.has_functions(
        "top.sql", "drop function if exists top();create function top() returns text language sql as '''ok'''"
    )
    with pytest.raises(MigrationFailed):
        await code.migrate()
    code.has_functions(
        "top.sql", "drop function if exists top();create function top() returns text language sql return 'ok'"
    )
    assert (await code.migrate()).functions == [base, top]
    assert await code.connection.fetchval("select top()") == "ok"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("first.sql", ONE, r"first.sql: a migration is called NNNN_snake_case.sql"),
        ("0003_x.sql", "create table x ();", r"0003_x.sql: expected `-- migrate:up`"),
        ("0003_x.sql", "-- migrate:up\nselect 1;\n-- migrate:up\nselect 1;", r"0003_x.sql: expected"),
        ("0003_x.sql", "-- migrate:down\nselect 1;\n-- migrate:up\nselect 1;", r"0003_x.sql: expected"),
        ("0003_x.sql", "select 1;\n-- migrate:up\nselect 1;", r"0003_x.sql: SQL before"),
        ("0003_x.sql", "-- migrate:up\n\n-- migrate:down\nselect 1;", r"0003_x.sql: the up section is empty"),
        ("0003_x.sql", "-- migrate:up transation:false\nselect 1;", r"0003_x.sql: unknown option"),
        ("0002_x.sql", "-- migrate:up\nselect 1;", r"0002_names and 0002_x have the same number|0002_x and 0002_names"),
    ],
)
async def test_a_malformed_migration_is_refused(code: Code, name: str, text: str, message: str) -> None:
    code.has(name, text)
    with pytest.raises(BadMigration, match=message):
        await code.migrate()
    assert await code.connection.fetchval("select to_regclass('things')") is None


def test_our_own_migrations_are_well_formed() -> None:
    load_migrations()
