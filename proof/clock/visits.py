"""Buyers whose holds are tried at, before and after the end of their time, each request at an instance of its own."""

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import aiohttp
import jwt

from overbookr.http.auth import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE, TOKEN_USE
from proof.clock.attempts import Attempt

_HOUR: Final = 3_600
_PULSE_SECONDS: Final = 0.05
# How many of a hundred buyers do what.
WEIGHTS: Final = {"early": 25, "edge": 35, "late": 15, "taken over": 25}


def token_for_all_clocks(secret: str, user_id: UUID) -> str:
    """A token that is old enough and good for long enough by every clock here, so that it never decides anything."""
    now = int(time.time())
    payload = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": str(user_id), "jti": uuid.uuid4().hex, "typ": TOKEN_USE,
        "iat": now - _HOUR, "exp": now + 24 * _HOUR, "ver": 1,
    }  # fmt: skip
    return jwt.encode(payload, secret, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE})


@dataclass(frozen=True)
class Answer:
    status: int
    content: Any
    sent_at: datetime
    answered_at: datetime

    @property
    def code(self) -> str:
        return self.content.get("code", "") if isinstance(self.content, dict) else ""


@dataclass
class Recorded:
    """`unexpected` counts answers that fit no question. In seconds: `slowest`, the longest wait for an answer, and
    `stalled`, the longest time for which this very process got no processor."""

    attempts: list[Attempt] = field(default_factory=list)
    unexpected: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    holds: int = 0
    slowest: float = 0.0
    stalled: float = 0.0


class Visitor:
    """Sends each request to an instance drawn at random."""

    def __init__(
        self, session: aiohttp.ClientSession, urls: list[str], tokens: list[str], chance: random.Random
    ) -> None:
        self.recorded = Recorded()
        self._session = session
        self._urls = urls
        self._tokens = tokens
        self._chance = chance

    async def visit(self, event_id: UUID, seat_no: str) -> None:
        """Hold one seat and do something with it around the end of its hold."""
        chance = self._chance
        token, other = chance.sample(self._tokens, 2)
        body = {"event_id": str(event_id), "seat_nos": [seat_no]}
        held = await self._send("POST", "/holds", token, body)
        if held.status != 201:
            self._wonder("hold", held)
            return
        self.recorded.holds += 1
        expires_at = datetime.fromisoformat(held.content["expires_at"])
        left = (expires_at - datetime.now(UTC)).total_seconds()
        booking = {"event_id": str(event_id), "hold_token": held.content["hold_token"]}
        match chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]:
            case "early":
                await self._book(token, booking, expires_at, -chance.uniform(0.1, max(left, 0.1)))
            case "edge":
                await self._book(token, booking, expires_at, chance.gauss(-0.01, 0.015))
            case "late":
                await self._book(token, booking, expires_at, chance.uniform(0.0, 1.0))
            case _:
                await _wait_until(expires_at - timedelta(seconds=chance.uniform(0.05, 0.5)))
                await self._look(event_id, seat_no, expires_at)
                if not await self._take_over(other, body, expires_at):
                    await _wait_until(expires_at)
                    await self._look(event_id, seat_no, expires_at)
                    await self._take_over(other, body, expires_at)

    async def _book(self, token: str, booking: dict[str, str], expires_at: datetime, after: float) -> None:
        await _wait_until(expires_at + timedelta(seconds=after))
        answer = await self._send("POST", "/bookings", token, booking)
        if answer.status == 201:
            decided_at = datetime.fromisoformat(answer.content["created_at"])
            self._note("book", expires_at, answer, True, decided_at)
        elif answer.code == "hold_expired":
            self._note("book", expires_at, answer, False)
        else:
            self._wonder("book", answer)

    async def _take_over(self, token: str, body: dict[str, Any], expires_at: datetime) -> bool:
        """Whether somebody else has the seat now."""
        answer = await self._send("POST", "/holds", token, body)
        if answer.status == 201 or answer.code == "seats_unavailable":
            self._note("take over", expires_at, answer, answer.status == 201)
        else:
            self._wonder("take over", answer)
        return answer.status == 201

    async def _look(self, event_id: UUID, seat_no: str, expires_at: datetime) -> None:
        answer = await self._send("GET", f"/events/{event_id}/availability", None)
        if answer.status == 200:
            self._note("look", expires_at, answer, seat_no not in answer.content["held"])
        else:
            self._wonder("look", answer)

    def _note(
        self, kind: Any, expires_at: datetime, answer: Answer, succeeded: bool, decided_at: datetime | None = None
    ) -> None:
        self.recorded.attempts.append(
            Attempt(kind, expires_at, answer.sent_at, answer.answered_at, succeeded, decided_at)
        )

    def _wonder(self, kind: str, answer: Answer) -> None:
        self.recorded.unexpected[f"{kind}: {answer.status} {answer.code}"] += 1

    async def _send(self, method: str, path: str, token: str | None, body: Any = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())} if token else {}
        url = self._chance.choice(self._urls) + path
        sent_at = datetime.now(UTC)
        try:
            async with self._session.request(method, url, json=body, headers=headers) as response:
                status, content = response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            status, content = 0, {"code": type(error).__name__}
        answered_at = datetime.now(UTC)
        self.recorded.requests += 1
        self.recorded.slowest = max(self.recorded.slowest, (answered_at - sent_at).total_seconds())
        return Answer(status, content, sent_at, answered_at)


async def _wait_until(moment: datetime) -> None:
    while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
        await asyncio.sleep(left)


async def crowd(visitor: Visitor, seats: list[tuple[UUID, str]], *, per_second: int) -> None:
    """One visit for each seat, begun at this pace, whatever becomes of the earlier ones."""
    began = time.monotonic()
    pulse = asyncio.create_task(_feel_pulse(visitor.recorded))
    async with asyncio.TaskGroup() as group:
        for number, (event_id, seat_no) in zip(itertools.count(), seats, strict=False):
            await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
            group.create_task(visitor.visit(event_id, seat_no))
    pulse.cancel()


async def _feel_pulse(recorded: Recorded) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(_PULSE_SECONDS)
        recorded.stalled = max(recorded.stalled, time.monotonic() - began - _PULSE_SECONDS)
