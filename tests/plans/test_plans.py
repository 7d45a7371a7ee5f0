"""What the hot statements read of a large database, counted by PostgreSQL itself: rows by index, as many as needed.

The counters see every statement inside the functions, with the plans that the write connections really use. Four
situations, because each has planned badly somewhere once: plans made while the tables were empty, or were empty and
known to be so, large tables that were never analyzed, and large analyzed ones.
"""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from overbookr.bookings.model import BookHold, CancelBooking
from overbookr.database.pool import REPLANNED_AFTER_USES, Connection, open_pool
from overbookr.database.sql import load_queries
from overbookr.holds.model import PlaceHold, ReleaseHold
from overbookr.ids import new_id
from overbookr.waitlist.model import JoinWaitlist
from overbookr.writes.lane import Command, Lane
from tests.house.postgres import PostgresServer
from tests.house.stage import SHARE, TIME_TO_LIVE
from tests.plans.crowd import (
    BIG,
    CROWD,
    EMPTY,
    OVERDUE,
    QUEUED,
    SOLD,
    SOLD_OUT,
    SOLD_SEATS,
    STRICT,
    WAITERS,
    booking_id,
    count_reads,
    hold_id,
    sold_booking_id,
    waiter_id,
)

Reads = dict[str, tuple[bool, int, int]]
# A table that was never vacuumed is taken for ten pages at least; one that was, while empty, for a single row.
KNOWN_EMPTY = "planned while known to be empty"
SITUATIONS = ("planned while empty", "never analyzed", "analyzed")
ALL_SITUATIONS = (*SITUATIONS, KNOWN_EMPTY)

# The largest number of rows or index entries that a call may read of any one table or index. Eight commands a batch.
FEW = 60
# Promotions read the end of the feed: of up to eight free seats, 128 changes and the seats that these name.
PROMOTED = 128 + FEW


def wants(event_id: UUID, *seat_nos: str, key: str | None = None) -> PlaceHold:
    return PlaceHold(event_id, new_id(), new_id(), seat_nos, key)


def books(number: int) -> BookHold:
    return BookHold(BIG, hold_id(number), hold_id(number), new_id(), "new", token_version=1)


def cancels(number: int) -> CancelBooking:
    return CancelBooking(BIG, booking_id(number), hold_id(number), False)


def sold_out_cancel(event_id: UUID, number: int) -> CancelBooking:
    return CancelBooking(event_id, sold_booking_id(event_id, number), waiter_id(event_id, number), False)


# The calls of write_batch_v1 that are watched, by name.
BATCHES: dict[str, list[Command]] = {
    "hold": [wants(BIG, f"S{n}", f"S{n + 1}") for n in range(15_001, 15_017, 2)],
    "hold with a key": [wants(BIG, f"S{n}", key="k") for n in range(15_001, 15_009)],
    "hold of seats that are taken": [wants(BIG, f"S{n}", f"S{n + 4_000}") for n in range(4_001, 4_009)],
    "hold of seats that are not there": [wants(BIG, f"T{n}") for n in range(8)],
    "hold by someone with a history": [
        PlaceHold(BIG, new_id(), hold_id(n), (f"S{n + 15_000}",), token_version=1) for n in range(1, 9)
    ],
    "hold where many wait": [wants(QUEUED, "S1")],
    "book": [books(n) for n in range(6_001, 6_009)],
    "book again": [BookHold(BIG, hold_id(n), hold_id(n), new_id(), "key") for n in range(1_001, 1_009)],
    "release": [ReleaseHold(BIG, hold_id(n), hold_id(n)) for n in range(6_001, 6_009)],
    "release where many wait": [ReleaseHold(QUEUED, QUEUED, QUEUED)],
    "cancel": [cancels(n) for n in range(1_001, 1_009)],
    "join where many wait": [JoinWaitlist(QUEUED, new_id(), new_id(), 2) for _ in range(8)],
    "join by someone with a history": [JoinWaitlist(QUEUED, new_id(), hold_id(n), 2) for n in range(1, 9)],
    "everything at once": [
        *(wants(BIG, f"S{n}") for n in (15_001, 15_002)),
        *(books(n) for n in (6_001, 6_002)),
        *(ReleaseHold(BIG, hold_id(n), hold_id(n)) for n in (6_003, 6_004)),
        cancels(1_001),
        JoinWaitlist(QUEUED, new_id(), new_id(), 2),
    ],
}
AGAIN = [name for name in BATCHES if "again" not in name]

# What serves queues of sold out houses of 5,000 seats, of which as many people have been served before.
PROMOTIONS: dict[str, list[Command]] = {}
for _name, _event_id in (("first_fit,", SOLD), ("strict,", STRICT)):
    PROMOTIONS[f"{_name} one booking is cancelled"] = [sold_out_cancel(_event_id, 77)]
    PROMOTIONS[f"{_name} eight bookings are cancelled"] = [sold_out_cancel(_event_id, n) for n in range(1_001, 1_009)]
    PROMOTIONS[f"{_name} a hold is wanted"] = [wants(_event_id, "S9")]
    PROMOTIONS[f"{_name} somebody joins"] = [JoinWaitlist(_event_id, new_id(), new_id(), 2)]

