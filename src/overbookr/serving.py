"""Starts and stops what a running Overbookr consists of: the database, the API processes, the duties' process."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from overbookr import limits
from overbookr.database.embedded import EmbeddedServer, ensure_running
from overbookr.database.migrate import MigrationReport, migrate, pending
from overbookr.database.pool import Pool, assert_durable, open_pool
from overbookr.main import FUNCTION_SOURCES
from overbookr.processes import STARTED_VARIABLE, SUPERVISOR_VARIABLE, open_files_at_most
from overbookr.settings import Settings
from overbookr.telemetry import configure_logging, prepare_metrics_directory
from overbookr.users.tokens import load_secret

log = structlog.get_logger(__name__)

DUTIES_RESTART_SECONDS = 2.0
DATABASE_LOOK_SECONDS = 0.5
API_SETTLED_SECONDS = 30.0
API_RESTART_SECONDS = 0.5
API_RESTART_SECONDS_MAX = 2.0
API_FAILURES_MAX = 5


class StartRefused(Exception):
    """Overbookr cannot start as it is set up. The text says what to change."""


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The DSN of the database: the one in the settings, or the embedded server, joined or started."""
    server = await _embedded(settings)
    try:
        yield server.dsn if server is not None else str(settings.database_url)
    finally:
        if server is not None:
            await server.stop()


async def _embedded(settings: Settings) -> EmbeddedServer | None:
    if settings.database_url is not None:
        return None
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return await ensure_running(settings.data_dir)


async def prepare_database(dsn: str, settings: Settings) -> MigrationReport:
    """Bring the schema up to date and refuse a server that may forget what it has acknowledged."""
    report = await migrate(dsn, FUNCTION_SOURCES)
    pool = await open_pool(
        dsn, size=1, application_name="overbookr start", statement_cache=settings.statement_cache, write=True
    )
    try:
        async with pool.acquire() as connection:
            await assert_durable(connection)
    finally:
        await pool.close()
    return report


async def require_schema(dsn: str, settings: Settings) -> None:
    """Refuse a database that is not up to date, for commands that are to change nothing. Raises StartRefused."""
    async with open_command_pool(dsn, settings) as pool, pool.acquire() as connection:
        missing = await pending(connection, FUNCTION_SOURCES)
    if missing:
        raise StartRefused(f"the database is not migrated ({', '.join(missing)}); run overbookr migrate")


@asynccontextmanager
async def open_command_pool(dsn: str, settings: Settings) -> AsyncIterator[Pool]:
    """A small pool for a command of the command line."""
    pool = await open_pool(dsn, size=2, application_name="overbookr command", statement_cache=settings.statement_cache)
    try:
        yield pool
    finally:
        await pool.close()


