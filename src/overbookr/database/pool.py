"""Connections to PostgreSQL: pools with the session settings this application relies on, and checks of the server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import asyncpg
import msgspec

from overbookr.database.sql import load_queries

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    # asyncpg's classes take no parameters at run time, where only handlers' annotations are looked up.
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

OLDEST_SERVER = 15

# The server gives up first (5 s); the client's own limit only ends waits on a server that has gone silent.
STATEMENT_TIMEOUT_MS = 5_000
CLIENT_TIMEOUT_SECONDS = 8.0
CONNECT_TIMEOUT_SECONDS = 10.0

_SESSION_SETTINGS = {
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": "3000",
    "idle_in_transaction_session_timeout": "10000",
    # Compiling a plan costs more than any statement of ours runs.
    "jit": "off",
}

# unnest() has no statistics, so the planner takes a batch for a large one and hash-joins it with the whole table of
# seats. Every write reaches its rows through an index, and these settings leave it no other way; the plan is then
# the same for each batch, so planning it once is enough.
_WRITE_SETTINGS = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
}

# A plan that was made while a table was known to be empty reads all of it for ever after, as a table of one row is read
# whole. So sessions that keep their plans make them anew: when they were used a few times, when four times as often,
# and so on, since an on-sale fills tables in seconds; and after a minute, since a quiet house may fill at any time. It
# costs some milliseconds each time.
REPLANNED_AFTER_USES = 4
REPLANNED_AFTER_SECONDS = 60.0

_QUERIES = load_queries(__package__)


class PoolExhausted(Exception):
    """No connection could be had, so nothing was begun: answer 503 and let it be tried again."""


class DurabilityRefused(Exception):
    """The server may forget what it has acknowledged. The text names the settings to change."""


class ServerTooOld(Exception):
    """The server is older than the oldest supported PostgreSQL."""


def session_settings(*, write: bool) -> dict[str, str]:
    """The server settings of a pool's sessions, by name; times in milliseconds."""
    return _SESSION_SETTINGS | (_WRITE_SETTINGS if write else {})


async def open_pool(
    dsn: str,
    *,
    size: int,
    application_name: str,
    statement_cache: bool = True,
    write: bool = False,
) -> Pool:
    """A pool of at most `size` connections, one of them open already, so an unreachable server shows here.

    `write` makes the planner take indexes only; see `_WRITE_SETTINGS`.
    `statement_cache=False` is for PgBouncer in transaction mode: nothing is prepared, and as PgBouncer refuses
    unknown start parameters, only the name and the time zone are set; give the database or the role the others.
    Connections are not reset on their way back beyond ending an open transaction: that would cost a round trip for
    each use. So: `set local` and transaction-level advisory locks only.

    Raises OSError or asyncpg.PostgresError when there is no server to talk to, ServerTooOld below PostgreSQL 15.
    """
    settings = {"application_name": application_name, "timezone": "UTC"}
    if statement_cache:
        settings |= session_settings(write=write)
    pool: Pool = await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        max_queries=2**31,
        # A write connection's prepared statements are worth keeping through a quiet hour.
        max_inactive_connection_lifetime=0 if write else 300,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=CLIENT_TIMEOUT_SECONDS,
        statement_cache_size=200 if statement_cache else 0,
        max_cached_statement_lifetime=0,
        server_settings=settings,
        init=_prepare_connection,
        reset=_Replanning() if write and statement_cache else _keep_session,
    )
    return pool


@asynccontextmanager
async def acquire(pool: Pool, timeout: float) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:  # noqa: ASYNC109
    """A connection for the length of the block.

    Raises PoolExhausted if none is free within `timeout` seconds, or if the server lets nobody in.
    """
    try:
        connection = await pool.acquire(timeout=timeout)
    except TimeoutError as error:
        raise PoolExhausted(f"no database connection became free within {timeout:g} s") from error
    except (OSError, asyncpg.PostgresError) as error:
        raise PoolExhausted(f"no database connection could be made: {error!r}") from error
    try:
        yield connection
    finally:
        await pool.release(connection, timeout=CLIENT_TIMEOUT_SECONDS)


async def assert_durable(connection: Connection) -> None:
    """Refuse a server on which an acknowledged commit may be lost. Raises DurabilityRefused naming each setting."""
    row = await connection.fetchrow(_QUERIES.durability_settings)
    assert row is not None
    accepted = {
        "fsync": ("on",),
        "full_page_writes": ("on",),
        # remote_apply waits for more than `on` does; `local` and `remote_write` for less.
        "synchronous_commit": ("on", "remote_apply"),
    }
    wrong = [f"{name} is {row[name]}" for name, values in accepted.items() if row[name] not in values]
    if wrong:
        raise DurabilityRefused(
            f"this PostgreSQL could lose bookings it has confirmed: {', '.join(wrong)}. "
            "Set fsync, full_page_writes and synchronous_commit to on"
        )


def server_version_of(connection: Connection) -> int:
    """The server's major version, as in 18. Raises ServerTooOld below 15."""
    version = connection.get_server_version()
    if version.major < OLDEST_SERVER:
        raise ServerTooOld(
            f"this server is PostgreSQL {version.major}.{version.minor}; Overbookr needs {OLDEST_SERVER} or newer"
        )
    return version.major


async def ping(connection: Connection) -> None:
    """One round trip, for readiness checks. Raises what asyncpg raises."""
    await connection.fetchval(_QUERIES.ping)


async def set_json_codecs(connection: Connection) -> None:
    """Make json and jsonb columns and parameters Python objects, by msgspec. Pools from open_pool have this already."""
    for name, prefix in (("jsonb", b"\x01"), ("json", b"")):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=_encoder(prefix),
            decoder=_decoder(len(prefix)),
            format="binary",
        )


def _encoder(prefix: bytes) -> Any:
    encode = msgspec.json.Encoder().encode
    return lambda value: prefix + encode(value)


def _decoder(skip: int) -> Any:
    decode = msgspec.json.Decoder().decode
    return lambda data: decode(data[skip:])


async def _prepare_connection(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    server_version_of(connection)
    await set_json_codecs(connection)


class _Replanning:
    """Called with each session of a pool on its way back; has it forget its plans now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By session: how often it was used, at which use and at what time it is to forget its plans next.
        self._sessions: WeakKeyDictionary[Connection, tuple[int, int, float]] = WeakKeyDictionary()

    async def __call__(self, connection: Connection) -> None:
        now = self._clock()
        uses, due_use, due_at = self._sessions.get(connection, (0, REPLANNED_AFTER_USES, now + REPLANNED_AFTER_SECONDS))
        uses += 1
        if uses >= due_use or now >= due_at:
            # Whoever used the session has had an answer; if it is lost now, the next one notices.
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.execute(_QUERIES.forget_plans)
            due_at = now + REPLANNED_AFTER_SECONDS
            due_use = due_use * 4 if uses >= due_use else due_use
        self._sessions[connection] = (uses, due_use, due_at)


async def _keep_session(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Stand in for asyncpg's RESET ALL; it has ended any open transaction before this is called."""
