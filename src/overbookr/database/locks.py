"""Locks between processes: flock on files, dropped by the kernel with the last process that has the file open.

A forked process has open what its parent had. A child that was forked while its parent was starting a server would keep
the decision locked for as long as it lives, and nobody could start the next server; so forked children close them at
once. A program that is started with `pass_fds` keeps those it was given.
"""

import fcntl
import os
import threading
from pathlib import Path

_open_locks: set[int] = set()
# No fork between opening a file and knowing about it.
_gate = threading.Lock()


def open_lock(path: Path) -> int:
    """A descriptor to lock and to close by `close_lock`."""
    with _gate:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _open_locks.add(descriptor)
    return descriptor


def share_lock(descriptor: int) -> int:
    """A second descriptor of the same lock, which stays taken until both are closed."""
    with _gate:
        shared = os.dup(descriptor)
        _open_locks.add(shared)
    return shared


def close_lock(descriptor: int) -> None:
    with _gate:
        _open_locks.discard(descriptor)
        os.close(descriptor)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock unless another holds it; never wait."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _close_all_in_child() -> None:
    for descriptor in _open_locks:
        os.close(descriptor)
    _open_locks.clear()
    _gate.release()


os.register_at_fork(before=_gate.acquire, after_in_parent=_gate.release, after_in_child=_close_all_in_child)
