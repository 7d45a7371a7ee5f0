"""The two kinds of installation the document tells about: with the embedded PostgreSQL, and with one of one's own."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import asyncpg

from overbookr.database.cluster import Cluster, EmbeddedError
from overbookr.database.embedded import EmbeddedServer, ensure_running

DEBIAN_PROGRAMS: Final = Path("/usr/lib/postgresql/15/bin")
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 60.0


class NotStarted(Exception):
    """The database server did not start. The text is what it said."""


class Installation(ABC):
    """`names` are the blocks that give names to things, `address` those that say where the running server is."""

    name: str
    names: tuple[str, ...] = ()
    address: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.backups = folder / "backups"
        for place in (self.data_dir, self.backups):
            place.mkdir(parents=True)

    @property
    @abstractmethod
    def url(self) -> str | None:
        """What Overbookr's setting says; None for the embedded server."""

    @property
    @abstractmethod
    def dsn(self) -> str:
        """Where the running server's database is."""

    @abstractmethod
    def variables(self) -> dict[str, str]:
        """What the operator sets by hand."""

    @abstractmethod
    async def create(self) -> None:
        """A new server with an empty database, running."""

    @abstractmethod
    async def start(self) -> None:
        """Start, and wait until it can be written to. Raises NotStarted."""

    @abstractmethod
    async def stop(self) -> None:
        """In good order."""

    @abstractmethod
    async def kill(self) -> None:
        """At once, and wait until none of its processes lives."""

    @abstractmethod
    def lose(self) -> None:
        """Remove everything but the backups."""


class Embedded(Installation):
    name = "embedded PostgreSQL 18"
    names = ("names of the embedded server",)
    address = ("address of the embedded server",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server: EmbeddedServer | None = None

    @property
    def url(self) -> None:
        return None

    @property
    def dsn(self) -> str:
        folder = Cluster(self.data_dir).running_socket_folder()
        return f"postgresql://overbookr@/overbookr?host={folder}"

    def variables(self) -> dict[str, str]:
        return {}

    async def create(self) -> None:
        await self.start()

    async def start(self) -> None:
        try:
            self._server = await ensure_running(self.data_dir, deadline=_START_SECONDS)
        except EmbeddedError as error:
            raise NotStarted(str(error)) from error

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(_STOP_SECONDS)

    async def kill(self) -> None:
        cluster = Cluster(self.data_dir)
        pid = cluster.postmaster_pid()
        if pid is not None and cluster.is_our_postmaster(pid):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + _STOP_SECONDS
        while not _is_free(cluster):
            if time.monotonic() > deadline:
                raise NotStarted("processes of a killed server live on")
            await asyncio.sleep(0.01)
        await self.stop()

    def lose(self) -> None:
        shutil.rmtree(self.data_dir)
        self.data_dir.mkdir(mode=0o700)


def _is_free(cluster: Cluster) -> bool:
    with cluster.server_lock() as lock:
        return lock is not None


class OwnServer(Installation):
    """Debian's PostgreSQL 15, started by hand as an operator's service manager would. Root runs it in a namespace."""

    name = "own PostgreSQL 15"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._cluster = folder / "cluster"
        self._socket = folder / "run"
        self._socket.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._run_as = ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []

    @property
    def url(self) -> str:
        return self.dsn

    @property
    def dsn(self) -> str:
        return f"postgresql://operator@/overbookr?host={self._socket}"

    def variables(self) -> dict[str, str]:
        return {
            "BIN": str(DEBIAN_PROGRAMS),
            "CLUSTER": str(self._cluster),
            "PGHOST": str(self._socket),
            "PGUSER": "operator",
            "PGDATABASE": "overbookr",
        }

    async def create(self) -> None:
        arguments = ["-D", str(self._cluster), "-A", "trust", "-U", "operator", "-E", "UTF8", "--locale=C.UTF-8"]
        command = [*self._run_as, str(DEBIAN_PROGRAMS / "initdb"), *arguments, "--data-checksums"]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        await self._start("postgres")
        connection = await asyncpg.connect(self._dsn_of("postgres"))
        await connection.execute("create database overbookr")
        await connection.close()

    async def start(self) -> None:
        await self._start("overbookr")

    async def _start(self, database: str) -> None:
        settings = ["listen_addresses=", "max_connections=100", f"unix_socket_directories={self._socket}"]
        command = [*self._run_as, str(DEBIAN_PROGRAMS / "postgres"), "-D", str(self._cluster)]
        with open(self.folder / "postgres.log", "ab") as log:
            offset = log.tell()
            self._process = subprocess.Popen(
                [*command, *(word for setting in settings for word in ("-c", setting))],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not await self._can_be_written_to(database):
            if self._process.poll() is not None or time.monotonic() > deadline:
                await self.kill()
                raise NotStarted((self.folder / "postgres.log").read_bytes()[offset:].decode(errors="replace"))
            await asyncio.sleep(0.02)

    async def _can_be_written_to(self, database: str) -> bool:
        try:
            connection = await asyncpg.connect(self._dsn_of(database))
        except (OSError, asyncpg.PostgresError):
            return False
        try:
            return not await connection.fetchval("select pg_is_in_recovery()")
        except asyncpg.PostgresError:
            return False
        finally:
            await connection.close()

    def _dsn_of(self, database: str) -> str:
        return self.dsn.replace("/overbookr?", f"/{database}?")

    async def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            await asyncio.to_thread(self._process.wait, _STOP_SECONDS)
            self._process = None

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait, _STOP_SECONDS)
            self._process = None
        # The others of its processes end when they see that it is gone; each works in the cluster's folder.
        deadline = time.monotonic() + _STOP_SECONDS
        while any(_works_in(process, self._cluster) for process in Path("/proc").glob("[0-9]*")):
            if time.monotonic() > deadline:
                raise NotStarted("processes of a killed server live on")
            await asyncio.sleep(0.01)

    def lose(self) -> None:
        for place in (self._cluster, self.data_dir):
            if place.exists():
                shutil.rmtree(place)
        self.data_dir.mkdir(mode=0o700)


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder
    except OSError:
        return False
