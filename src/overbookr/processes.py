"""What the processes of one Overbookr owe each other."""

import asyncio
import ctypes
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

SUPERVISOR_VARIABLE = "OVERBOOKR_SUPERVISOR"
# Names the file by which an API process tells its supervisor that it came to work.
STARTED_VARIABLE = "OVERBOOKR_STARTED"
_PR_SET_PDEATHSIG = 1
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


def drain_before_stopping(seconds: float, begin: Callable[[], None]) -> None:
    """On SIGTERM call `begin`, go on serving for `seconds`, and only then stop as SIGINT would have stopped at once.

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

    The server writes an answer to the connection whole and waits without end for a client that does not read. What is
    set on the listening socket counts for each connection accepted from it; the server makes that socket itself, a
    moment after the application has started.
    """
    if sys.platform != "linux":
        return
    while True:
        if listening := _listening_files(port):
            break
        await asyncio.sleep(LISTENING_LOOK_SECONDS)
    for file in listening:
        with socket.socket(fileno=os.dup(file)) as listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def _listening_files(port: int) -> list[int]:
    found = []
    for file in map(int, os.listdir("/proc/self/fd")):
        # Files come and go while this looks.
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(file).st_mode):
                continue
            with socket.socket(fileno=os.dup(file)) as candidate:
                listens = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                is_internet = candidate.family in (socket.AF_INET, socket.AF_INET6)
                if listens and is_internet and candidate.getsockname()[1] == port:
                    found.append(file)
    return found


def tell_started() -> None:
    """Tell the supervisor, where there is one, that this API process came to work."""
    if path := os.environ.get(STARTED_VARIABLE):
        with suppress(OSError):
            Path(path).touch()
