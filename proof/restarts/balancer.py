"""A TCP balancer as simple as they come: new connections go to whoever is ready, existing ones are left alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_PROBE: Final = b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n"
PROBE_SECONDS: Final = 0.1
_PROBE_TIMEOUT_SECONDS: Final = 2.0
_CHUNK: Final = 2**16


class Balancer:
    """`backends` are ports on loopback, which may change at any time; `ready` are those that answered 200 last.

    `refused` counts connections that no backend could be found for.
    """

    def __init__(self) -> None:
        self.backends: list[int] = []
        self.ready: set[int] = set()
        self.port = 0
        self.refused = 0
        self._turn = 0
        self._pipes: set[asyncio.Task[None]] = set()

    async def until_ready(self, ports: set[int], seconds: float) -> None:
        """Wait until exactly these backends are ready. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self.ready != ports:
                await asyncio.sleep(0.02)

    async def probe_forever(self) -> None:
        while True:
            backends = list(self.backends)
            found = await asyncio.gather(*(_is_ready(port) for port in backends))
            self.ready = {port for port, ready in zip(backends, found, strict=True) if ready} & set(self.backends)
            await asyncio.sleep(PROBE_SECONDS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        writers = [writer]
        try:
            backend = await self._connect()
            if backend is None:
                self.refused += 1
                return
            writers.append(backend[1])
            await asyncio.gather(_pipe(reader, backend[1]), _pipe(backend[0], writer))
        finally:
            for each in writers:
                each.close()
            self._pipes.discard(task)

    async def stop(self) -> None:
        for task in list(self._pipes):
            task.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The next ready backend's connection; one that does not take it is passed over."""
        ports = sorted(self.ready)
        self._turn += 1
        for place in range(len(ports)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", ports[(self._turn + place) % len(ports)])
        return None


@asynccontextmanager
async def balancing() -> AsyncIterator[Balancer]:
    balancer = Balancer()
    listener = await asyncio.start_server(balancer.serve, "127.0.0.1", 0, backlog=256)
    balancer.port = listener.sockets[0].getsockname()[1]
    probing = asyncio.create_task(balancer.probe_forever())
    try:
        yield balancer
    finally:
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
        listener.close()
        await balancer.stop()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, the end of it too; a reset ends the other side as a reset."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.close()
    except OSError:
        writer.transport.abort()


async def _is_ready(port: int) -> bool:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_PROBE)
                return (await reader.read(_CHUNK)).startswith(b"HTTP/1.1 200")
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False
