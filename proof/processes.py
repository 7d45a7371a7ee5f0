"""Processes of the house under proof, found in /proc by what they are. Linux only."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    state: str
    command: str
    # Its own, and those of children that have ended and were waited for.
    seconds: float


def is_alive(pid: int) -> bool:
    """Whether it lives; one that has ended and was not waited for does not."""
    process = _read(pid)
    return process is not None and process.state not in "ZX"


def api_processes(serve: int) -> list[int]:
    """The API processes of a `serve` process, the oldest first."""
    return sorted(p.pid for p in _children(serve) if " overbookr serve" in p.command)


def duties_processes(serve: int) -> list[int]:
    return sorted(p.pid for p in _children(serve) if " overbookr worker" in p.command)


def postmaster_of(data_dir: Path) -> int | None:
    """The postmaster of an embedded PostgreSQL, if it lives."""
    try:
        pid = int((data_dir / "postgres" / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if is_alive(pid) else None


def backends_of(postmaster: int) -> list[int]:
    """Its processes that serve clients."""
    return sorted(p.pid for p in _children(postmaster) if " overbookr " in p.command and "[local]" in p.command)


def processor_seconds(root: int) -> float:
    """Used so far by the process, its descendants, and those of them that have ended and were waited for."""
    processes = {process.pid: process for process in _all()}
    tree = [root]
    for pid in tree:
        tree += [process.pid for process in processes.values() if process.parent == pid]
    return sum(processes[pid].seconds for pid in tree if pid in processes)


def _children(parent: int) -> list[_Process]:
    return [process for process in _all() if process.parent == parent and process.state not in "ZX"]


def _all() -> list[_Process]:
    found = (_read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None]


def _read(pid: int) -> _Process | None:
    """None when it has ended."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    # The name stands in parentheses and may hold anything, so count the fields from its end.
    fields = stat.rpartition(")")[2].split()
    seconds = sum(map(int, fields[11:15])) / _TICKS
    return _Process(pid, int(fields[1]), fields[0], command, seconds)
