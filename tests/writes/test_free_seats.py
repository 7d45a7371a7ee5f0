"""Seats for who waits: found at the end of the feed, chosen as if the whole house had been read."""

import random
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from overbookr.database.pool import Connection
from overbookr.ids import new_id
from overbookr.seats.natural_order import natural_key
from tests.house.stage import SHARE, Stage, seeded_random

pytestmark = pytest.mark.anyio

HOUSES = 12
ROUNDS = 6

# The choice as one statement that reads the house, which is what the product did once.
ORACLE = """
with free as (
  select seat_no, ordinal, ordinal - row_number() over (order by ordinal) as run
    from (select seat_no, ordinal from seats where event_id = $1 and status = 'available' limit 4000) s),
tightest as (
  select run from free group by run having count(*) >= $2 order by count(*), min(ordinal) limit 1)
select array_agg(c.seat_no order by c.ordinal)
  from (select f.seat_no, f.ordinal from free f
         order by f.run is distinct from (select run from tightest), f.ordinal limit $2) c
"""
NEXT = """
select (next_waiter(event_id, waitlist_policy, seats_count - booked_count - held_count, seats_count, $2)
       ).requested_seats
  from events where event_id = $1
"""
PROMOTED = """
select b.seat_nos from bookings b join waitlist_entries w on w.entry_id = b.entry_id and w.event_id = b.event_id
 where b.event_id = $1 order by w.updated_at, (select min(c.version) from seat_changes c
                                               where c.event_id = b.event_id and c.booking_id = b.booking_id)
"""
# Free seats of which the end of the feed knows nothing.
UNNAMED = """
select count(*) from seats s join events e on e.event_id = s.event_id
 where s.event_id = $1 and s.status = 'available' and not exists (
       select 1 from seat_changes c
        where c.event_id = s.event_id and c.seat_no = s.seat_no and c.to_status = 'available'
          and c.version > e.version - greatest(128, 8 * (e.seats_count - e.booked_count - e.held_count)))
"""


class House:
    """An event whose seats are moved straight by the one function that moves seats. `free` may be taken."""

    def __init__(self, stage: Stage, dice: random.Random, event_id: UUID, labels: list[str]) -> None:
        self._stage, self._dice, self.event_id = stage, dice, event_id
        self.free = set(labels)
        self.taken: dict[str, UUID] = {}

    async def move(self, source: str, target: str, seat_nos: list[str]) -> None:
        holds = [self.taken.pop(label) if label in self.taken else new_id() for label in seat_nos]
        await self._stage.pool.execute(
            "select move_seats($1, $2, $3, $4, $5, null, now(), now() + interval '1 day')",
            source, target, [self.event_id] * len(seat_nos), seat_nos, holds,
        )  # fmt: skip
        if target == "held":
            self.taken |= dict(zip(seat_nos, holds, strict=True))
            self.free -= set(seat_nos)
        else:
            self.free |= set(seat_nos)

    async def take(self, count: int) -> None:
        chosen = self._dice.sample(sorted(self.free), max(0, min(count, len(self.free))))
        if chosen:
            await self.move("available", "held", chosen)

    async def free_some(self, count: int) -> None:
        chosen = self._dice.sample(sorted(self.taken), min(count, len(self.taken)))
        if chosen:
            await self.move("held", "available", chosen)

    async def queue(self, sizes: list[int]) -> None:
        """Whoever waits, nobody else: those who were served in the round before are gone."""
        rows = [
            (new_id(), self.event_id, new_id(), size, number)
            for number, size in enumerate(sizes, start=new_id().int >> 90)
        ]
        await self._stage.pool.executemany(
            """insert into waitlist_entries
                 (entry_id, event_id, user_id, requested_seats, ticket, created_at, updated_at)
               values ($1, $2, $3, $4, $5, now(), now())""",
            rows,
        )
        await self._stage.pool.execute(
            "update events set waiting_count = $2, waitlist_tickets = $3 where event_id = $1",
            self.event_id, len(sizes), rows[-1][-1],
        )  # fmt: skip


