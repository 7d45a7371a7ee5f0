"""The crowd, in a process of its own: visitors who hold a seat and book it, in a closed loop or at a given rate.

Reads a phase a line from its standard input and writes its tally a line to its standard output. At a rate the arrivals
are those of a Poisson process and know nothing of answers: a request whose time has come is sent when a connection is
free, else it counts as offered and unsent. A booking follows its hold at once, on the same connection.
"""

import asyncio
import contextlib
import random
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from proof.overload.exchange import Answer, Connection
from proof.overload.tally import Counting, Tally
from proof.overload.venue import Requests, load, requests_of

_TICK_SECONDS: Final = 0.002
_GRACE_SECONDS: Final = 10.0
_TOKEN: Final = b'"hold_token":"'
_TALLY_BYTES_MAX: Final = 2**24


class Phase(msgspec.Struct, frozen=True):
    """`rate` is visitors a second; None: a closed loop, each of `connections` sends when it has had its answer.
    `books`: whether visitors book what they hold."""

    name: str
    seconds: float
    connections: int
    rate: float | None = None
    seed: int = 0
    books: bool = True


class Crowd:
    """Seats that were refused are wanted again later, so a phase needs no more seats than it gets."""

    def __init__(self, port: int, requests: Requests) -> None:
        self._port = port
        self._requests = requests
        self._wanted: deque[int] = deque(range(requests.venue.seats))
        self._free: list[Connection] = []
        self._open = 0
        self._opening = 0
        self._outstanding = 0
        self._looping = False
        self._books = True
        self._connections_max = 0
        self._counting = Counting("", 0.0)

    async def leave(self) -> None:
        """Close every connection that is free."""
        self._connections_max = 0
        for connection in self._take_all():
            connection.close()
        while self._open or self._opening:
            await asyncio.sleep(0.01)

    async def run(self, phase: Phase) -> Tally:
        await self._connect(phase.connections)
        self._books = phase.books
        processor, started = time.process_time(), time.perf_counter()
        self._counting = Counting(phase.name, started)
        if phase.rate is None:
            self._looping = True
            for connection in self._take_all():
                self._hold(connection, time.perf_counter())
            await asyncio.sleep(phase.seconds)
            self._looping = False
        else:
            await self._arrive(phase, phase.rate, started)
        seconds = time.perf_counter() - started
        tally = self._counting.finish(seconds, time.process_time() - processor)
        # What was accepted within the phase is its goodput; what comes later is only awaited.
        accepted, refused = (tally.holds, tally.bookings), tally.refused
        deadline = time.perf_counter() + _GRACE_SECONDS
        while self._outstanding and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        late = self._counting.finish(seconds, tally.processor_seconds)
        late.holds, late.bookings = accepted
        late.refused = max(late.refused, refused)
        late.unanswered = self._outstanding
        return late

    async def _arrive(self, phase: Phase, rate: float, started: float) -> None:
        chance = random.Random(phase.seed)
        counts = self._counting.counts
        ends, due = started + phase.seconds, started + chance.expovariate(rate)
        while due < ends:
            now = time.perf_counter()
            while due <= now and due < ends:
                if self._free:
                    self._hold(self._free.pop(), due)
                else:
                    counts.offered += 1
                    counts.unsent += 1
                due += chance.expovariate(rate)
            await asyncio.sleep(_TICK_SECONDS)

    def _hold(self, connection: Connection, meant_at: float) -> None:
        if not self._wanted:
            raise RuntimeError("the house is sold out; build a larger one")
        number = self._wanted.popleft()

        def go_on(answer: Answer, now: float) -> None:
            if answer.status == 201 and self._books and not answer.closes:
                self._book(connection, number, answer.body)
                return
            if answer.status >= 429:
                self._wanted.append(number)
            self._go_on(connection, now)

        self._ask(connection, self._requests.hold(number), meant_at, go_on, is_booking=False)

    def _book(self, connection: Connection, number: int, held: bytes) -> None:
        start = held.index(_TOKEN) + len(_TOKEN)
        meant_at = time.perf_counter()

        def go_on(answer: Answer, now: float) -> None:
            self._go_on(connection, now)

        request = self._requests.book(number, held[start : start + 36])
        self._ask(connection, request, meant_at, go_on, is_booking=True)

    def _ask(
        self,
        connection: Connection,
        request: bytes,
        meant_at: float,
        go_on: Callable[[Answer, float], None],
        *,
        is_booking: bool,
    ) -> None:
        """Send, count the answer when it comes, and go on with it then."""
        counts = self._counting.counts
        counts.offered += 1
        counts.sent += 1
        self._outstanding += 1

        def hear(answer: Answer | None) -> None:
            self._outstanding -= 1
            if answer is None:
                self._counting.counts.broken += 1
                return
            now = time.perf_counter()
            self._counting.answered(
                is_booking=is_booking, status=answer.status, retry_after=answer.retry_after, meant_at=meant_at, now=now
            )
            go_on(answer, now)

        connection.ask(request, hear)

    def _go_on(self, connection: Connection, now: float) -> None:
        if self._looping:
            self._hold(connection, now)

    # ---------------------------------------------------------------- connections

    async def _connect(self, count: int) -> None:
        """Have this many connections: a phase begins with all of them open and free."""
        self._connections_max = count
        while len(self._free) > count:
            self._free.pop().close()
        deadline = time.perf_counter() + _GRACE_SECONDS
        while len(self._free) < count:
            for _ in range(count - self._open - self._opening):
                self._dial()
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{len(self._free)} of {count} connections were made")
            await asyncio.sleep(0.01)

    def _dial(self) -> None:
        self._opening += 1
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            loop.create_connection(lambda: Connection(self._made, self._lost), "127.0.0.1", self._port)
        )
        task.add_done_callback(self._dialled)

    def _dialled(self, task: "asyncio.Task[Any]") -> None:
        self._opening -= 1
        if task.exception() is None:
            self._open += 1

    def _made(self, connection: Connection) -> None:
        self._free.append(connection)

    def _lost(self, connection: Connection) -> None:
        self._open -= 1
        if connection in self._free:
            self._free.remove(connection)
        if self._open + self._opening < self._connections_max:
            self._dial()

    def _take_all(self) -> list[Connection]:
        taken, self._free = self._free, []
        return taken


class CrowdProcess:
    """The crowd's process, as whoever started it sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, phase: Phase) -> Tally:
        """Raises RuntimeError when the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(phase) + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the crowd went home in the phase {phase.name}; see its words above")
        return msgspec.json.decode(line, type=Tally)


@contextlib.asynccontextmanager
async def start_crowd(port: int, venue: Path) -> AsyncIterator[CrowdProcess]:
    """Start the crowd in front of a server on this machine; it ends with the block. `venue` is a file of the venue."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proof.overload.arrivals", str(port), str(venue), cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_TALLY_BYTES_MAX,
    )  # fmt: skip
    try:
        yield CrowdProcess(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _work(port: int, venue: Path) -> None:
    crowd = Crowd(port, requests_of(load(venue)))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        tally = await crowd.run(msgspec.json.decode(line, type=Phase))
        sys.stdout.buffer.write(msgspec.json.encode(tally) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_work(int(sys.argv[1]), Path(sys.argv[2])))
