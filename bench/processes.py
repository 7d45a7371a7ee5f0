"""What processes use, read from /proc: processor seconds, memory. Linux only."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    command: str
    own_seconds: float
    reaped_seconds: float


@dataclass(frozen=True, slots=True)
class Memory:
    """In MiB. `rss` counts shared pages in full, `pss` by the share of each process that has them."""

    rss: float
    pss: float


def read_groups(postmaster: int, serve: int | None = None) -> dict[str, list[int]]:
    """The processes of a measurement by what they are: postgres, and of a served instance api, duties and serve."""
    processes = _read_all()
    groups = {"postgres": _tree(processes, postmaster)}
    if serve is not None:
        groups |= {"api": [], "duties": [], "serve": []}
        for pid in _tree(processes, serve):
            groups[_role(processes[pid], serve)].append(pid)
    return groups


def cpu_seconds(groups: dict[str, list[int]]) -> dict[str, float]:
    """Processor seconds used so far by each group; those of sessions that have ended are the postmaster's by then."""
    processes = _read_all()
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
    return "duties" if " overbookr worker " in process.command else "api"


def _tree(processes: dict[int, _Process], root: int) -> list[int]:
    """The process and its descendants, itself first."""
    found = [root]
    for pid in found:
        found += [process.pid for process in processes.values() if process.parent == pid]
    return found


def _read_all() -> dict[int, _Process]:
    processes = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name stands in parentheses and may hold anything, so count the fields from its end.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # It ended in between.
        times = [int(field) / _TICKS for field in fields[11:15]]
        pid = int(folder.name)
        processes[pid] = _Process(pid, int(fields[1]), command, times[0] + times[1], times[2] + times[3])
    return processes
