"""What a database error means for the caller, told by SQLSTATE and never by the server's words.

Server messages are translated and reworded between versions; the five-letter codes are not.
"""

from __future__ import annotations

import asyncpg

_RETRYABLE = frozenset({"40001", "40P01"})
# 40003: whether the statement completed is unknown. 57P01 to 57P03: the server is going down or coming up.
_LOST = frozenset({"40003", "57P01", "57P02", "57P03"})
_LOST_CLASS = "08"


def sqlstate_of(error: BaseException) -> str | None:
    """The five-letter SQLSTATE of an error that a PostgreSQL server sent, else None."""
    if isinstance(error, asyncpg.PostgresError):
        return getattr(error, "sqlstate", None)
    return None


def is_retryable(error: BaseException) -> bool:
    """Whether the transaction was rolled back only because of its neighbours and may be run again as it is."""
    return sqlstate_of(error) in _RETRYABLE


def is_connection_lost(error: BaseException) -> bool:
    """Whether the connection is gone. If this happened during COMMIT, the outcome must be looked up.

    A client-side timeout is not a lost connection; see `is_outcome_unknown`.
    """
    if (state := sqlstate_of(error)) is not None:
        return state in _LOST or state.startswith(_LOST_CLASS)
    if isinstance(error, asyncpg.InternalClientError):
        # A session that was ended while it was idle: asyncpg has read the server's farewell and waits for the rest.
        return True
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg's own errors carry no SQLSTATE; its text is the only mark, and it is not translated.
        return "connection is closed" in str(error) or "connection was closed" in str(error)
    if isinstance(error, TimeoutError):
        # asyncio's timeouts share this class with the kernel's ETIMEDOUT, and only the latter has a number.
        return error.errno is not None
    return isinstance(error, OSError)


def is_outcome_unknown(error: BaseException) -> bool:
    """Whether the statement may or may not have been committed: a lost connection, or nobody answered in time."""
    return is_connection_lost(error) or isinstance(error, TimeoutError)


def constraint_of(error: BaseException) -> str | None:
    """The name of the violated constraint (SQLSTATE class 23), or None for any other error."""
    state = sqlstate_of(error)
    if state is None or not state.startswith("23"):
        return None
    return getattr(error, "constraint_name", None)
