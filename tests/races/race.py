"""What races need: many requests at once, and a buyer who never stops trying."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.house.world import Someone, World


async def at_once(requests: Iterable[Awaitable[httpx.Response]]) -> list[httpx.Response]:
    """All of them in flight together; none may fail as a server."""
    answers = await asyncio.gather(*requests)
    for answer in answers:
        assert answer.status_code < 500, answer.text
    return answers


def outcomes(answers: Iterable[httpx.Response]) -> Counter[int | str]:
    """How often each happened: statuses of success, codes of refusals."""
    return Counter(answer.status_code if answer.status_code < 400 else str(answer.json()["code"]) for answer in answers)


class Sniper:
    """Asks for seats again and again, on several connections, and remembers what it got."""

    def __init__(self, world: World, users: list[Someone], event_id: str, seat_nos: list[str]) -> None:
        self.won: list[dict[str, Any]] = []
        self.answers: Counter[int | str] = Counter()
        self._shots = [
            asyncio.create_task(self._shoot(world, user, event_id, seat_no)) for user in users for seat_no in seat_nos
        ]

    async def _shoot(self, world: World, user: Someone, event_id: str, seat_no: str) -> None:
        while True:
            answer = await world.hold(user, event_id, seat_no)
            self.answers.update(outcomes([answer]))
            if answer.status_code == 201:
                self.won.append(answer.json())
            assert answer.status_code < 500, answer.text
            await asyncio.sleep(0.002)

    async def until(self, shots: int) -> None:
        """Wait until it has tried that many times more."""
        target = self.answers.total() + shots
        while self.answers.total() < target:
            await self.check()
            await asyncio.sleep(0.005)

    async def check(self) -> None:
        for task in self._shots:
            if task.done():
                await task

    async def stop(self) -> None:
        await self.check()
        for task in self._shots:
            task.cancel()
        await asyncio.gather(*self._shots, return_exceptions=True)


@asynccontextmanager
async def sniping(world: World, event_id: str, *seat_nos: str, users: int = 2) -> AsyncIterator[Sniper]:
    """Somebody tries for these seats for as long as the block lasts, from before its first statement on."""
    sniper = Sniper(world, await world.users(users), event_id, list(seat_nos))
    try:
        await sniper.until(2 * users)
        yield sniper
    finally:
        await sniper.stop()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    """Poll until it is so."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, "it never came to be"
        await asyncio.sleep(0.02)
