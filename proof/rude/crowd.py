"""Rude clients, in a process of their own: each opens a connection, misbehaves, and waits to be thrown out.

Reads a mischief a line from its standard input and writes what came of it a line to its standard output, once all are
in place and again when their time is over or the server has ended them all.
"""

import asyncio
import contextlib
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal

import msgspec

Kind = Literal[
    "silent", "idle", "slow headers", "endless headers", "half bodies", "slow bodies", "large bodies", "unread"
]
KINDS: Final[tuple[Kind, ...]] = (
    "silent", "idle", "slow headers", "endless headers", "half bodies", "slow bodies", "large bodies", "unread",
)  # fmt: skip

LARGE_BODY_BYTES: Final = 10_000_000
_PIECE: Final = b" " * 65_536
_DIALS_AT_ONCE: Final = 200
_LINE_BYTES_MAX: Final = 2**20
# Within which those ask who do not read: a map that changes meanwhile is another one for nearly each of them.
_ASKING_SECONDS: Final = 3.0


class Mischief(msgspec.Struct, frozen=True):
    """`map_path` is what those ask for who do not read it. A client leaves after `seconds_max` when it still can."""

    kind: Kind
    clients: int
    seconds_max: float
    map_path: str = "/events"


class Outcome(msgspec.Struct):
    """`answers` by status, 0 for none; `ended` by the server, after `seconds_max` at most; `sent_max` bytes of a body
    that one client could send before it was answered; `refused` could not even connect."""

    kind: str
    placed: int = 0
    refused: int = 0
    ended: int = 0
    stayed: int = 0
    seconds_max: float = 0.0
    answer_seconds_max: float = 0.0
    sent_max: int = 0
    answers: dict[str, int] = {}


class RudeClient:
    """`turn` is when it asks, of those that do not all ask at once: 0 for the first, up to 1."""

    def __init__(self, port: int, mischief: Mischief, turn: float = 0.0) -> None:
        self._port = port
        self._mischief = mischief
        self._turn = turn
        self.status = 0
        self.sent = 0
        self.answered_after = 0.0
        self.ended_after: float | None = None
        self._began = 0.0

    async def place(self) -> None:
        """Raises OSError when there is no place."""
        end = socket.socket()
        end.setblocking(False)
        if self._mischief.kind == "unread":
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", self._port))
        except OSError:
            end.close()
            raise
        self._end = end
        self._began = time.monotonic()

    async def stay(self) -> None:
        """Misbehave until the server ends it or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._mischief.seconds_max):
                with contextlib.suppress(OSError):
                    await self._misbehave()
                self.ended_after = time.monotonic() - self._began
        self._end.close()

    async def _misbehave(self) -> None:
        post = b"POST /holds HTTP/1.1\r\nHost: proof\r\nContent-Type: application/json\r\n"
        match self._mischief.kind:
            case "silent":
                await self._listen()
            case "idle":
                await self._send(b"GET /livez HTTP/1.1\r\nHost: proof\r\n\r\n")
                await self._listen()
            case "slow headers":
                await self._drip(b"GET /livez HTTP/1.1\r\nHost: proof\r\nX-Slow: ", b"a")
            case "endless headers":
                await self._flood(b"GET /livez HTTP/1.1\r\nHost: proof\r\n", b"X-More: " + b"a" * 1_000 + b"\r\n")
            case "half bodies":
                await self._send(post + b"Content-Length: 200\r\n\r\n{")
                await self._listen()
            case "slow bodies":
                await self._drip(post + b"Content-Length: 60000\r\n\r\n", b" ")
            case "large bodies":
                head = post + b"Content-Length: %d\r\n\r\n" % LARGE_BODY_BYTES
                await self._flood(head, _PIECE, LARGE_BODY_BYTES)
            case "unread":
                await asyncio.sleep(self._turn * _ASKING_SECONDS)
                await self._send(f"GET {self._mischief.map_path} HTTP/1.1\r\nHost: proof\r\n\r\n".encode())
                await self._be_cut_off()

    async def _send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._end, data)

    async def _listen(self) -> None:
        """Until the server closes the connection."""
        while data := await asyncio.get_running_loop().sock_recv(self._end, 65_536):
            if not self.status and data.startswith(b"HTTP/1.1 "):
                self.status = int(data[9:12])
                self.answered_after = time.monotonic() - self._began

    async def _drip(self, head: bytes, drop: bytes) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            await self._send(head)
            while not listening.done():
                await self._send(drop)
                await asyncio.wait([listening], timeout=1.0)
            listening.result()
        finally:
            listening.cancel()

    async def _flood(self, head: bytes, piece: bytes, bytes_max: int = 2**40) -> None:
        """As fast as it goes, until an answer comes."""
        listening = asyncio.create_task(self._listen())
        try:
            await self._send(head)
            while not self.status and not listening.done() and self.sent < bytes_max:
                await self._send(piece[: bytes_max - self.sent])
                self.sent += len(piece)
                await asyncio.sleep(0)
            await listening
        finally:
            listening.cancel()

    async def _be_cut_off(self) -> None:
        """Read nothing. That the connection is over shows when something is sent on it."""
        while True:
            await asyncio.sleep(0.5)
            await self._send(b"\r\n")


async def _run(port: int, mischief: Mischief) -> AsyncIterator[Outcome]:
    clients = [RudeClient(port, mischief, number / mischief.clients) for number in range(mischief.clients)]
    outcome = Outcome(mischief.kind)
    dialling, staying = asyncio.Semaphore(_DIALS_AT_ONCE), []

    async def come(client: RudeClient) -> None:
        async with dialling:
            try:
                await client.place()
            except OSError:
                outcome.refused += 1
                return
        outcome.placed += 1
        staying.append(asyncio.create_task(client.stay()))

    await asyncio.gather(*map(come, clients))
    yield outcome
    await asyncio.gather(*staying)
    ended = [client for client in clients if client.ended_after is not None]
    outcome.ended, outcome.stayed = len(ended), outcome.placed - len(ended)
    outcome.seconds_max = max((client.ended_after or 0.0 for client in ended), default=0.0)
    outcome.answer_seconds_max = max(client.answered_after for client in clients)
    outcome.sent_max = max(client.sent for client in clients)
    outcome.answers = dict(Counter(str(client.status) for client in clients))
    yield outcome


class RudeProcess:
    """The rude clients' process, as whoever started it sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def place(self, mischief: Mischief) -> Outcome:
        """What is known when all are in place."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(mischief) + b"\n")
        return await self.outcome()

    async def outcome(self) -> Outcome:
        """What became of those that are in place. Raises RuntimeError when the process has ended."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the rude clients went home; see their words above")
        return msgspec.json.decode(line, type=Outcome)


@contextlib.asynccontextmanager
async def start_rude(port: int) -> AsyncIterator[RudeProcess]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proof.rude.crowd", str(port), cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE_BYTES_MAX,
    )  # fmt: skip
    try:
        yield RudeProcess(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _work(port: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        async for outcome in _run(port, msgspec.json.decode(line, type=Mischief)):
            sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_work(int(sys.argv[1])))
