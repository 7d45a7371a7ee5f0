from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from overbookr.database.errors import is_connection_lost
from overbookr.database.pool import (
    DurabilityRefused,
    PoolExhausted,
    ServerTooOld,
    acquire,
    assert_durable,
    open_pool,
    ping,
    server_version_of,
)

pytestmark = pytest.mark.anyio

EVERYWHERE = {
    "application_name": "a test",
    "timezone": "UTC",
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
}
FOR_WRITES = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
}


async def _settings(connection: Any) -> dict[str, str]:
    return {name: await connection.fetchval(f"show {name}") for name in EVERYWHERE | FOR_WRITES}


async def test_sessions_have_their_settings(empty_database: str) -> None:
    for write in (False, True):
        async with (
            await open_pool(empty_database, size=1, application_name="a test", write=write) as pool,
            acquire(pool, 1) as connection,
        ):
            found = await _settings(connection)
        assert EVERYWHERE.items() <= found.items()
        assert (FOR_WRITES.items() <= found.items()) is write


async def test_behind_pgbouncer_nothing_is_prepared_or_set(empty_database: str) -> None:
    pool = await open_pool(empty_database, size=1, application_name="a test", statement_cache=False, write=True)
    async with pool, acquire(pool, 1) as connection:
        found = await _settings(connection)
        await connection.fetchval("select $1::int", 1)
        assert await connection.fetchval("select count(*) from pg_prepared_statements where name <> ''") == 0
    assert found["timezone"] == "UTC"
    assert found["statement_timeout"] == "0"
    assert found["enable_seqscan"] == "on"


async def test_an_open_transaction_does_not_outlive_its_use(empty_database: str) -> None:
    async with await open_pool(empty_database, size=1, application_name="a test") as pool:
        async with acquire(pool, 1) as connection:
            first = await connection.fetchval("select pg_backend_pid()")
            await connection.execute("create table t (n int)")
            await connection.execute("begin; insert into t values (1); set local jit = on")
        async with acquire(pool, 1) as connection:
            assert await connection.fetchval("select pg_backend_pid()") == first
            assert await connection.fetchval("show jit") == "off"
            assert await connection.fetchval("select count(*) from t") == 0


async def test_an_exhausted_pool_says_so_in_time(empty_database: str) -> None:
    async with await open_pool(empty_database, size=1, application_name="a test") as pool:
        async with acquire(pool, 1):
            with pytest.raises(PoolExhausted, match=r"within 0.05 s"):
                async with acquire(pool, 0.05):
                    pytest.fail("there was one connection")
        async with acquire(pool, 1) as connection:
            await ping(connection)
            # A timeout inside the block is the caller's own and keeps its class.
            with pytest.raises(TimeoutError):
                await connection.execute("select pg_sleep(5)", timeout=0.05)


async def test_json_columns_are_python_objects(empty_database: str) -> None:
    value = {"größe": [1, 2.5, None, True], "nested": {"a": "b"}}
    async with (
        await open_pool(empty_database, size=1, application_name="a test") as pool,
        acquire(pool, 1) as connection,
    ):
        assert await connection.fetchval("select $1::jsonb", value) == value
        assert await connection.fetchval("select $1::json", value) == value
        assert await connection.fetchval("select $1::jsonb[]", [value, None, {}]) == [value, None, {}]
        assert await connection.fetchval("select $1::jsonb ->> 'größe'", value) == "[1, 2.5, null, true]"
        assert await connection.fetchval("select jsonb_build_object('a', 1)") == {"a": 1}


async def test_durability_is_checked(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    await assert_durable(connection)
    await connection.execute("set synchronous_commit = remote_apply")
    await assert_durable(connection)
    for value in ("off", "local", "remote_write"):
        await connection.execute(f"set synchronous_commit = {value}")
        with pytest.raises(DurabilityRefused, match=f"synchronous_commit is {value}"):
            await assert_durable(connection)
    await connection.close()


class _OldServer:
    def get_server_version(self) -> asyncpg.ServerVersion:
        return asyncpg.ServerVersion(14, 19, 0, "final", 0)


async def test_an_old_server_is_refused(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    assert server_version_of(connection) == 18
    await connection.close()
    with pytest.raises(ServerTooOld, match=r"PostgreSQL 14.19; Overbookr needs 15"):
        server_version_of(_OldServer())  # type: ignore[arg-type]


async def test_no_server_shows_at_once() -> None:
    with pytest.raises(OSError, match=r".*"):
        await open_pool("postgresql://nobody@/none?host=/nowhere", size=1, application_name="a test")


@asynccontextmanager
async def _line_that_stays_open(dsn: str) -> AsyncIterator[str]:
    """A DSN that leads to the server by a line which does not end when the server hangs up."""
    options = parse_qs(urlsplit(dsn).query)
    socket = f"{options['host'][0]}/.s.PGSQL.{options['port'][0]}"

    async def serve(client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        server_reader, server = await asyncio.open_unix_connection(socket)

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(2**16):
                writer.write(data)

        back = asyncio.create_task(forward(server_reader, client))
        await forward(client_reader, server)
        back.cancel()
        server.close()
        client.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        yield f"postgresql://overbookr@127.0.0.1:{port}{urlsplit(dsn).path}?sslmode=disable"


async def test_a_session_that_was_ended_while_idle_is_lost_and_not_used_again(empty_database: str) -> None:
    """The server's farewell has arrived, the end of the connection has not."""
    administrator = await asyncpg.connect(empty_database)
    async with (
        _line_that_stays_open(empty_database) as dsn,
        await open_pool(dsn, size=1, application_name="a test", write=True) as pool,
    ):
        async with acquire(pool, 1) as connection:
            ended = await connection.fetchval("select pg_backend_pid()")
        assert await administrator.fetchval("select pg_terminate_backend($1, 5000)", ended)
        # Each round trip is a turn of the loop, in which the farewell is read.
        for _ in range(3):
            await administrator.execute("select 1")
        with pytest.raises(asyncpg.InternalClientError) as confused:
            async with acquire(pool, 1) as connection:
                await connection.fetchval("select 1")
        assert is_connection_lost(confused.value)
        async with acquire(pool, 1) as connection:
            assert await connection.fetchval("select 1") == 1
        # An orderly end would wait for the server to hang up.
        pool.terminate()
    await administrator.close()
