"""Viewers of one event's stream, in a process of their own, who keep a map each; and the buyer who changes it.

As a program: reads its orders from the file it is given and prints its report as JSON. A viewer keeps what it is told
and no more; what that came to is worked out when all is over.
"""

import asyncio
import base64
import os
import random
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import msgspec
import uvloop

from bench.requests import request
from bench.stage import QUERIES
from overbookr.demo.percentile import percentile
from overbookr.maps.model import STATUSES
from proof.overload.exchange import Answer, Connection

_SETTLE_SECONDS: Final = 2.0
_OPENED_SECONDS_MAX: Final = 60.0
_OPENED_AT_ONCE: Final = 100
# Viewers of whom one is cut off in the middle, to come back with the id of what it was told last.
_CUT_EVERY: Final = 10
_RETRY_SECONDS: Final = (0.5, 1.5)
_HEAD_END: Final = b"\r\n\r\n"


class Orders(msgspec.Struct):
    """What to do: `seat_nos` are held one by one, `rate` a second, the first of them by the first of `tokens`."""

    port: int
    dsn: str
    event_id: UUID
    viewers: int
    seconds: float
    rate: float
    seat_nos: list[str]
    tokens: list[str]


class Report(msgspec.Struct):
    """Latencies in milliseconds from the answer to a hold until a viewer was told of its seat; whoever comes back is
    told of what it missed, which is not counted there. `maps_wrong` are viewers whose map is not what the database
    has. `resumed` came back and were told only what they had missed, `reset` were told everything again."""

    viewers: int
    holds: int
    refused: int
    seconds: float
    told: int
    latency_ms: dict[str, float | None]
    opened_seconds: float
    ended_by_server: int
    cut: int
    resumed: int
    reset: int
    maps_wrong: int
    broken: list[str]
    processor_seconds: float


class Show:
    """What all viewers have in common."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.stopping = False
        self.settled = 0
        self.all_settled = asyncio.Event()
        # When each viewer was told what: pairs of a time and the place of the message in `messages`.
        self.told_at = array("d")
        self.told_what = array("l")
        self.messages: dict[bytes, int] = {}
        self.ended_by_server = 0
        self.resumed = 0
        self.reset = 0
        self.broken: list[str] = []

    def settle_one(self) -> None:
        """Somebody has been given a map."""
        self.settled += 1
        if self.settled == self.orders.viewers:
            self.all_settled.set()

    def place_of(self, message: bytes) -> int:
        return self.messages.setdefault(message, len(self.messages))


class Viewer(asyncio.Protocol):
    """One visitor: a connection at a time, and the map as it was told."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._text = b""
        self._in_body = False
        self._last_id = b""
        self._is_back = False
        self.was_cut = False
        self.base = b""
        self.later: list[bytes] = []

    async def come(self) -> None:
        orders = self._show.orders
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", orders.port)

    def cut(self) -> None:
        if self._transport is not None:
            self.was_cut = True
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        opened = cast(asyncio.Transport, transport)
        self._transport = opened
        self._received, self._text, self._in_body = b"", b"", False
        self._is_back = bool(self._last_id)
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id.decode()
        opened.write(request("GET", f"/events/{self._show.orders.event_id}/stream", None, None, headers))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._received += data
        if not self._in_body:
            head, separator, rest = self._received.partition(_HEAD_END)
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self._show.broken.append(head[:60].decode(errors="replace"))
                self.cut()
                return
            self._in_body, self._received = True, rest
        self._take_chunks()
        *messages, self._text = self._text.split(b"\n\n")
        for message in messages:
            self._hear(message, now)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._show.stopping:
            return
        if not self.was_cut:
            self._show.ended_by_server += 1
        self.was_cut = False
        loop = asyncio.get_running_loop()
        loop.call_later(random.uniform(*_RETRY_SECONDS), lambda: loop.create_task(self._come_back()))

    async def _come_back(self) -> None:
        try:
            await self.come()
        except OSError as error:
            self._show.broken.append(f"a viewer could not come back: {error}")

    def _take_chunks(self) -> None:
        """Chunks of HTTP/1.1, whose bounds are not those of messages."""
        while (end := self._received.find(b"\r\n")) >= 0:
            size = int(self._received[:end].split(b";")[0], 16)
            if len(self._received) < end + size + 4:
                return
            self._text += self._received[end + 2 : end + 2 + size]
            self._received = self._received[end + size + 4 :]
            if size == 0:
                if self._transport is not None:
                    self._transport.close()
                return

    def _hear(self, message: bytes, now: float) -> None:
        fields = dict(line.split(b": ", 1) for line in message.split(b"\n") if b": " in line and line[:1] != b":")
        kind, data = fields.get(b"event"), fields.get(b"data", b"")
        if kind is None:
            return
        is_back, self._is_back = self._is_back, False
        self._last_id = fields[b"id"]
        if kind == b"reset":
            if not self.base:
                self._show.settle_one()
            self._show.reset += is_back
            self.base, self.later = data, []
            return
        self._show.resumed += is_back
        self.later.append(data)
        if not is_back:
            self._show.told_at.append(now)
            self._show.told_what.append(self._show.place_of(data))


