"""A session that is stepped: a real connection whose statements stop at gates, as the pool that the product asks for.

The product's own stores and lanes run on it unchanged. What they send in a transaction of its own is sent as BEGIN, the
call and COMMIT, so that "done but not committed" is a state in which others can be let in.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import asyncpg

from overbookr.database.pool import Pool, session_settings, set_json_codecs

RawConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# The number under which a schedule lists the gate before a COMMIT.
COMMIT = -1

_NOTICE = re.compile(r"gate (\d+) (\d+)")
_CALL = re.compile(r"\b([a-z_]\w*)\s*\(")
_READS = re.compile(r"\bfrom\b", re.IGNORECASE)
_SECONDS_MAX = 60.0


class Session:
    """`count` says how many gates it has come to since the database was made, `gates` which ones in this schedule.
    `stop_at` is the count at which it will wait, because the scheduler holds that lock."""

    def __init__(self, number: int, connection: RawConnection, stepped: frozenset[str]) -> None:
        self.number = number
        self.pid = connection.get_server_pid()
        self.connection = connection
        self.stepped = stepped
        self.count = 0
        self.stop_at: int | None = None
        self.gates: list[int] = []
        self.sqlstates: list[str] = []
        self.task: asyncio.Task[Any] | None = None
        self.moved: Callable[[], None] = lambda: None
        self.stop_next: Callable[[Session], Awaitable[None]]
        self._next_is_commit = False
        self._entered = False
        connection.add_log_listener(self._hear)

    def begin(self, operation: Callable[[Pool], Awaitable[Any]]) -> None:
        self.gates, self.sqlstates, self._entered = [], [], False
        self.task = asyncio.create_task(self._run(operation))
        self.task.add_done_callback(lambda _: self.moved())

    @property
    def finished(self) -> bool:
        return self.task is None or self.task.done()

    @property
    def waits(self) -> bool:
        """At the gate whose lock the scheduler holds."""
        return not self.finished and self.stop_at == self.count

    async def _run(self, operation: Callable[[Pool], Awaitable[Any]]) -> Any:
        await self._gate(enters=True)
        self._entered = True
        return await operation(cast(Pool, SteppedPool(self)))

    def _hear(self, _: Any, message: Any) -> None:
        told = _NOTICE.fullmatch(message.message)
        if told is not None:
            self.count = int(told[1])
            self.gates.append(COMMIT if self._next_is_commit else int(told[2]))
            self._next_is_commit = False
            self.moved()

    async def _gate(self, *, enters: bool) -> None:
        await self.connection.fetchval("select proof.gate(0, $1)", enters, timeout=_SECONDS_MAX)

    async def before_statement(self, query: str) -> bool:
        """Come to a gate if the statement reads or writes anything; whether it has gates inside."""
        has_gates = not self.stepped.isdisjoint(_CALL.findall(query))
        if not has_gates and _READS.search(query) is None:
            return False
        if self._entered:
            self._entered = False
        else:
            # Another session may have been freed by what was just committed, so this is where all stand again.
            await self.stop_next(self)
            await self._gate(enters=has_gates)
        return has_gates

    async def commit(self) -> None:
        self._next_is_commit = True
        await self._gate(enters=False)
        await self.connection.execute("commit")


class SteppedConnection:
    """As much of a connection as the product's writing code uses."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._in_transaction = False
        self._in_snapshot = False

    async def fetch(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._send(self._session.connection.fetch, query, arguments)

    async def fetchrow(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._send(self._session.connection.fetchrow, query, arguments)

    async def fetchval(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._send(self._session.connection.fetchval, query, arguments)

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._send(self._session.connection.execute, query, arguments)

    async def cursor(self, query: str, *arguments: Any, timeout: float | None = None) -> Any:
        return await self._session.connection.cursor(query, *arguments, timeout=_SECONDS_MAX)

    @asynccontextmanager
    async def transaction(self, *, isolation: Any, readonly: bool = False) -> AsyncIterator[None]:
        if readonly:
            async with self._snapshot(isolation):
                yield
            return
        raw = self._session.connection
        self._in_transaction = True
        try:
            async with self._told():
                await raw.execute(f"begin isolation level {isolation.replace('_', ' ')}")
                try:
                    yield
                    await self._session.commit()
                except BaseException:
                    await raw.execute("rollback")
                    raise
        finally:
            self._in_transaction = False

    @asynccontextmanager
    async def _snapshot(self, isolation: Any) -> AsyncIterator[None]:
        """All that is read in one snapshot is one step: nothing can be seen or changed in between."""
        await self._session.before_statement("select from a snapshot")
        self._in_snapshot = True
        try:
            async with self._told(), self._session.connection.transaction(isolation=isolation, readonly=True):
                yield
        finally:
            self._in_snapshot = False

    async def _send(self, send: Callable[..., Awaitable[Any]], query: str, arguments: tuple[Any, ...]) -> Any:
        has_gates = not self._in_snapshot and await self._session.before_statement(query)
        async with self._told():
            if self._in_transaction or not has_gates:
                return await send(query, *arguments, timeout=_SECONDS_MAX)
            await self._session.connection.execute("begin")
            try:
                answer = await send(query, *arguments, timeout=_SECONDS_MAX)
                await self._session.commit()
            except BaseException:
                await self._session.connection.execute("rollback")
                raise
            return answer

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """Every SQLSTATE is kept, also of errors that the product deals with itself."""
        try:
            yield
        except asyncpg.PostgresError as error:
            if not getattr(error, "is_told", False):
                self._session.sqlstates.append(error.sqlstate or "none")
                error.is_told = True  # type: ignore[attr-defined]
            raise


class SteppedPool:
    """A pool of the session's one connection."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def acquire(self, *, timeout: float | None = None) -> "_Acquired":
        return _Acquired(SteppedConnection(self._session))

    async def release(self, connection: SteppedConnection, *, timeout: float | None = None) -> None:
        pass


class _Acquired:
    def __init__(self, connection: SteppedConnection) -> None:
        self._connection = connection

    def __await__(self) -> Any:
        async def give() -> SteppedConnection:
            return self._connection

        return give().__await__()

    async def __aenter__(self) -> SteppedConnection:
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        pass


async def open_session(dsn: str, number: int, stepped: frozenset[str]) -> Session:
    """A session with the settings of the product's write pool, but with time to wait at gates."""
    settings = session_settings(write=True) | {
        "application_name": f"stepped {number}",
        "timezone": "UTC",
        "statement_timeout": "60000",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "deadlock_timeout": "200",
        "proof.session": str(number),
        "proof.enters": "no",
    }
    connection = await asyncpg.connect(dsn, server_settings=settings)
    await set_json_codecs(connection)
    return Session(number, connection, stepped)
