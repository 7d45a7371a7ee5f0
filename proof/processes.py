"""Processes of the house under proof, found in /proc by what they are. Linux only."""

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    state: str
    command: str


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


def _children(parent: int) -> list[_Process]:
    found = (_read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [p for p in found if p is not None and p.parent == parent and p.state not in "ZX"]


def _read(pid: int) -> _Process | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return _Process(pid, int(parent), state, command)
