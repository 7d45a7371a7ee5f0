"""Requests that are sent until something definite is known, and recorded as one operation."""

import asyncio
import base64
import hashlib
import random
import zlib
from collections import Counter
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import aiohttp
import msgspec

from proof.crowd.record import Clock, Journal, Operation

ANSWER_SECONDS_MAX: Final = 8.0
# An operation that gets no definite answer for so long is given up, and anything may have become of it.
PATIENCE_SECONDS: Final = 90.0
# Refusals that promise that nothing was changed, though the server could not do what was asked.
_WITHOUT_EFFECT: Final = frozenset({"busy", "not_ready"})
_LETTERS: Final = {"held": ord("h"), "booked": ord("b"), "blocked": ord("x")}
FREE: Final = ord("-")


class _Problem(msgspec.Struct):
    code: str = ""
    conflicts: list[dict[str, str]] = []


class _Hold(msgspec.Struct):
    hold_token: UUID
    seat_nos: tuple[str, ...]
    expires_at: datetime


class _Booking(msgspec.Struct):
    id: UUID
    seat_numbers: tuple[str, ...]


class _Entry(msgspec.Struct):
    id: UUID
    position: int


class _Availability(msgspec.Struct):
    version: int
    available: int
    held: list[str]
    booked: list[str]
    blocked: list[str]


_problem = msgspec.json.Decoder(_Problem).decode
_hold = msgspec.json.Decoder(_Hold).decode
_booking = msgspec.json.Decoder(_Booking).decode
_entry = msgspec.json.Decoder(_Entry).decode
_availability = msgspec.json.Decoder(_Availability).decode
_encode = msgspec.json.Encoder().encode


class Person(msgspec.Struct, frozen=True):
    user_id: UUID
    token: str


class Caller:
    """`urls` are instances of one Overbookr, asked in turn. `answers` counts by kind, status and code, and
    `strange` shows some that the contract does not have."""

    def __init__(
        self, session: aiohttp.ClientSession, urls: list[str], journal: Journal, chance: random.Random
    ) -> None:
        self._session = session
        self._urls = urls
        self._journal = journal
        self._chance = chance
        self.now = Clock()
        self.answers: Counter[tuple[str, int, str]] = Counter()
        self.strange: list[str] = []
        self.lost_answers = 0
        self.hung_up = 0
        # How likely a client hangs up in the middle of a request that it then repeats.
        self.hang_up_share = 0.0

    async def operate(
        self,
        operation: Operation,
        method: str,
        path: str,
        person: Person | None,
        body: dict[str, Any] | None = None,
        places: dict[str, int] | None = None,
    ) -> Operation:
        """Send until the answer is definite, then record it. `places` are those of the event's seats, for looks."""
        headers = {"Authorization": f"Bearer {person.token}"} if person else {}
        if operation.key:
            headers["Idempotency-Key"] = operation.key
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else _encode(body)
        operation.started = self.now()
        attempt = 0
        while True:
            status, content = await self._once(method, path, headers, data)
            ended = self.now()
            code = _code(status, content)
            self.answers[operation.kind, status, code] += 1
            if status == 0 or (status >= 500 and code not in _WITHOUT_EFFECT):
                operation.lost_answers += 1
                self.lost_answers += 1
            if status >= 500 and status != 503 and len(self.strange) < 20:
                self.strange.append(f"{operation.kind}: {status} {content[:200]!r}")
            if 200 <= status < 500 and status != 429:
                break
            if ended - operation.started > PATIENCE_SECONDS:
                self._journal.add(operation)
                return operation
            attempt += 1
            await asyncio.sleep(min(0.02 * 2**attempt, 0.5) * self._chance.uniform(0.5, 1.5))
        operation.ended, operation.status, operation.code = ended, status, code
        try:
            _read(operation, content, places)
        except (msgspec.DecodeError, KeyError, zlib.error) as error:
            self.strange.append(f"{operation.kind}: {status} cannot be understood ({error!r}): {content[:200]!r}")
        self._journal.add(operation)
        return operation

    async def send_until_answered(self, method: str, path: str, person: Person, body: dict[str, Any]) -> Any:
        """The content of a success; of what is not recorded. Raises RuntimeError when it is refused."""
        headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
        for attempt in range(200):
            status, content = await self._once(method, path, headers, _encode(body))
            if 200 <= status < 300:
                return msgspec.json.decode(content)
            if 400 <= status < 500 and status != 429:
                raise RuntimeError(f"{method} {path}: {status} {content[:300]!r}")
            await asyncio.sleep(min(0.02 * 2**attempt, 0.5))
        raise RuntimeError(f"{method} {path}: no answer")

    async def _once(self, method: str, path: str, headers: dict[str, str], data: bytes | None) -> tuple[int, bytes]:
        url = self._chance.choice(self._urls) + path
        hangs_up = self.hang_up_share and self._chance.random() < self.hang_up_share
        seconds = self._chance.uniform(0.0, 0.03) if hangs_up else ANSWER_SECONDS_MAX
        try:
            async with asyncio.timeout(seconds):
                async with self._session.request(method, url, data=data, headers=headers) as answer:
                    return answer.status, await answer.read()
        except TimeoutError:
            self.hung_up += bool(hangs_up)
            return 0, b""
        except (aiohttp.ClientError, OSError):
            return 0, b""


def _code(status: int, content: bytes) -> str:
    if status < 400:
        return ""
    try:
        return _problem(content).code or "no code"
    except msgspec.DecodeError:
        return "no problem document"


def _read(operation: Operation, content: bytes, places: dict[str, int] | None) -> None:
    """Put what the answer says into the operation."""
    if operation.status >= 400:
        problem = _problem(content)
        operation.conflicts = tuple((one["seat_no"], one["status"]) for one in problem.conflicts)
    elif operation.kind == "hold":
        hold = _hold(content)
        operation.result, operation.result_seats = hold.hold_token, hold.seat_nos
        operation.expires_at = hold.expires_at.timestamp()
    elif operation.kind in ("book", "repeat"):
        booking = _booking(content)
        operation.result, operation.result_seats = booking.id, booking.seat_numbers
        operation.digest = hashlib.sha256(content).hexdigest()[:16]
    elif operation.kind == "join":
        operation.result = _entry(content).id
    elif operation.kind == "look":
        assert places is not None
        seen = _availability(content)
        operation.version = seen.version
        operation.map = pack_map(seen.held, seen.booked, seen.blocked, places)


def pack_map(held: list[str], booked: list[str], blocked: list[str], places: dict[str, int]) -> bytes:
    """One letter a seat, compressed, in base64."""
    letters = bytearray([FREE]) * len(places)
    for status, seat_nos in (("held", held), ("booked", booked), ("blocked", blocked)):
        letter = _LETTERS[status]
        for seat_no in seat_nos:
            letters[places[seat_no]] = letter
    return base64.b85encode(zlib.compress(bytes(letters), 1))


def unpack_map(packed: bytes) -> bytes:
    return zlib.decompress(base64.b85decode(packed))


def letter_of(status: str | None) -> int:
    """The letter by which a map shows a seat of this status."""
    return _LETTERS.get(status or "", FREE)