def serve(settings: Settings, *, welcome: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises StartRefused, and what the database room raises."""
    started = time.monotonic()
    configure_logging(settings.log_level)
    _refuse_taken_port(settings)
    load_secret(settings)
    embedded = asyncio.run(_embedded(settings))
    keeper = None if embedded is None else _DatabaseKeeper(embedded)
    try:
        dsn = embedded.dsn if embedded is not None else str(settings.database_url)
        asyncio.run(prepare_database(dsn, settings))
        if welcome is not None:
            welcome(dsn)
        # The processes started from here on find the database by this; only this one starts and stops it.
        os.environ["OVERBOOKR_DATABASE_URL"] = dsn
        os.environ["OVERBOOKR_DATA_DIR"] = str(settings.data_dir)
        os.environ[SUPERVISOR_VARIABLE] = str(os.getpid())
        metrics = prepare_metrics_directory(settings.data_dir, settings.port)
        duties = _DutiesProcess() if settings.duties == "on" else None
        announcer = threading.Thread(target=_announce_when_ready, args=(settings, started), daemon=True)
        announcer.start()
        try:
            _run_server(settings, metrics / "started")
        finally:
            if duties is not None:
                duties.stop()
            shutil.rmtree(metrics, ignore_errors=True)
    finally:
        if keeper is not None:
            keeper.stop()


def _run_server(settings: Settings, started: Path) -> None:
    """Run the API processes until a signal ends them.

    granian gives up when a worker dies twice within seconds. A machine that kills processes (out of memory, say) does
    that, and so does a database that is away; a venue still wants to sell. Only workers that never came to work, which
    they would tell by the file `started`, are a reason to give up.
    """
    os.environ[STARTED_VARIABLE] = str(started)
    failures = 0
    while True:
        began = time.monotonic()
        server = _api_server(settings)
        try:
            server.serve()
        except SystemExit:
            if server.interrupt_signal:
                raise
        if server.interrupt_signal:
            return
        failures = failures + 1 if time.monotonic() - began < API_SETTLED_SECONDS else 1
        log.error("api_processes_ended", failures=failures)
        if failures > API_FAILURES_MAX and not started.exists():
            raise StartRefused("the API processes end as soon as they start; the log above says why")
        time.sleep(min(API_RESTART_SECONDS * failures, API_RESTART_SECONDS_MAX))
        if server.interrupt_signal:
            return


def _api_server(settings: Settings) -> Any:
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    return Server(
        "overbookr.main:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop if settings.event_loop == "uvloop" else Loops.asyncio,
        workers=settings.workers,
        factory=True,
        websockets=False,
        backlog=4096,
        # It counts connections, not requests; the application sheds load itself, by its bounded queues. Those for whom
        # there is no room wait to be accepted until others have ended.
        backpressure=max(1, min(limits.CONNECTIONS_MAX, open_files_at_most() - limits.FILES_RESERVED)),
        # Telling HTTP/2 apart takes a first byte, for which the server would wait without end.
        http=HTTPModes.http1,
        # This is also how long a connection may be idle. The buffer bounds the headers of a request.
        http1_settings=HTTP1Settings(
            header_read_timeout=settings.idle_seconds * 1000, max_buffer_size=limits.HEADERS_BYTES_MAX
        ),
        log_level=LogLevels.debug if settings.log_level == "debug" else LogLevels.warning,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=int(limits.STOP_SECONDS_MAX) - 5 + settings.drain_seconds,
    )


def _refuse_taken_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise StartRefused(
                f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
                "another program may be using it: set OVERBOOKR_PORT"
            ) from error


def _announce_when_ready(settings: Settings, started: float) -> None:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host
    url = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    deadline = started + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    seconds = time.monotonic() - started
                    print(f"Overbookr serves on {url} (ready after {seconds:.1f} s; API at {url}/docs)", flush=True)
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
    print(f"Overbookr is still not ready on {url}; see the log above", file=sys.stderr, flush=True)


class _DatabaseKeeper:
    """Starts the embedded PostgreSQL again when it has died under us; stops it, or leaves it to others, at the end."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="database", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        asyncio.run(self._server.stop())

    def _watch(self) -> None:
        while not self._stopping.wait(DATABASE_LOOK_SECONDS):
            if _is_running(self._server.postmaster_pid):
                continue
            log.error("database_died", pid=self._server.postmaster_pid)
            try:
                self._restart()
            except Exception:
                log.exception("database_not_restarted")

    def _restart(self) -> None:
        predecessor = self._server
        self._server = asyncio.run(ensure_running(predecessor.data_dir))
        log.warning("database_restarted", pid=self._server.postmaster_pid)
        # The old membership goes only now, so that nobody takes the new server for unused.
        asyncio.run(predecessor.stop())


def _is_running(pid: int) -> bool:
    """Whether the process lives. One that has ended but was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return not os.path.isdir("/proc/self")


class _DutiesProcess:
    """The background duties in a process of their own, so that rendering a mail never delays an answer."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name="duties", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(limits.STOP_SECONDS_MAX - 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._thread.join(2)

    def _keep_running(self) -> None:
        while not self._stopping.is_set():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "overbookr", "worker", "--supervisor", str(os.getpid())]
            )
            status = self._process.wait()
            if not self._stopping.is_set():
                log.error("duties_ended", status=status, restart_in_seconds=DUTIES_RESTART_SECONDS)
                self._stopping.wait(DUTIES_RESTART_SECONDS)
