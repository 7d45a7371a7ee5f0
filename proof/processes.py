"""Processes of Overbookr and of its PostgreSQL, found in /proc by what they are, and what they use. Linux only."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Process:
    """`reaped_seconds` are those of children that have ended and were waited for."""

    pid: int
    parent: int
    state: str
    command: str
    own_seconds: float
    reaped_seconds: float


@dataclass(frozen=True, slots=True)
class Memory:
    """In MiB. `rss` counts shared pages in full, `pss` by the share of each process that has them."""

    rss: float
    pss: float


def is_alive(pid: int) -> bool:
    """Whether it lives; one that has ended and was not waited for does not."""
    process = _read(pid)
    return process is not None and process.state not in "ZX"


def api_processes(serve: int) -> list[int]:
    """The API processes of a `serve` process, the oldest first."""
    return sorted(p.pid for p in _children(serve) if " overbookr serve" in p.command)


def duties_processes(serve: int) -> list[int]:
    return sorted(p.pid for p in _children(serve) if _is_of_duties(p))


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


def tree_of(root: int) -> list[int]:
    """The process and its descendants, itself first."""
    return _tree(_all().values(), root)


def read_groups(postmaster: int, serve: int | None = None) -> dict[str, list[int]]:
    """The processes of a measurement by what they are: postgres, and of a served instance api, duties and serve."""
    processes = _all()
    groups = {"postgres": _tree(processes.values(), postmaster)}
    if serve is not None:
        groups |= {"api": [], "duties": [], "serve": []}
        for pid in _tree(processes.values(), serve):
            groups[_role(processes[pid], serve)].append(pid)
    return groups


def processor_seconds(root: int) -> float:
    """Used so far by the process, its descendants, and those of them that have ended and were waited for."""
    processes = _all()
    tree = [processes[pid] for pid in _tree(processes.values(), root) if pid in processes]
    return sum(process.own_seconds + process.reaped_seconds for process in tree)


def seconds_by_group(groups: dict[str, list[int]]) -> dict[str, float]:
    """Processor seconds used so far by each group; those of sessions that have ended are the postmaster's by then."""
    processes = _all()
    used = {}
    for name, pids in groups.items():
        found = [processes[pid] for pid in pids if pid in processes]
        used[name] = sum(process.own_seconds for process in found)
        if name == "postgres" and found:
            root = found[0]
            known = set(pids)
            late = [p for p in processes.values() if p.parent == root.pid and p.pid not in known]
            used[name] += root.reaped_seconds + sum(process.own_seconds for process in late)
    return used


def memory_of(pid: int) -> Memory:
    """Raises OSError for a process that is gone or somebody else's."""
    sizes = {}
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            sizes[name] = int(rest.split()[0]) / 1024
    return Memory(round(sizes["Rss"], 1), round(sizes["Pss"], 1))


def _role(process: _Process, serve: int) -> str:
    if process.pid == serve or "resource_tracker" in process.command:
        return "serve"
    return "duties" if _is_of_duties(process) else "api"


def _is_of_duties(process: _Process) -> bool:
    return " overbookr worker" in process.command


def _children(parent: int) -> list[_Process]:
    return [process for process in _all().values() if process.parent == parent and process.state not in "ZX"]


def _tree(processes: Iterable[_Process], root: int) -> list[int]:
    found = [root]
    for pid in found:
        found += [process.pid for process in processes if process.parent == pid]
    return found


def _all() -> dict[int, _Process]:
    found = (_read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {process.pid: process for process in found if process is not None}


def _read(pid: int) -> _Process | None:
    """None when it has ended."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    # The name stands in parentheses and may hold anything, so count the fields from its end.
    fields = stat.rpartition(")")[2].split()
    times = [int(field) / _TICKS for field in fields[11:15]]
    return _Process(pid, int(fields[1]), fields[0], command, times[0] + times[1], times[2] + times[3])
