"""What a process asks of the kernel for its connections."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from overbookr import limits
from overbookr.processes import cut_off_who_does_not_read, end_unread_connections

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


def unsent_max(of: socket.socket) -> int:
    return of.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)


async def test_connections_inherit_what_the_listening_socket_is_told_as_soon_as_it_listens(tmp_path: Path) -> None:
    with listener() as own, listener() as other, open(tmp_path / "a file", "w"):
        other.listen()
        port = own.getsockname()[1]
        waiting = asyncio.create_task(end_unread_connections(port, 7))
        await asyncio.sleep(0)
        assert not waiting.done()
        before = set(os.listdir("/proc/self/fd"))
        own.listen()
        own.setblocking(False)
        await asyncio.wait_for(waiting, 20)
        assert set(os.listdir("/proc/self/fd")) == before, "files were left open"
        assert (patience(own), patience(other)) == (7_000, 0)
        # The server's own end of the same socket is asked without waiting.
        assert not os.get_blocking(own.fileno())
        with socket.create_connection(("127.0.0.1", port)), own.accept()[0] as accepted:
            assert patience(accepted) == 7_000
            assert unsent_max(accepted) == limits.UNSENT_BYTES_MAX


def test_who_does_not_read_is_cut_off_and_who_has_read_is_not() -> None:
    with listener() as own:
        own.listen()
        address = own.getsockname()
        with (
            socket.create_connection(address) as rude, own.accept()[0] as unread,
            socket.create_connection(address) as polite, own.accept()[0] as read,
        ):  # fmt: skip
            unread.setblocking(False)
            with suppress(BlockingIOError):
                while unread.send(bytes(2**20)):
                    pass
            read.sendall(b"an answer")
            assert polite.recv(9) == b"an answer"
            cut_off_who_does_not_read(address[1])
            with pytest.raises(BrokenPipeError):
                unread.send(b"more")
            read.sendall(b"another")
            assert polite.recv(7) == b"another"
            # What the kernel has taken already is not lost.
            assert rude.recv(1) == bytes(1)
