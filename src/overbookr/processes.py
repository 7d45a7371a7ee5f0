"""What the processes of one Overbookr owe each other."""

import ctypes
import os
import signal
import sys

SUPERVISOR_VARIABLE = "OVERBOOKR_SUPERVISOR"
_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process (SIGTERM) when its parent dies, however that happens. Linux only.

    `parent` is the pid it was started by, for a process that may come to this only after its parent has gone.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid() if parent is None else parent
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