_PLACE = load_queries("overbookr.waitlist").find_waiting
_READS: dict[str, tuple[str, list[Any]]] = {
    "a hold": (load_queries("overbookr.holds").find_hold, [hold_id(7_000), hold_id(7_000)]),
    "a booking": (load_queries("overbookr.bookings").find_booking, [booking_id(70), hold_id(70), False]),
    "someone's bookings": (load_queries("overbookr.bookings").list_bookings, [hold_id(70), 20, 0]),
    "a booking with its customer": (
        load_queries("overbookr.bookings").search_by_reference,
        [booking_id(70), None, None],
    ),
    "a customer's bookings": (
        load_queries("overbookr.bookings").search_by_customer,
        ["u70@example.org", None, None, 21],
    ),
    "who has a seat": (load_queries("overbookr.bookings").search_by_seat, [BIG, "S70", None]),
    "an event's bookings": (load_queries("overbookr.bookings").search_by_event, [BIG, booking_id(4_000), 21]),
    "the newest bookings": (load_queries("overbookr.bookings").search_newest, [new_id(), 21]),
    "the version of an event": (load_queries("overbookr.analytics").event_version, [BIG]),
    "the sales of an event": (load_queries("overbookr.analytics").sales_by_minute, [SOLD, 9_000, 9_040]),
    "an event": (load_queries("overbookr.events").find_event, [BIG, False]),
    "the state of a map": (load_queries("overbookr.maps").map_states, [[BIG]]),
    "the changes of a map": (load_queries("overbookr.maps").read_changes, [[BIG, QUEUED], [10_000, 0], [10_020, 2]]),
    "the state of the map of a strict house": (load_queries("overbookr.maps").map_states, [[STRICT]]),
}


