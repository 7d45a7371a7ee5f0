from __future__ import annotations

import asyncio
import errno

import asyncpg
import pytest

from overbookr.database.embedded import EmbeddedServer
from overbookr.database.errors import constraint_of, is_connection_lost, is_outcome_unknown, is_retryable, sqlstate_of

pytestmark = pytest.mark.anyio


async def _error_of(connection: asyncpg.Connection, statement: str) -> Exception:
    try:
        await connection.execute(statement)
    except Exception as error:
        return error
    pytest.fail(f"no error from {statement}")


@pytest.mark.parametrize(
    ("state", "retryable", "lost"),
    [
        ("40001", True, False),
        ("40P01", True, False),
        ("40003", False, True),
        ("57P01", False, True),
        ("57P02", False, True),
        ("57P03", False, True),
        ("57P04", False, False),
        ("08006", False, True),
        ("57014", False, False),
        ("55P03", False, False),
        ("23505", False, False),
    ],
)
async def test_errors_sent_by_a_server(empty_database: str, state: str, retryable: bool, lost: bool) -> None:
    connection = await asyncpg.connect(empty_database)
    error = await _error_of(connection, f"do $$ begin raise 'deadlock detected' using errcode = '{state}'; end $$")
    assert sqlstate_of(error) == state
    assert (is_retryable(error), is_connection_lost(error)) == (retryable, lost)
    await connection.close()


async def test_a_real_deadlock_is_retryable(empty_database: str) -> None:
    one, two = await asyncpg.connect(empty_database), await asyncpg.connect(empty_database)
    await one.execute("create table pair (id int primary key, n int); insert into pair values (1, 0), (2, 0)")
    update = "update pair set n = n + 1 where id = $1"
    await one.execute("begin")
    await two.execute("begin")
    await one.execute(update, 1)
    await two.execute(update, 2)
    results = await asyncio.gather(one.execute(update, 2), two.execute(update, 1), return_exceptions=True)
    errors = [result for result in results if isinstance(result, Exception)]
    assert [is_retryable(error) for error in errors] == [True]
    await one.close()
    await two.close()


async def test_a_connection_ended_by_the_server(embedded_server: EmbeddedServer, empty_database: str) -> None:
    victim, other = await asyncpg.connect(empty_database), await asyncpg.connect(embedded_server.dsn)
    sleeping = asyncio.create_task(_error_of(victim, "select pg_sleep(60)"))
    await other.fetchval("select pg_terminate_backend($1, 5000)", victim.get_server_pid())
    assert is_connection_lost(await sleeping)
    after = await _error_of(victim, "select 1")
    assert is_connection_lost(after), repr(after)
    await other.close()


async def test_a_closed_connection_is_lost_and_misuse_is_not(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    sleeping = asyncio.create_task(connection.execute("select pg_sleep(0.2)"))
    await asyncio.sleep(0)
    misuse = await _error_of(connection, "select 1")
    assert isinstance(misuse, asyncpg.InterfaceError)
    assert not is_connection_lost(misuse)
    await sleeping
    await connection.close()
    assert is_connection_lost(await _error_of(connection, "select 1"))


async def test_errors_of_the_network() -> None:
    assert is_connection_lost(ConnectionResetError())
    assert is_connection_lost(FileNotFoundError(errno.ENOENT, "no socket"))
    assert is_connection_lost(TimeoutError(errno.ETIMEDOUT, "the kernel gave up"))
    assert not is_connection_lost(TimeoutError())
    assert is_outcome_unknown(TimeoutError())
    assert is_outcome_unknown(ConnectionResetError())
    assert not is_outcome_unknown(ValueError())
    assert not is_connection_lost(ValueError())


async def test_the_violated_constraint_is_named(empty_database: str) -> None:
    connection = await asyncpg.connect(empty_database)
    await connection.execute(
        "create table seat (id int constraint seat_once primary key, constraint few check (id < 9))"
    )
    await connection.execute("insert into seat values (1)")
    assert constraint_of(await _error_of(connection, "insert into seat values (1)")) == "seat_once"
    assert constraint_of(await _error_of(connection, "insert into seat values (10)")) == "few"
    assert constraint_of(await _error_of(connection, "select 1 / 0")) is None
    assert constraint_of(ValueError()) is None
    await connection.close()
