"""A season of shows, sold one after the other by a crowd that never sees all of it: events open, sell out and close."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg

from overbookr.users.tokens import issue_access
from proof.crowd.buyers import Client, Show
from proof.crowd.caller import Caller, Person
from proof.crowd.record import Journal, Operation
from tests.house.people import create_users
from tests.house.serving import SECRET

TOKEN_SECONDS: Final = 8 * 3600
PEOPLE_PER_CLIENT: Final = 30
FAR_AWAY: Final = "2031-05-01T19:30:00Z"
_LABELS_PER_REQUEST = 1000


@dataclass(frozen=True)
class Programme:
    """How a season goes. An event has `hot` seats that `hot_share` of all holds want, and `cold` ones; it closes after
    `operations_per_event`."""

    clients: int
    operations: int
    operations_per_event: int
    hot: int
    cold: int
    hot_share: float = 0.5


Closed = Callable[[Show, list[Operation]], Awaitable[None]]


class Season:
    """A crowd at work. Set `stop` to end it early, between two operations of each client."""

    def __init__(
        self,
        programme: Programme,
        caller: Caller,
        journal: Journal,
        clients: list[Client],
        organiser: Person,
        chance: random.Random,
        on_closed: Closed,
    ) -> None:
        self.programme = programme
        self.caller = caller
        self.stop = asyncio.Event()
        self.done = 0
        self.opened = 0
        self._journal = journal
        self._clients = clients
        self._organiser = organiser
        self._chance = chance
        self._on_closed = on_closed
        self._shows: list[Show] = []
        self._in_flight: dict[uuid.UUID, int] = {}
        self._next: asyncio.Task[Show] | None = None

    @property
    def acknowledged_bookings(self) -> int:
        return sum(client.acknowledged_bookings for client in self._clients)

    async def run(self) -> None:
        """Until all operations are done or `stop` is set. Two events are on sale at a time."""
        self._shows = [await self._open(), await self._open()]
        self._next = asyncio.create_task(self._open())
        async with asyncio.TaskGroup() as group:
            for client in self._clients:
                group.create_task(self._attend(client))
        self._next.cancel()
        await asyncio.gather(self._next, return_exceptions=True)
        for show in self._shows:
            await self._close(show)

    async def _attend(self, client: Client) -> None:
        while self.done < self.programme.operations and not self.stop.is_set():
            self.done += 1
            show = self._shows[self._chance.random() < 0.3]
            show.operations_left -= 1
            self._in_flight[show.event_id] = self._in_flight.get(show.event_id, 0) + 1
            try:
                await client.act(show)
            finally:
                self._in_flight[show.event_id] -= 1
            if show.operations_left <= 0 and show in self._shows and self._next is not None and self._next.done():
                self._shows[self._shows.index(show)] = self._next.result()
                self._next = asyncio.create_task(self._open())
            if show not in self._shows and self._in_flight[show.event_id] == 0:
                await self._close(show)

    async def _open(self) -> Show:
        """A new event with its seats, by the organiser's own means."""
        number, self.opened = self.opened, self.opened + 1
        programme = self.programme
        policy = "strict" if number % 4 == 3 else "first_fit"
        seat_nos = [f"H{n}" for n in range(1, programme.hot + 1)] + [f"C{n}" for n in range(1, programme.cold + 1)]
        to_add = [f"N{n}" for n in range(1, 11)]
        body = {"name": f"Show {number}", "venue": "House", "start_time": FAR_AWAY, "waitlist_policy": policy}
        event_id = uuid.UUID((await self._organise("/events", body))["id"])
        for start in range(0, len(seat_nos), _LABELS_PER_REQUEST):
            labels = seat_nos[start : start + _LABELS_PER_REQUEST]
            await self._organise(f"/events/{event_id}/seats", {"seat_nos": labels})
        quota = programme.operations_per_event
        places = {seat_no: place for place, seat_no in enumerate([*seat_nos, *to_add])}
        return Show(event_id, seat_nos, programme.hot, places, quota, quota, to_add)

    async def _organise(self, path: str, body: dict[str, Any]) -> Any:
        """Sent until it succeeds: a second event of the same name harms nobody."""
        return await self.caller.send_until_answered("POST", path, self._organiser, body)

    async def _close(self, show: Show) -> None:
        for client in self._clients:
            client.forget(show.event_id)
        await self._on_closed(show, self._journal.close(show.event_id))


@asynccontextmanager
async def open_season(
    dsn: str,
    urls: list[str],
    programme: Programme,
    folder: Path,
    chance: random.Random,
    on_closed: Closed,
) -> AsyncIterator[Season]:
    """A crowd with accounts of its own in the database of `dsn`, at the doors of the instances at `urls`."""
    people = await _create_people(dsn, programme.clients * PEOPLE_PER_CLIENT, "user")
    organiser = (await _create_people(dsn, 1, "admin"))[0]
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    headers = ("Accept", "Accept-Encoding", "User-Agent")
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=headers,
        auto_decompress=False,
    ) as session:
        journal = Journal(folder)
        caller = Caller(session, urls, journal, random.Random(chance.random()))
        clients = [
            Client(
                number,
                people[number * PEOPLE_PER_CLIENT : (number + 1) * PEOPLE_PER_CLIENT],
                organiser,
                caller,
                journal,
                random.Random(chance.random()),
                programme.hot_share,
            )
            for number in range(programme.clients)
        ]
        yield Season(programme, caller, journal, clients, organiser, random.Random(chance.random()), on_closed)


async def _create_people(dsn: str, count: int, role: str) -> list[Person]:
    """Accounts with tokens that outlast the season."""
    connection = await asyncpg.connect(dsn)
    try:
        user_ids = await create_users(connection, count, role)
    finally:
        await connection.close()
    return [Person(user_id, issue_access(SECRET.encode(), user_id, 1, TOKEN_SECONDS)) for user_id in user_ids]
