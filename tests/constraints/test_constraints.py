"""The last line of defence: what the schema refuses whoever asks, with every function out of the way."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.constraints import cases as table
from tests.constraints.cases import EVENT, FURNITURE, KEYS, cases, copy
from tests.house.postgres import PostgresServer
from tests.house.world import refuses

pytestmark = pytest.mark.anyio

STATES = (None, "available", "held", "booked", "blocked")
LEGAL = {
    (None, "available"),
    ("available", None),
    ("blocked", None),
    ("available", "held"),
    ("held", "available"),
    ("held", "booked"),
    ("booked", "available"),
    ("available", "booked"),
    ("available", "blocked"),
    ("blocked", "available"),
}

# What the database itself says its laws are: constraints, unique indexes that are none, and triggers of ours that
# refuse, which are those that come before a row.
LAWS = """
select conname from pg_constraint
 where connamespace = 'public'::regnamespace and contype in ('c', 'u', 'p', 'f', 'x')
union all
select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indexrelid
 where i.indisunique and c.relnamespace = 'public'::regnamespace
   and not exists (select 1 from pg_constraint k where k.conindid = i.indexrelid)
union all
select tgname from pg_trigger where not tgisinternal and tgtype & 3 = 3
"""


@pytest.fixture(scope="module")
def furnished(server: PostgresServer, template: str) -> Iterator[str]:
    """One database for the whole module: every test leaves it as it was."""
    dsn = server.create_database(template=template)
    yield dsn
    server.drop_database(dsn)


@pytest.fixture
async def house(furnished: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(furnished)
    if not await connection.fetchval("select exists (select 1 from events)"):
        await connection.execute(FURNITURE)
    yield connection
    await connection.close()


@pytest.mark.parametrize("law", dict.fromkeys(law for law, _ in cases()))
async def test_it_refuses_what_it_is_named_after(house: "asyncpg.Connection[asyncpg.Record]", law: str) -> None:
    for name, statement in cases():
        if name == law:
            await refuses(house, law, statement)


async def test_every_law_of_the_schema_has_a_case(house: "asyncpg.Connection[asyncpg.Record]") -> None:
    ours = re.compile("schema_migrations|schema_functions")
    laws = {row[0] for row in await house.fetch(LAWS)}
    assert {law for law in laws if not ours.match(law)} == {law for law, _ in cases()}


async def test_every_table_is_known_here(house: "asyncpg.Connection[asyncpg.Record]") -> None:
    rows = await house.fetch(
        "select tablename from pg_tables where schemaname = 'public' and tablename not like 'schema%'"
    )
    assert {row[0] for row in rows} == set(KEYS)
    for name in KEYS:
        assert await house.fetchval(f"select count(*) from {name}") > 0, (
            f"{name} has no row that a case could start from"
        )


async def test_what_must_be_there_cannot_be_missing(house: "asyncpg.Connection[asyncpg.Record]") -> None:
    rows = await house.fetch(
        "select attrelid::regclass::text, attname from pg_attribute where attnotnull and attnum > 0"
        " and attrelid::regclass::text = any ($1)",
        list(KEYS),
    )
    assert len(rows) > 60
    for name, column in rows:
        with pytest.raises(asyncpg.NotNullViolationError):
            async with house.transaction():
                await house.execute(f"update {name} set {column} = null")
    optional = await house.fetch(
        "select attrelid::regclass::text, attname from pg_attribute where not attnotnull and attnum > 0"
        " and not attisdropped and attrelid::regclass::text = any ($1)",
        list(KEYS),
    )
    # Whoever makes a column optional decides so here too.
    assert {tuple(row) for row in optional} == OPTIONAL


OPTIONAL = {
    ("refresh_tokens", "used_at"),
    ("refresh_tokens", "revoked_at"),
    ("events", "capacity"),
    ("events", "sales_open_at"),
    ("events", "sales_close_at"),
    ("events", "deleted_at"),
    *(("seats", column) for column in ("hold_id", "hold_expires_at", "booking_id", "block_reason")),
    *(("seats", column) for column in ("section", "row_label", "category", "seat_guid")),
    ("holds", "idempotency_key"),
    ("holds", "ended_at"),
    *(("bookings", column) for column in ("hold_id", "entry_id", "idempotency_key", "cancelled_at")),
    ("booking_seats", "released_at"),
    *(("seat_changes", column) for column in ("from_status", "to_status", "hold_id", "booking_id")),
    *(("mails", column) for column in ("sent_at", "failed_at", "last_error")),
}


async def test_a_seat_changes_only_as_the_house_allows(house: "asyncpg.Connection[asyncpg.Record]") -> None:
    for pair in itertools.product(STATES, STATES):
        statement = copy("seat_changes", 1, version=2, from_status=pair[0], to_status=pair[1])
        if pair in LEGAL:
            transaction = house.transaction()
            await transaction.start()
            await house.execute(statement)
            await transaction.rollback()
        else:
            await refuses(house, "change_is_legal", statement)


async def test_a_free_seat_may_go(house: "asyncpg.Connection[asyncpg.Record]") -> None:
    transaction = house.transaction()
    await transaction.start()
    assert await house.execute("delete from seats where seat_no in ('A4', 'A5')") == "DELETE 2"
    await transaction.rollback()


async def test_what_is_over_may_come_again(house: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The unique indexes guard what is live: a released seat is sold again, who was served may wait again."""
    transaction = house.transaction()
    await transaction.start()
    await house.execute("update booking_seats set released_at = now() where seat_no = 'A2'")
    await house.execute(
        "insert into booking_seats (event_id, booking_id, seat_no) values ($1, $2, 'A2')", EVENT, table.PROMOTION
    )
    await house.execute(f"update waitlist_entries set status = 'left' where entry_id = '{table.ENTRY}'")
    await house.execute(copy("waitlist_entries", table.ENTRY, entry_id=table.NEW, ticket=9, status="waiting"))
    await house.execute(copy("holds", table.SPARE_HOLD, hold_id=table.NEW))
    await transaction.rollback()


async def test_a_law_that_is_gone_is_noticed(house: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The check of these checks: without its index, the double sale goes through, and `refuses` says so."""
    transaction = house.transaction()
    await transaction.start()
    await house.execute("drop index one_live_booking_per_seat")
    with pytest.raises(AssertionError, match="not refused"):
        await refuses(house, "one_live_booking_per_seat", copy("booking_seats", "A2", booking_id=table.PROMOTION))
    await transaction.rollback()
