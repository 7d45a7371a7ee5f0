"""A wire to PostgreSQL that breaks when it is told to: before the server heard, or before the client heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, urlsplit

_PARSE, _BIND = b"P", b"B"
_READY = b"Z\x00\x00\x00\x05I"

Moment = Literal["before the server hears", "before the client hears"]


@dataclass
class Wire:
    """`dsn` leads through the wire. `cuts` are the moments at which the next calls of `function` lose it."""

    dsn: str
    function: bytes = b"write_batch_v1"
    cuts: list[Moment] = field(default_factory=list)
    cut: int = 0


@asynccontextmanager
async def wire_to(dsn: str) -> AsyncIterator[Wire]:
    """A wire on loopback to a server on a Unix socket; asyncpg sends Parse and Bind first in their packets."""
    parts = urlsplit(dsn)
    options = parse_qs(parts.query)
    socket = f"{options['host'][0]}/.s.PGSQL.{options.get('port', ['5432'])[0]}"
    wire = Wire("")

    async def serve(client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        server_reader, server = await asyncio.open_unix_connection(socket)
        swallowing = asyncio.Event()

        async def forward() -> None:
            statement = b""
            while data := await client_reader.read(2**20):
                if data.startswith(_PARSE) and wire.function in data:
                    statement = data[5 : data.index(b"\0", 5)]
                if data.startswith(_BIND) and statement and statement in data and wire.cuts:
                    wire.cut += 1
                    if wire.cuts.pop(0) == "before the server hears":
                        return
                    swallowing.set()
                server.write(data)
                await server.drain()

        async def back() -> None:
            while data := await server_reader.read(2**20):
                if swallowing.is_set():
                    # The answer is complete, so the transaction is committed; nobody will ever hear of it here.
                    if data.endswith(_READY):
                        return
                    continue
                client.write(data)
                await client.drain()

        tasks = [asyncio.create_task(forward()), asyncio.create_task(back())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in (client, server):
            writer.transport.abort()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    user = f"{parts.username}:{parts.password}@" if parts.password else f"{parts.username}@"
    wire.dsn = f"postgresql://{user}127.0.0.1:{port}{parts.path}?sslmode=disable"
    try:
        yield wire
    finally:
        listener.close()
