"""The house that the audit tests damage, built by the write path itself."""

import hashlib
from typing import Any
from uuid import UUID

from overbookr.database.pool import Connection, Pool

SHARE = 5

# The arrays of write_batch_v1, in its order.
_ARRAYS = (
    "hold_event_ids", "hold_ids", "hold_user_ids", "hold_keys", "hold_seat_commands", "hold_seat_nos",
    "book_event_ids", "book_hold_ids", "book_user_ids", "book_booking_ids", "book_keys",
    "release_event_ids", "release_hold_ids", "cancel_event_ids", "cancel_booking_ids", "cancel_exempt",
    "join_event_ids", "join_entry_ids", "join_user_ids", "join_seats",
)  # fmt: skip

TABLES = (
    "users", "refresh_tokens", "events", "charts", "seats", "holds", "waitlist_entries", "bookings", "booking_seats",
    "seat_changes", "mails", "sales_pending", "sales_spans", "sales_days",
)  # fmt: skip


def identifier(name: str) -> UUID:
    """The same id for the same name, always."""
    return UUID(bytes=hashlib.md5(name.encode()).digest(), version=4)


SHOW = identifier("show")  # ten seats; everything that can happen to a seat has happened here
QUEUE = identifier("queue")  # six seats of which four may be sold, and people waiting
GONE = identifier("gone")  # deleted


async def add_event(connection: Connection, event_id: UUID, seats: int, *, capacity: int | None = None) -> None:
    await connection.execute(
        "insert into events (event_id, name, venue, start_time, capacity)"
        " values ($1, 'A show', 'A hall', now() + interval '30 days', $2)",
        event_id, capacity,
    )  # fmt: skip
    seat_nos = [f"A{number}" for number in range(1, seats + 1)]
    await connection.execute(
        "select add_seats_v1($1, $2, $3, $4, $5)",
        event_id, [identifier(f"{event_id} {seat_no}") for seat_no in seat_nos], seat_nos,
        [f"A{number:06}" for number in range(1, seats + 1)], SHARE,
    )  # fmt: skip


async def _write(connection: Connection, event_id: UUID, seconds: float = 300.0, **arrays: list[Any]) -> str:
    """One command through write_batch_v1; returns its outcome."""
    assert set(arrays) <= set(_ARRAYS)
    places = ", ".join(f"${number}" for number in range(3, 3 + len(_ARRAYS)))
    outcome = await connection.fetchval(
        f"select outcome from write_batch_v1($1, {SHARE}, make_interval(secs => $2), false, {places})",
        [event_id], seconds, *[arrays.get(name, []) for name in _ARRAYS],
    )  # fmt: skip
    return str(outcome)


async def hold(
    connection: Connection, event_id: UUID, name: str, user: str, *seat_nos: str, seconds: float = 300
) -> str:
    return await _write(
        connection, event_id, seconds,
        hold_event_ids=[event_id], hold_ids=[identifier(name)], hold_user_ids=[identifier(user)], hold_keys=[None],
        hold_seat_commands=[1] * len(seat_nos), hold_seat_nos=list(seat_nos),
    )  # fmt: skip


async def book(connection: Connection, event_id: UUID, name: str, hold_name: str, user: str) -> str:
    return await _write(
        connection, event_id,
        book_event_ids=[event_id], book_hold_ids=[identifier(hold_name)], book_user_ids=[identifier(user)],
        book_booking_ids=[identifier(name)], book_keys=[name],
    )  # fmt: skip


async def release(connection: Connection, event_id: UUID, name: str) -> str:
    return await _write(connection, event_id, release_event_ids=[event_id], release_hold_ids=[identifier(name)])


async def cancel(connection: Connection, event_id: UUID, name: str) -> str:
    return await _write(
        connection, event_id,
        cancel_event_ids=[event_id], cancel_booking_ids=[identifier(name)], cancel_exempt=[False],
    )  # fmt: skip


async def join(connection: Connection, event_id: UUID, name: str, user: str, seats: int) -> str:
    return await _write(
        connection, event_id,
        join_event_ids=[event_id], join_entry_ids=[identifier(name)], join_user_ids=[identifier(user)],
        join_seats=[seats],
    )  # fmt: skip


async def sell(connection: Connection, event_id: UUID, name: str, user: str, *seat_nos: str) -> None:
    assert await hold(connection, event_id, f"hold of {name}", user, *seat_nos) == "hold_placed"
    assert await book(connection, event_id, name, f"hold of {name}", user) == "hold_booked"


async def build(connection: Connection) -> None:
    await add_event(connection, SHOW, 10)
    assert await hold(connection, SHOW, "brief", "eve", "A9", seconds=0.001) == "hold_placed"
    await connection.execute("select pg_sleep(0.01), settle_due_events_v1(10, $1)", SHARE)
    assert await hold(connection, SHOW, "regretted", "eve", "A9") == "hold_placed"
    assert await release(connection, SHOW, "regretted") == "hold_released"
    assert await hold(connection, SHOW, "kept", "ann", "A1", "A2") == "hold_placed"
    await sell(connection, SHOW, "first", "bob", "A3", "A4")
    await sell(connection, SHOW, "second", "bob", "A6", "A7")
    await sell(connection, SHOW, "third", "cyd", "A5")
    assert await cancel(connection, SHOW, "third") == "booking_cancelled"
    assert await connection.fetchval(
        "select outcome from block_seats_v1($1, array['A10'], true, 'pillar', $2)", SHOW, SHARE
    ) == "seats_changed"  # fmt: skip

    await add_event(connection, QUEUE, 6, capacity=4)
    await sell(connection, QUEUE, "pair", "fay", "A1", "A2")
    await sell(connection, QUEUE, "single", "gus", "A3")
    await sell(connection, QUEUE, "other single", "hal", "A4")
    for user, seats in (("ida", 2), ("jon", 1), ("kim", 2)):
        assert await join(connection, QUEUE, f"entry of {user}", user, seats) == "waiting"
    assert await cancel(connection, QUEUE, "single") == "booking_cancelled"  # jon gets the seat; ida wants two

    await add_event(connection, GONE, 2)
    assert await connection.fetchval("select delete_event_v1($1, $2)", GONE, SHARE) == "event_deleted"
    # Some of what was sold is in the spans, some is pending.
    assert await connection.fetchval("select fold_sales_v1(3)") == 3
    await connection.execute("update mails set sent_at = created_at")


async def checksums(pool: Pool) -> dict[str, str | None]:
    """A digest of every row of every table."""
    return {
        table: await pool.fetchval(f"select md5(string_agg(t::text, ';' order by t::text)) from {table} t")
        for table in TABLES
    }
