"""PostgreSQL servers for tests: the embedded one by the product's own launcher, Debian's by hand."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from overbookr.database.embedded import ensure_running


@dataclass(frozen=True)
class PostgresServer:
    """`dsn` is that of the database `postgres`; `version` as in "18"."""

    dsn: str
    version: str

    def dsn_of(self, database: str) -> str:
        head, _, options = self.dsn.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{database}" + (f"?{options}" if options else "")

    def create_database(self, name: str | None = None, *, template: str | None = None) -> str:
        name = name or f"test_{uuid.uuid4().hex}"
        self._execute(f"create database {name}" + (f" template {template}" if template else ""))
        return self.dsn_of(name)

    def drop_database(self, dsn: str) -> None:
        name = dsn.partition("?")[0].rsplit("/", 1)[1]
        self._execute(f"drop database {name} with (force)")

    def _execute(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        # Fixtures may be set up while a test's event loop runs, and then this needs a loop of its own.
        import threading

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        thread.join()


def fast_folder() -> str | None:
    """Memory, where there is enough: durability is not what these servers are there for."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**31
    return str(memory) if roomy else None


@contextmanager
def embedded_server_18(folder: Path) -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="overbookr-tests-", dir=fast_folder()) as place:
        running = asyncio.run(ensure_running(Path(place)))
        try:
            yield PostgresServer(running.dsn.replace("/overbookr?", "/postgres?"), "18")
        finally:
            asyncio.run(running.stop(deadline=30))


@contextmanager
def debian_server(programs: Path, folder: Path) -> Iterator[PostgresServer]:
    """A cluster of its own on a Unix socket. PostgreSQL refuses root, so root runs it in a user namespace."""
    unshare = ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="overbookr-tests-", dir=fast_folder()) as place:
        data = Path(place) / "cluster"
        subprocess.run(
            [
                *unshare,
                str(programs / "initdb"),
                "-D",
                str(data),
                "-A",
                "trust",
                "-U",
                "overbookr",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ],
            check=True,
            capture_output=True,
        )
        with open(Path(place) / "log", "wb") as log:
            process = subprocess.Popen(
                [
                    *unshare,
                    str(programs / "postgres"),
                    "-D",
                    str(data),
                    "-k",
                    place,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "max_connections=150",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            dsn = f"postgresql://overbookr@/postgres?host={place}"
            asyncio.run(_until_it_answers(dsn))
            yield PostgresServer(dsn, "15")
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _until_it_answers(dsn: str) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        try:
            connection = await asyncpg.connect(dsn)
        except (OSError, asyncpg.CannotConnectNowError):
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return
