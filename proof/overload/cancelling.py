"""Clients who leave in the middle of a request, and what must be left of them on the server: nothing."""

import asyncio
import random
import re
import socket
import struct
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from proof.overload.venue import Requests

_AT_ONCE: Final = 50
_WAIT_SECONDS_MAX: Final = 0.06
_IN_USE: Final = re.compile(r"^overbookr_database_connections_in_use\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
_CLOSE_WAIT: Final = "08"
MOMENTS: Final = ("before the body was complete", "after it was sent", "while waiting", "by a reset while waiting")
# An open transaction or a request at work may live this long after its client has gone.
SECONDS_MAX: Final = 5.0


@dataclass
class Cancelled:
    """How many clients left at which moment, and how many had their answer before they could leave."""

    by_moment: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MOMENTS, 0))
    answered: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_moment.values())


async def cancel(port: int, requests: Requests, seats: range, count: int, chance: random.Random) -> Cancelled:
    """Begin requests until `count` of them have been left by their client: holds, maps and lists of bookings."""
    found = Cancelled()

    async def visit() -> None:
        while found.total < count:
            moment = chance.choice(MOMENTS)
            number = chance.choice(seats)
            user = requests.venue.place(number)[2]
            event_id = requests.venue.event_ids[requests.venue.place(number)[0]]
            authorization = f"Authorization: Bearer {requests.venue.tokens[user]}"
            data = chance.choices(
                [
                    requests.hold(number),
                    f"GET /events/{event_id}/seats HTTP/1.1\r\nHost: proof\r\n\r\n".encode(),
                    f"GET /bookings HTTP/1.1\r\nHost: proof\r\n{authorization}\r\n\r\n".encode(),
                ],
                [6, 1, 1],
            )[0]
            if await _leave(port, data, moment, chance.uniform(0, _WAIT_SECONDS_MAX), chance.random()):
                found.by_moment[moment] += 1
            else:
                found.answered += 1

    await asyncio.gather(*(visit() for _ in range(_AT_ONCE)))
    return found


async def _leave(port: int, data: bytes, moment: str, wait_seconds: float, part: float) -> bool:
    """Whether the client left before the answer was there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if moment == MOMENTS[0]:
            # Somewhere between the first byte and the last but one.
            writer.write(data[: 1 + int(part * (len(data) - 1))])
            await writer.drain()
            return True
        writer.write(data)
        await writer.drain()
        if moment == MOMENTS[1]:
            return True
        try:
            await asyncio.wait_for(reader.readexactly(1), wait_seconds)
        except TimeoutError:
            if moment == MOMENTS[3]:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return True
        return False
    finally:
        writer.transport.abort()


@dataclass(frozen=True)
class Leftovers:
    """What was still there when nobody had been for a while; `seconds` it took to become none, if it did."""

    connections_in_use: int
    sessions_at_work: int
    half_closed_sockets: int
    seconds: float

    @property
    def any(self) -> bool:
        return bool(self.connections_in_use or self.sessions_at_work or self.half_closed_sockets)


async def leftovers(url: str, dsn: str, seconds_max: float = SECONDS_MAX) -> Leftovers:
    """What is left of clients once there is nothing, or at the deadline."""
    port = int(url.rsplit(":", 1)[1])
    started = time.monotonic()
    connection = await asyncpg.connect(dsn)
    try:
        while True:
            found = Leftovers(
                await asyncio.to_thread(_connections_in_use, url),
                await connection.fetchval(
                    """select count(*) from pg_stat_activity
                        where datname = current_database() and application_name like 'overbookr api%'
                          and (state like 'idle in transaction%' or state = 'active')"""
                ),
                _half_closed(port),
                time.monotonic() - started,
            )
            if not found.any or found.seconds > seconds_max:
                return found
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


def _connections_in_use(url: str) -> int:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        values = _IN_USE.findall(answer.read().decode())
    if not values:
        raise RuntimeError("the server does not tell how many database connections are in use")
    return int(sum(float(value) for value in values))


def _half_closed(port: int) -> int:
    """Sockets of the server's whose client has closed and which the server has not."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    local = f":{port:04X}"
    return sum(1 for line in lines if line.split()[1].endswith(local) and line.split()[3] == _CLOSE_WAIT)
