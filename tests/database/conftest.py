"""One embedded PostgreSQL for all tests here, and an empty database of its own for each test that asks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from overbookr.database.cluster import Cluster
from overbookr.database.embedded import EmbeddedServer, ensure_running


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    with tempfile.TemporaryDirectory(prefix="overbookr-tests-", dir=_fast_folder()) as folder:
        server = asyncio.run(ensure_running(Path(folder)))
        try:
            yield server
        finally:
            assert asyncio.run(server.stop(deadline=30))


def _fast_folder() -> str | None:
    """Memory, where there is enough: most tests make a database, which costs a wait for the disk otherwise."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**31
    return str(memory) if roomy else None


@pytest.fixture
async def empty_database(embedded_server: EmbeddedServer) -> AsyncIterator[str]:
    """The DSN of a new database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    administrator = await asyncpg.connect(embedded_server.dsn)
    try:
        await administrator.execute(f"create database {name}")
        yield embedded_server.dsn.replace("/overbookr?", f"/{name}?")
        await administrator.execute(f"drop database {name} with (force)")
    finally:
        await administrator.close()


class Holder:
    """A process of its own that uses the server; see holder.py. It looks for packages in `packages` first."""

    def __init__(self, data_dir: Path, *, mode: str = "", uid: str = "", packages: Path | None = None) -> None:
        command = [sys.executable, str(Path(__file__).with_name("holder.py")), str(data_dir), mode, uid]
        environment = os.environ if packages is None else os.environ | {"PYTHONPATH": str(packages)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def report(self) -> dict[str, Any]:
        """What it says once the server runs."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the holder ended with status {self.process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def leave(self) -> bool:
        """End cleanly; whether that stopped the server."""
        stdout, _ = self.process.communicate("\n", timeout=30)
        return bool(json.loads(stdout)["stopped"])

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def hold() -> Iterator[Callable[..., Holder]]:
    """Start a Holder; what is left of them is killed after the test."""
    started: list[Holder] = []

    def start(data_dir: Path, *, mode: str = "", uid: str = "", packages: Path | None = None) -> Holder:
        started.append(Holder(data_dir, mode=mode, uid=uid, packages=packages))
        return started[-1]

    yield start
    for holder in started:
        holder.kill()


@pytest.fixture(scope="session")
def created() -> Iterator[Path]:
    """A data directory whose cluster exists, shared by the tests that leave it stopped."""
    with tempfile.TemporaryDirectory(prefix="overbookr-tests-") as folder:
        server = asyncio.run(ensure_running(Path(folder)))
        assert asyncio.run(server.stop(deadline=30))
        yield Path(folder)


@pytest.fixture
def data_dir(created: Path) -> Iterator[Path]:
    assert _is_down(created), "the test before left the server running"
    yield created
    if not _is_down(created):
        pid = Cluster(created).postmaster_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the test left the server running")


def _is_down(data_dir: Path) -> bool:
    with Cluster(data_dir).server_lock() as lock:
        return lock is not None
