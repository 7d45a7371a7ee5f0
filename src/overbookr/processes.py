"""What the processes of one Overbookr owe each other."""

import asyncio
import ctypes
import fcntl
import gc
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from overbookr import limits

SUPERVISOR_VARIABLE = "OVERBOOKR_SUPERVISOR"
# Names the file by which an API process tells its supervisor that it came to work.
STARTED_VARIABLE = "OVERBOOKR_STARTED"
_PR_SET_PDEATHSIG = 1
# How much a socket has in hand that it could not send yet.
_SIOCOUTQNSD = 0x894B
LISTENING_LOOK_SECONDS = 0.05
UNLIMITED_FILES = 1_000_000


def end_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent dies, however that happens. Linux only.

    With SIGKILL: dying at any point is safe, and an orderly stop may wait for a parent that is no more.

    `parent` is the pid it was started by, for a process that may come to this only after its parent has gone.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid() if parent is None else parent
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def collect_garbage_rarely() -> None:
    """Leave what start-up made out of garbage collection, and look for cycles less often than Python does by itself.

    What a request makes dies by its reference counts. Looking through everything after each 700 new objects cost a
    tenth of an API process's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def drain_before_stopping(seconds: float, begin: Callable[[], None], port: int) -> None:
    """On SIGTERM call `begin`, go on serving for `seconds`, and only then stop as SIGINT would have stopped at once.

    Those who do not read their answers from `port` are cut off some seconds later.

    Further SIGTERMs change nothing: service managers send it to every process of a service, and so does its supervisor.
    To be called in the running loop whose server has its own handlers in place already.
    """
    loop = asyncio.get_running_loop()
    begun = False

    def drain() -> None:
        nonlocal begun
        if begun:
            return
        begun = True
        begin()
        loop.call_later(seconds, os.kill, os.getpid(), signal.SIGINT)
        loop.call_later(seconds + limits.STOP_UNREAD_SECONDS, cut_off_who_does_not_read, port)

    loop.add_signal_handler(signal.SIGTERM, drain)


def open_files_at_most() -> int:
    """How many files and connections this process may have open, after raising the limit as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UNLIMITED_FILES if soft == resource.RLIM_INFINITY else soft


async def end_unread_connections(port: int, seconds: float) -> None:
    """Have the kernel end a connection of this process whose client has taken nothing for so long. Linux only.

    The server waits without end for a client that does not read. What is set on the listening socket counts for each
    connection accepted from it; the server makes that socket itself, a moment after the application has started.
    """
    if sys.platform != "linux":
        return
    while True:
        if listening := _sockets(port, listening=True):
            break
        await asyncio.sleep(LISTENING_LOOK_SECONDS)
    for listener in listening:
        with listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
            # Otherwise the kernel takes up to four megabytes for each client that does not read.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.UNSENT_BYTES_MAX)


def cut_off_who_does_not_read(port: int) -> None:
    """End the connections of this process that have something to send which their clients do not take. Linux only.

    A server that stops waits for its answers to be read, until it is killed.
    """
    if sys.platform != "linux":
        return
    for connection in _sockets(port, listening=False):
        with connection, suppress(OSError):
            if int.from_bytes(fcntl.ioctl(connection, _SIOCOUTQNSD, bytes(4)), sys.byteorder):
                connection.shutdown(socket.SHUT_RDWR)


def _sockets(port: int, *, listening: bool) -> list[socket.socket]:
    """The sockets of this process on this port of its own, to be closed."""
    found = []
    for file in map(int, os.listdir("/proc/self/fd")):
        # Files come and go while this looks.
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(file).st_mode):
                continue
            with socket.socket(fileno=os.dup(file)) as candidate:
                if _is_on(candidate, port, listening):
                    # Not dup() of Python: it would have the server's own end of it block.
                    found.append(socket.socket(fileno=candidate.detach()))
    return found


def _is_on(candidate: socket.socket, port: int, listening: bool) -> bool:
    if candidate.family not in (socket.AF_INET, socket.AF_INET6) or candidate.type != socket.SOCK_STREAM:
        return False
    listens = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return bool(listens) == listening and candidate.getsockname()[1] == port


def tell_started() -> None:
    """Tell the supervisor, where there is one, that this API process came to work."""
    if path := os.environ.get(STARTED_VARIABLE):
        with suppress(OSError):
            Path(path).touch()
