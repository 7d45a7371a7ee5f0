"""What a process asks of the kernel for its connections."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from overbookr.processes import end_unread_connections

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def listener() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made


def patience(of: socket.socket) -> int:
    return of.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


async def test_connections_inherit_what_the_listening_socket_is_told_as_soon_as_it_listens(tmp_path: Path) -> None:
    with listener() as own, listener() as other, open(tmp_path / "a file", "w"):
        other.listen()
        port = own.getsockname()[1]
        waiting = asyncio.create_task(end_unread_connections(port, 7))
        await asyncio.sleep(0)
        assert not waiting.done()
        before = set(os.listdir("/proc/self/fd"))
        own.listen()
        await asyncio.wait_for(waiting, 20)
        assert set(os.listdir("/proc/self/fd")) == before, "files were left open"
        assert (patience(own), patience(other)) == (7_000, 0)
        with socket.create_connection(("127.0.0.1", port)), own.accept()[0] as accepted:
            assert patience(accepted) == 7_000
