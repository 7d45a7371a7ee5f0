"""What the processes of one Overbookr owe each other."""

import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SUPERVISOR_VARIABLE = "OVERBOOKR_SUPERVISOR"
# Names the file by which an API process tells its supervisor that it came to work.
STARTED_VARIABLE = "OVERBOOKR_STARTED"
_PR_SET_PDEATHSIG = 1


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


def tell_started() -> None:
    """Tell the supervisor, where there is one, that this API process came to work."""
    if path := os.environ.get(STARTED_VARIABLE):
        with suppress(OSError):
            Path(path).touch()