class Buyer:
    """Holds a seat at a time, at a steady rate that waits for nobody. Times are those of the answers."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._free: list[Connection] = []
        self.answered_at: dict[str, float] = {}
        self.refused = 0

    async def buy(self) -> None:
        loop, orders = asyncio.get_running_loop(), self._orders
        started = time.perf_counter()
        for place, seat_no in enumerate(orders.seat_nos):
            await asyncio.sleep(max(0.0, started + place / orders.rate - time.perf_counter()))
            if not self._free:
                await loop.create_connection(lambda: Connection(self._free.append, _forget), "127.0.0.1", orders.port)
            wanted = {"event_id": orders.event_id, "seat_nos": [seat_no]}
            connection = self._free.pop()
            connection.ask(request("POST", "/holds", orders.tokens[place], wanted), self._hear(seat_no))

    def _hear(self, seat_no: str) -> Callable[[Answer | None], None]:
        def hear(answer: Answer | None) -> None:
            if answer is not None and answer.status == 201:
                self.answered_at[seat_no] = time.perf_counter()
            else:
                self.refused += 1

        return hear


def _forget(connection: Connection) -> None:
    """A connection that the server has closed; another is made when it is needed."""


async def watch(orders: Orders) -> Report:
    show, processor, started = Show(orders), time.process_time(), time.perf_counter()
    viewers = [Viewer(show) for _ in range(orders.viewers)]
    for start in range(0, len(viewers), _OPENED_AT_ONCE):
        await asyncio.gather(*(viewer.come() for viewer in viewers[start : start + _OPENED_AT_ONCE]))
    try:
        async with asyncio.timeout(_OPENED_SECONDS_MAX):
            await show.all_settled.wait()
    except TimeoutError:
        show.broken.append(f"{orders.viewers - show.settled} viewers were told nothing")
    opened = time.perf_counter()
    buyer, cut = Buyer(orders), viewers[::_CUT_EVERY]
    for viewer in cut:
        asyncio.get_running_loop().call_later(random.uniform(0.3, 0.7) * orders.seconds, viewer.cut)
    await buyer.buy()
    seconds = time.perf_counter() - opened
    # Those who were cut off at last come back within the longest pause, and are told within a look or two.
    await asyncio.sleep(_RETRY_SECONDS[1] + _SETTLE_SECONDS)
    truth = await _read_truth(orders)
    show.stopping = True
    wrong = sum(map_of(viewer, list(truth)) != truth for viewer in viewers)
    latencies = latencies_of(show, buyer)
    return Report(
        viewers=orders.viewers,
        holds=len(buyer.answered_at),
        refused=buyer.refused,
        seconds=seconds,
        told=len(show.told_at),
        latency_ms={
            "p50": percentile(latencies, 50),
            "p99": percentile(latencies, 99),
            "max": percentile(latencies, 100),
        },
        opened_seconds=opened - started,
        ended_by_server=show.ended_by_server,
        cut=len(cut),
        resumed=show.resumed,
        reset=show.reset,
        maps_wrong=wrong,
        broken=show.broken[:10],
        processor_seconds=time.process_time() - processor,
    )


async def _read_truth(orders: Orders) -> dict[str, str]:
    """What the database has, in the order in which maps list it."""
    connection = await asyncpg.connect(orders.dsn)
    try:
        rows = await connection.fetch(QUERIES.seat_statuses, orders.event_id)
    finally:
        await connection.close()
    return {row["seat_no"]: row["status"] for row in rows}


def map_of(viewer: Viewer, labels: list[str]) -> dict[str, str]:
    """The map that a viewer has put together."""
    if not viewer.base:
        return {}
    states = base64.b64decode(msgspec.json.decode(viewer.base)["states"])
    shown = {label: STATUSES[states[place // 4] >> 2 * (place % 4) & 3] for place, label in enumerate(labels)}
    for data in viewer.later:
        shown |= msgspec.json.decode(data)["seats"]
    return shown


def latencies_of(show: Show, buyer: Buyer) -> list[float]:
    seats = [_held_in(message) for message in show.messages]
    return [
        (at - buyer.answered_at[label]) * 1000
        for at, what in zip(show.told_at, show.told_what, strict=True)
        for label in seats[what]
        if label in buyer.answered_at
    ]


def _held_in(message: bytes) -> list[str]:
    changed: dict[str, Any] = msgspec.json.decode(message)["seats"]
    return [label for label, status in changed.items() if status == "held"]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    given = msgspec.json.decode(path.read_bytes(), type=Orders)
    os.unlink(path)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(watch(given))))
