"""A small crowd that buys, cancels and queues over HTTP, and remembers every answer."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import aiohttp

from overbookr.users.tokens import issue_access
from proof.crowd.caller import Person
from proof.restore.ledger import Acknowledged, Kind, Ledger
from tests.house.people import create_users
from tests.house.stage import Stage

_TOKEN_SECONDS: Final = 86_400


@dataclass
class House:
    """Two events on sale: one with room for all, and a small one that is soon full, so that a queue forms."""

    large: UUID
    small: UUID
    large_seats: int
    small_seats: int


async def furnish(stage: Stage, secret: bytes, people: int, seats: int) -> tuple[House, list[Person]]:
    small_seats = 12
    house = House(await stage.event(seats), await stage.event(small_seats), seats, small_seats)
    ids = await create_users(stage.pool, people)
    return house, [Person(user_id, issue_access(secret, user_id, 1, _TOKEN_SECONDS)) for user_id in ids]


class Buyer:
    """Buys for one person after the other, until told to stop or nobody answers any more."""

    def __init__(self, session: aiohttp.ClientSession, url: str, house: House, ledger: Ledger) -> None:
        self._session = session
        self._url = url
        self._house = house
        self._ledger = ledger

    async def shop(self, people: list[Person], chance: random.Random, pause: float) -> None:
        """`pause` is about how long one waits between two purchases, in seconds."""
        mine: list[tuple[Person, UUID, UUID]] = []
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            while True:
                person = chance.choice(people)
                if mine and chance.random() < 0.1:
                    await self._cancel(*mine.pop(chance.randrange(len(mine))))
                elif chance.random() < 0.2:
                    booked = await self.buy(
                        person, self._house.small, [f"S{chance.randint(1, self._house.small_seats)}"]
                    )
                    if booked is None:
                        await self.join(person, self._house.small)
                    else:
                        mine.append((person, self._house.small, booked))
                else:
                    seats = chance.sample(range(1, self._house.large_seats + 1), chance.randint(1, 3))
                    booked = await self.buy(person, self._house.large, [f"S{seat}" for seat in seats])
                    if booked is not None:
                        mine.append((person, self._house.large, booked))
                await asyncio.sleep(chance.uniform(0.5, 1.5) * pause)

    async def buy(self, person: Person, event_id: UUID, seat_nos: list[str]) -> UUID | None:
        """Hold and book; the booking's id, or None when either was refused."""
        status, hold = await self._send("POST", "/holds", person, {"event_id": str(event_id), "seat_nos": seat_nos})
        if status != 201:
            return None
        body = {"event_id": str(event_id), "hold_token": hold["hold_token"]}
        status, booking = await self._send("POST", "/bookings", person, body)
        if status != 201:
            return None
        booking_id = UUID(booking["id"])
        self._acknowledge("booking", booking_id, event_id, person, tuple(booking["seat_numbers"]))
        return booking_id

    async def join(self, person: Person, event_id: UUID) -> UUID | None:
        status, entry = await self._send("POST", f"/events/{event_id}/waitlist", person, {"requested_seats": 1})
        if status != 202:
            return None
        self._acknowledge("place in the queue", UUID(entry["id"]), event_id, person, ())
        return UUID(entry["id"])

    async def _cancel(self, person: Person, event_id: UUID, booking_id: UUID) -> None:
        self._ledger.giving_up.add(booking_id)
        status, _ = await self._send("DELETE", f"/bookings/{booking_id}", person)
        if status == 200:
            self._acknowledge("cancellation", booking_id, event_id, person, ())

    def _acknowledge(self, kind: Kind, thing: UUID, event_id: UUID, person: Person, seat_nos: tuple[str, ...]) -> None:
        self._ledger.answers.append(Acknowledged(kind, thing, event_id, person.user_id, seat_nos, datetime.now(UTC)))

    async def _send(self, method: str, path: str, person: Person, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {person.token}", "Idempotency-Key": str(uuid.uuid4())}
        async with self._session.request(method, self._url + path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)


@asynccontextmanager
async def a_buyer(url: str, house: House, ledger: Ledger) -> AsyncIterator[Buyer]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield Buyer(session, url, house, ledger)


@asynccontextmanager
async def selling(
    url: str, house: House, ledger: Ledger, people: list[Person], chance: random.Random, *, buyers: int, pause: float
) -> AsyncIterator[None]:
    """Buyers buy while the block runs. Each has people of its own; whoever gets no answer leaves."""
    async with a_buyer(url, house, ledger) as buyer:
        tasks = [
            asyncio.create_task(buyer.shop(people[number::buyers], random.Random(chance.random()), pause))
            for number in range(buyers)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
