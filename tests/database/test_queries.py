"""Every statement that a room names is understood by every PostgreSQL that is supported.

What a statement does is tested with its room; that a server knows its words, its functions and its columns is told here
for each version, at the price of one look.
"""

from pathlib import Path

import asyncpg
import pytest

import overbookr
from overbookr.database.sql import load_queries

pytestmark = pytest.mark.anyio

_ROOT = Path(overbookr.__file__).parent
# Functions, and the statements of the database room, are run whenever a database is migrated.
_FILES = sorted(
    path.relative_to(_ROOT)
    for path in _ROOT.glob("*/*.sql")
    if path.name != "functions.sql" and path.parent.name != "database"
)


@pytest.mark.parametrize("path", _FILES, ids=str)
async def test_each_statement_is_understood(connection: "asyncpg.Connection[asyncpg.Record]", path: Path) -> None:
    queries = load_queries(f"overbookr.{path.parent}", path.name)
    assert list(queries)
    for name in queries:
        try:
            await connection.prepare(queries[name])
        except asyncpg.PostgresError as error:
            pytest.fail(f"{path}: {name}: {error}")


def test_files_of_statements_were_found() -> None:
    assert {"queries.sql", "invariants.sql"} == {path.name for path in _FILES}
    assert len(_FILES) > 10
