"""The embedded server restores itself from an archive: nobody gets in before it is done, and it may take its time."""

import shutil
from pathlib import Path

import asyncpg
import pytest

from overbookr.database.cluster import Cluster
from overbookr.database.embedded import EmbeddedError, ensure_running

pytestmark = pytest.mark.anyio


@pytest.fixture
def data_dir(created: Path, tmp_path: Path) -> Path:
    """A cluster of the test's own that is not running."""
    shutil.copytree(created, tmp_path / "data", ignore=shutil.ignore_patterns("run"))
    return tmp_path / "data"


def _to_be_restored(data_dir: Path, *settings: str) -> None:
    folder = Cluster(data_dir).folder
    with (folder / "postgresql.auto.conf").open("a") as file:
        file.write("\n".join(settings) + "\n")
    (folder / "recovery.signal").touch()


async def test_a_restore_may_take_longer_than_a_start_and_ends_writable(data_dir: Path) -> None:
    # It is asked for some files that an archive without any does not have, a second each.
    _to_be_restored(data_dir, "restore_command = 'sleep 1; false'")
    server = await ensure_running(data_dir, deadline=0.5)
    try:
        connection = await asyncpg.connect(server.dsn)
        assert not await connection.fetchval("select pg_is_in_recovery()")
        await connection.execute("create table restored ()")
        await connection.close()
    finally:
        await server.stop(30)


async def test_an_archive_that_ends_before_the_moment_is_refused(data_dir: Path) -> None:
    _to_be_restored(data_dir, "restore_command = 'false'", "recovery_target_time = '2100-01-01 00:00:00+00'")
    with pytest.raises(EmbeddedError, match="recovery ended before configured recovery target was reached"):
        await ensure_running(data_dir)
