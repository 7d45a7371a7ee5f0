"""Processor seconds of a process and all it has started, from /proc. Linux only."""

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def processor_seconds(root: int) -> float:
    """Used so far by the process, its descendants, and those of them that have ended and were waited for."""
    used: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name stands in parentheses and may hold anything, so count the fields from its end.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It ended in between.
        pid = int(folder.name)
        used[pid] = sum(int(field) for field in fields[11:15]) / _TICKS
        children.setdefault(int(fields[1]), []).append(pid)
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return sum(used.get(pid, 0.0) for pid in tree)
