"""The embedded PostgreSQL: one server a data directory, started by whoever comes first, stopped by whoever leaves last.

    async with embedded(settings.data_dir) as server:
        pool = await open_pool(server.dsn, ...)

The server runs in a session of its own, so Ctrl-C in the terminal ends the application and not the server under it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg

from overbookr.database.cluster import SUPERUSER, Cluster, EmbeddedError, open_folder
from overbookr.database.errors import is_connection_lost
from overbookr.database.locks import close_lock, try_lock
from overbookr.database.programs import Programs, ProgramsMissing, RunMode, bin_dir, find_programs
from overbookr.database.sql import load_queries

__all__ = ["EmbeddedError", "EmbeddedServer", "ProgramsMissing", "RunMode", "bin_dir", "embedded", "ensure_running"]

DATABASE = "overbookr"
# Recovery after a crash reads up to max_wal_size of log, which a slow disk takes this long for.
START_DEADLINE_SECONDS = 180.0
STOP_DEADLINE_SECONDS = 10.0
_POLL_SECONDS = 0.02
_POLL_RESTORE_SECONDS = 0.25
_CONNECT_SECONDS = 5.0

_QUERIES = load_queries(__package__)
_log = logging.getLogger(__name__)

# Kept so that an ended postmaster can be reaped, and is not warned about before.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(slots=True)
class EmbeddedServer:
    """A running server that this process is counted as a user of until `stop`; if the process dies, until then.

    `started_here` tells whether this call started it; `mode` and `who` as whom (of a joined one: as this process
    would have).
    """

    dsn: str
    postmaster_pid: int
    started_here: bool
    who: str
    data_dir: Path
    _cluster: Cluster = field(repr=False)
    _membership: int | None = field(repr=False)

    async def stop(self, deadline: float = STOP_DEADLINE_SECONDS) -> bool:
        """Leave; the last one to leave stops the server, whoever started it, and waits until it is gone.

        Returns whether the server is gone: False while others use it, or if it takes longer than `deadline` seconds,
        when it goes on stopping by itself. Its clients are disconnected, open transactions rolled back. Calling
        again does nothing.
        """
        if self._membership is None:
            return False
        membership, self._membership = self._membership, None
        try:
            async with _decision(self._cluster, deadline):
                close_lock(membership)
                membership = -1
                return await _stop_if_unused(self._cluster, deadline)
        finally:
            if membership >= 0:
                close_lock(membership)


@asynccontextmanager
async def embedded(data_dir: Path) -> AsyncIterator[EmbeddedServer]:
    """`ensure_running` for the length of the block, and `stop` after it."""
    server = await ensure_running(data_dir)
    try:
        yield server
    finally:
        await server.stop()


async def ensure_running(
    data_dir: Path, *, mode: RunMode | None = None, deadline: float = START_DEADLINE_SECONDS
) -> EmbeddedServer:
    """Join the data directory's server, or create and start it; its database `overbookr` is there afterwards.

    `mode` matters to root only, and is chosen when not given. Raises EmbeddedError, with the server's last words, when
    it does not answer within `deadline` seconds, not counting those in which it restores itself from an archive;
    ProgramsMissing when the wheel does not run here.
    """
    cluster = Cluster(data_dir)
    programs = await asyncio.to_thread(find_programs, mode)
    try:
        cluster.prepare_home()
        async with _decision(cluster, deadline) as decision:
            membership = cluster.open_lock("users")
            try:
                if not try_lock(membership, shared=True):
                    raise EmbeddedError(f"{cluster.home}/users.lock is held by a process that is no Overbookr")
                if not cluster.is_created:
                    await asyncio.to_thread(cluster.create, programs, decision)
                socket_folder, started_here = await _join_or_start(cluster, programs, deadline)
                pid = cluster.postmaster_pid()
                if pid is None:
                    raise EmbeddedError(f"the server answered but has no {cluster.folder}/postmaster.pid")
            except BaseException:
                close_lock(membership)
                raise
    except OSError as error:
        raise EmbeddedError(f"the embedded PostgreSQL cannot use {cluster.home}: {error}") from error
    if started_here:
        _log.info("PostgreSQL %s runs %s, in %s", programs.version, programs.who, cluster.folder)
    return EmbeddedServer(_dsn(socket_folder, DATABASE), pid, started_here, programs.who, data_dir, cluster, membership)


@asynccontextmanager
async def _decision(cluster: Cluster, deadline: float) -> AsyncIterator[int]:
    """The lock under which servers are started and stopped, one process at a time."""
    descriptor = cluster.open_lock("decision")
    try:
        end = time.monotonic() + deadline
        while not try_lock(descriptor):
            if time.monotonic() > end:
                raise EmbeddedError(f"another process has been starting or stopping {cluster.home} for {deadline:g} s")
            await asyncio.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        close_lock(descriptor)


async def _join_or_start(cluster: Cluster, programs: Programs, deadline: float) -> tuple[Path, bool]:
    """The directory of the socket, and whether the server was started here.

    A held server lock means that some process of a server lives: it answers, or it is about to (its starter died),
    or it is on its way out (a stop was cut short, or the postmaster was killed and its children are following).
    """
    end = time.monotonic() + deadline
    while True:
        with cluster.server_lock() as lock:
            if lock is not None:
                return await _start(cluster, programs, lock, end), True
        socket_folder = cluster.running_socket_folder()
        if socket_folder is not None and await _answers(cluster, socket_folder):
            return socket_folder, False
        if time.monotonic() > end:
            raise EmbeddedError(
                f"processes of a server in {cluster.folder} live on without answering\n{cluster.last_words()}"
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _start(cluster: Cluster, programs: Programs, lock: int, end: float) -> Path:
    socket_folder = cluster.socket_folder(programs)
    cluster.clear_leftovers(socket_folder)
    cluster.make_ready(programs)
    with _postmaster(cluster, programs, socket_folder, lock) as process:
        while not await _answers(cluster, socket_folder):
            if process.poll() is not None:
                raise EmbeddedError(
                    f"PostgreSQL ended with status {process.returncode} while starting\n{cluster.last_words()}"
                )
            if cluster.is_being_restored:
                # It takes as long as its archive is; and the server logs each look.
                end = max(end, time.monotonic() + START_DEADLINE_SECONDS)
                await asyncio.sleep(_POLL_RESTORE_SECONDS)
            if time.monotonic() > end:
                raise EmbeddedError(f"PostgreSQL did not become ready in time\n{cluster.last_words()}")
            await asyncio.sleep(_POLL_SECONDS)
    return socket_folder


@contextmanager
def _postmaster(
    cluster: Cluster, programs: Programs, socket_folder: Path, lock: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server; if the block fails, stop it again. It holds `lock`, and so does each of its children."""
    _reap()
    with open_folder(cluster.folder) as descriptor, cluster.startup_log.open("wb") as output:
        quoted = str(socket_folder).replace('"', '""')
        settings = {"cluster_name": cluster.name, "port": "5432", "unix_socket_directories": f'"{quoted}"'}
        arguments = ["-D", programs.visible(cluster.folder, descriptor)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        process = programs.start("postgres", arguments, output=output, keep_open=[lock, descriptor])
    _children.append(process)
    try:
        yield process
    except BaseException:
        process.send_signal(signal.SIGINT)
        raise


async def _answers(cluster: Cluster, socket_folder: Path) -> bool:
    """Whether this cluster's server takes connections; creates the application's database if it is not there yet."""
    try:
        try:
            connection = await asyncpg.connect(_dsn(socket_folder, DATABASE), timeout=_CONNECT_SECONDS)
        except asyncpg.InvalidCatalogNameError:
            await _create_database(socket_folder)
            connection = await asyncpg.connect(_dsn(socket_folder, DATABASE), timeout=_CONNECT_SECONDS)
        try:
            return bool(await connection.fetchval(_QUERIES.cluster_name, timeout=_CONNECT_SECONDS) == cluster.name)
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)
    except TimeoutError:
        return False
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if is_connection_lost(error):
            return False
        raise


async def _create_database(socket_folder: Path) -> None:
    connection = await asyncpg.connect(_dsn(socket_folder, "postgres"), timeout=_CONNECT_SECONDS)
    try:
        with suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(_QUERIES.create_application_database)
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


async def _stop_if_unused(cluster: Cluster, deadline: float) -> bool:
    users = cluster.open_lock("users")
    try:
        if not try_lock(users):
            return False
        end = time.monotonic() + deadline
        pid, socket_folder = cluster.postmaster_pid(), cluster.running_socket_folder()
        if pid is not None and not _is_gone(cluster) and cluster.is_our_postmaster(pid):
            # "Fast": roll back, disconnect everybody, write a checkpoint.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        while not _is_gone(cluster):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        if socket_folder is not None:
            with suppress(OSError):
                socket_folder.rmdir()
        return True
    finally:
        close_lock(users)
        _reap()


def _is_gone(cluster: Cluster) -> bool:
    with cluster.server_lock() as lock:
        return lock is not None


def _reap() -> None:
    _children[:] = [process for process in _children if process.poll() is None]


def _dsn(socket_folder: Path, database: str) -> str:
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(socket_folder), safe='/')}&port=5432"