class OneConnection:
    """A pool of this one connection, so that a lane's batch can be looked at from inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def acquire(self, **_: Any) -> Connection:
        return self._connection

    async def release(self, connection: Connection, **_: Any) -> None:
        assert connection is self._connection


async def reads_of_batch(connection: Connection, commands: list[Command], *, again: bool = False) -> Reads:
    pool: Any = OneConnection(connection)
    lane = Lane(pool, name="test", time_to_live=TIME_TO_LIVE, user_seats_max=SHARE)
    transaction = connection.transaction()
    await transaction.start()
    before = await count_reads(connection)
    await lane._write(commands, again=again)
    after = await count_reads(connection)
    await transaction.rollback()
    return difference(before, after)


async def reads_of_query(connection: Connection, query: str, arguments: list[Any]) -> Reads:
    transaction = connection.transaction()
    await transaction.start()
    before = await count_reads(connection)
    await connection.fetch(query, *arguments)
    after = await count_reads(connection)
    await transaction.rollback()
    return difference(before, after)


def difference(before: Reads, after: Reads) -> Reads:
    found = {
        name: (kind, after[name][1] - before[name][1], after[name][2] - before[name][2])
        for name, (kind, *_) in after.items()
    }
    return {name: read for name, read in found.items() if read[1] or read[2]}


async def every_read(connection: Connection) -> dict[str, Reads]:
    found = {name: await reads_of_batch(connection, commands) for name, commands in BATCHES.items()}
    found |= {f"{name}, asked again": await reads_of_batch(connection, BATCHES[name], again=True) for name in AGAIN}
    found["leave where many wait"] = await reads_of_query(
        connection, load_queries("overbookr.waitlist").leave_waitlist, [QUEUED, new_id(), SHARE]
    )
    return found


class Crowd:
    """What was read, by situation and by call."""

    def __init__(self) -> None:
        self.writes: dict[str, dict[str, Reads]] = {}
        self.queries: dict[str, dict[str, Reads]] = {}
        self.settling: dict[str, dict[str, Reads]] = {}
        self.promotions: dict[str, dict[str, Reads]] = {}
        self.places: dict[str, dict[str, Reads]] = {}


async def gather(dsn: str, crowd: Crowd, situations: tuple[str, ...]) -> None:
    """What is read in these situations, the first of which plans while the tables are empty."""
    pools = {name: await open_pool(dsn, size=1, application_name=name, write=True) for name in situations}
    reads = await open_pool(dsn, size=1, application_name="reads")

    async def look(situation: str) -> None:
        async with pools[situation].acquire() as connection:
            crowd.writes[situation] = await every_read(connection)
            settle = await reads_of_query(connection, load_queries("overbookr.writes").settle_due_events, [200, SHARE])
            crowd.settling[situation] = {"settle": settle}
            crowd.promotions[situation] = {
                name: await reads_of_batch(connection, commands) for name, commands in PROMOTIONS.items()
            }
        async with reads.acquire() as connection:
            crowd.queries[situation] = {
                name: await reads_of_query(connection, query, arguments) for name, (query, arguments) in _READS.items()
            }
            last = waiter_id(SOLD, SOLD_SEATS + WAITERS)
            crowd.places[situation] = {"the last place": await reads_of_query(connection, _PLACE, [SOLD, last])}

    try:
        await reads.execute(EMPTY)
        if situations[0] == KNOWN_EMPTY:
            await reads.execute("vacuum")
        async with pools[situations[0]].acquire() as connection:
            await every_read(connection)
            await reads_of_batch(connection, PROMOTIONS["strict, a hold is wanted"])
        await reads.execute(CROWD, timeout=60)
        await reads.execute(SOLD_OUT, timeout=60)
        await reads.execute("reset all")
        if situations[0] == KNOWN_EMPTY:
            # Its plans read all of everything by now, and it makes others by itself before it was used often.
            for _ in range(REPLANNED_AFTER_USES):
                async with pools[KNOWN_EMPTY].acquire():
                    pass
        for situation in situations:
            if situation == "analyzed":
                await reads.execute("set statement_timeout = 0")
                await reads.execute("analyze", timeout=60)
                await reads.execute("reset all")
            await look(situation)
    finally:
        for pool in (*pools.values(), reads):
            await pool.close()


@pytest.fixture(scope="module")
def crowded(server: PostgresServer, template: str) -> Iterator[str]:
    dsn = server.create_database(template=template)
    yield dsn
    server.drop_database(dsn)


@pytest.fixture(scope="module")
def crowd(crowded: str, server: PostgresServer, template: str) -> Iterator[Crowd]:
    found = Crowd()
    asyncio.run(gather(crowded, found, SITUATIONS))
    # In a database of its own, as vacuuming has everything planned anew.
    dsn = server.create_database(template=template)
    asyncio.run(gather(dsn, found, (KNOWN_EMPTY,)))
    yield found
    server.drop_database(dsn)


def too_much(found: dict[str, Reads], most: int) -> list[str]:
    """What read a table from end to end, or more entries of an index than `most`; one line each."""
    return [
        f"{call}: {name}, {entries} entries in {scans} scans{'' if is_index else ' of the whole table'}"
        for call, reads in found.items()
        for name, (is_index, scans, entries) in reads.items()
        if not is_index or entries > most
    ]


def refuse(lines: list[str]) -> None:
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.mark.parametrize("situation", ALL_SITUATIONS)
def test_writes_reach_what_they_need_by_index(crowd: Crowd, situation: str) -> None:
    refuse(too_much(crowd.writes[situation], FEW))


@pytest.mark.parametrize("situation", ALL_SITUATIONS)
def test_reads_reach_what_they_need_by_index(crowd: Crowd, situation: str) -> None:
    refuse(too_much(crowd.queries[situation], FEW))


@pytest.mark.parametrize("situation", ALL_SITUATIONS)
def test_a_promotion_reads_the_end_of_the_feed_and_not_the_house(crowd: Crowd, situation: str) -> None:
    found = crowd.promotions[situation]
    for name in ("first_fit, one booking is cancelled", "strict, eight bookings are cancelled"):
        assert found[name]["seat_changes_pkey"][2] >= 100, "nobody was promoted"
    refuse(too_much(found, PROMOTED))


@pytest.mark.parametrize("situation", ALL_SITUATIONS)
def test_a_place_in_the_queue_is_counted_among_those_who_wait(crowd: Crowd, situation: str) -> None:
    """Not among those as well who were served before, of whom there are more with every hour."""
    found = crowd.places[situation]
    assert found["the last place"]["waiting_by_size"][2] >= WAITERS
    refuse(too_much(found, WAITERS + FEW))


@pytest.mark.parametrize("situation", ALL_SITUATIONS)
def test_the_worker_reads_what_is_due(crowd: Crowd, situation: str) -> None:
    """It ends 1,000 holds of 200 events; which those are, it finds by looking at what is overdue and at the events."""
    found = crowd.settling[situation]
    assert found["settle"]["seats_pkey"][2] >= 1_000
    refuse(too_much(found, 2 * OVERDUE))


@pytest.mark.anyio
async def test_a_missing_index_is_noticed(crowd: Crowd, crowded: str) -> None:
    """These checks can fail: without the key by which a user's bookings are found, a hold reads all of them."""
    pool = await open_pool(crowded, size=1, application_name="test", write=True)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("alter table bookings drop constraint one_booking_per_idempotency_key")
        lines = too_much({"hold": await reads_of_batch(connection, BATCHES["hold"])}, FEW)
        await transaction.rollback()
    await pool.close()
    assert any("booking" in line for line in lines), lines
    assert crowd.writes["analyzed"]
