"""Clients on keep-alive connections who hold, book and read in a loop, and count what no client should ever see."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from proof.overload.exchange import Answer, read_answer
from proof.overload.venue import Requests

_ANSWER_SECONDS_MAX: Final = 20.0
_ATTEMPTS_MAX: Final = 100
_RETRY_SECONDS: Final = 0.1
_CHUNK: Final = 2**16


@dataclass
class Record:
    """`unanswered` says what was sent on an open connection that closed without an answer, a line each. `acknowledged`
    has the seat number of each booking that was confirmed, by its id. `idle_closes` are connections that closed while
    nothing was asked on them."""

    requests: int = 0
    unanswered: list[str] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    asked_to_leave: int = 0
    idle_closes: int = 0
    not_connected: int = 0


class _Broken(Exception):
    """The connection ended before the answer."""


class Client:
    """One connection at a time, kept as long as the server keeps it."""

    def __init__(self, port: int, record: Record) -> None:
        self._port = port
        self._record = record
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes, what: str) -> Answer:
        """The answer, by as many attempts as it takes; each that broke is on record. 503 is tried again."""
        for _ in range(_ATTEMPTS_MAX):
            try:
                answer = await self._attempt(request)
            except _Broken as error:
                self._record.unanswered.append(f"{what}: {error}")
                self.close()
                continue
            except OSError:
                self._record.not_connected += 1
                self.close()
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._record.statuses[f"{answer.status} to {what}"] += 1
            if answer.closes:
                self._record.asked_to_leave += 1
                self.close()
            if answer.status != 503:
                return answer
            await asyncio.sleep(answer.retry_after or _RETRY_SECONDS)
        raise RuntimeError(f"{what} was not answered in {_ATTEMPTS_MAX} attempts")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _attempt(self, request: bytes) -> Answer:
        if self._reader is not None and (self._reader.at_eof() or self._reader.exception() is not None):
            self._record.idle_closes += 1
            self.close()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._record.requests += 1
        data = b""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS_MAX):
                self._writer.write(request)
                while (answer := read_answer(data)) is None:
                    part = await self._reader.read(_CHUNK)
                    if not part:
                        raise _Broken(f"closed after {len(data)} bytes of the answer")
                    data += part
                return answer
        except OSError as error:
            raise _Broken(type(error).__name__) from error
        except TimeoutError as error:
            raise _Broken(f"no answer within {_ANSWER_SECONDS_MAX:g} s") from error


async def visit_until(
    stop: asyncio.Event, port: int, requests: Requests, numbers: Iterator[int], record: Record, chance: random.Random
) -> None:
    """Hold a seat, book it, read it back; again until told to stop. Pauses make connections idle now and then."""
    client = Client(port, record)
    try:
        while not stop.is_set():
            number = next(numbers)
            held = await client.ask(requests.hold(number), "holds")
            if held.status == 201:
                token = json.loads(held.body)["hold_token"]
                booked = await client.ask(requests.book(number, token.encode()), "bookings")
                if booked.status == 201:
                    booking_id = json.loads(booked.body)["id"]
                    record.acknowledged[booking_id] = number
                    await client.ask(_read(requests, number, booking_id), "reads")
            await asyncio.sleep(chance.choice((0, 0, 0, 0.01, 0.3)))
    finally:
        client.close()


def _read(requests: Requests, number: int, booking_id: str) -> bytes:
    token = requests.venue.tokens[requests.venue.place(number)[2]]
    return f"GET /bookings/{booking_id} HTTP/1.1\r\nHost: proof\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