async def open_house(stage: Stage, dice: random.Random) -> House:
    """A house with gaps in its rows, sold out but for as many as may be, and then much coming and going. Some seats
    stay free all along, which the end of the feed does not name then."""
    rows = [dice.randrange(1, 60) for _ in range(dice.randrange(1, 8))]
    labels = [
        f"{chr(65 + row)}{n}" for row, length in enumerate(rows) for n in range(1, length + 1) if dice.random() < 0.9
    ] or ["A1"]
    house = House(stage, dice, await stage.event(labels), labels)
    house.free -= set(dice.sample(labels, min(len(labels) - 1, dice.choice([0, 0, 1, 3]))))
    await house.take(len(labels) - dice.choice([0, 0, 1, 20]))
    for _ in range(dice.choice([0, 3, 60])):
        await house.free_some(dice.randrange(1, 8))
        await house.take(len(house.free) - dice.choice([0, 0, 2]))
    return house


async def promote(connection: Connection, event_id: UUID, most: int) -> int:
    promoted: int = await connection.fetchval(
        "select promote_waiters(array[$1::uuid], clock_timestamp(), $2, $3)", event_id, SHARE, most
    )
    return promoted


async def promoted_one_by_one(connection: Connection, event_id: UUID) -> list[list[str]]:
    """What each waiter is given, after it was compared with what the whole house gives."""
    given: list[list[str]] = []
    while (wanted := await connection.fetchval(NEXT, event_id, SHARE)) is not None:
        expected = await connection.fetchval(ORACLE, event_id, wanted)
        assert await promote(connection, event_id, 1) == 1
        rows = await connection.fetch(PROMOTED, event_id)
        assert rows[-1]["seat_nos"] == expected
        given.append(expected)
    return given


async def test_seats_are_chosen_among_all_that_are_free(stage: Stage) -> None:
    """The same seats as a look at the whole house would give, one waiter at a time and all in one go."""
    dice = seeded_random()
    served = lonely = 0
    for _ in range(HOUSES):
        house = await open_house(stage, dice)
        for _ in range(ROUNDS):
            await house.free_some(dice.choice([1, 2, 2, 5, 12, 40]))
            await house.queue([dice.choice([1, 1, 2, 2, 3, 4, 7]) for _ in range(dice.randrange(1, 9))])
            async with stage.pool.acquire() as connection:
                attempts: list[list[list[str]]] = []
                for together in (False, True):
                    transaction = connection.transaction()
                    await transaction.start()
                    if together:
                        await promote(connection, house.event_id, 50)
                        attempts.append([row["seat_nos"] for row in await connection.fetch(PROMOTED, house.event_id)])
                    else:
                        attempts.append(await promoted_one_by_one(connection, house.event_id))
                    await transaction.rollback()
                assert attempts[0] == attempts[1]
                lonely += await connection.fetchval(UNNAMED, house.event_id) > 0
                served += len(attempts[0])
                await connection.execute("delete from waitlist_entries where event_id = $1", house.event_id)
            await house.take(len(house.free) - dice.choice([0, 0, 1, 5]))
    assert served > HOUSES
    assert lonely > 0


@pytest.mark.parametrize("lonely", [True, False])
async def test_a_seat_that_was_free_all_along_is_found_too(stage: Stage, lonely: bool) -> None:
    """The end of the feed names the seats that came and went since, and not the one beside them."""
    labels = [f"S{n}" for n in range(1, 301)]
    house = House(stage, random.Random(1), await stage.event(labels), labels)
    neighbours = [["S7", "S8"], ["S7", "S20"]][lonely]
    await house.move("available", "held", [label for label in labels if label not in neighbours])
    for label, following in pairwise(labels[100:200]):
        await house.move("held", "available", [label, following])
        await house.move("available", "held", [label, following])
    await house.move("held", "available", ["S50"])
    found: Any = await stage.pool.fetchrow("select * from find_free_seats($1)", house.event_id)
    assert found["p_seat_nos"] == sorted([*neighbours, "S50"], key=natural_key)
    assert found["p_ordinals"] == sorted(found["p_ordinals"])
