"""The machine, the disk and the commit that were measured."""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any, Final

from bench.stage import HERE, run_command
from overbookr.database.embedded import bin_dir

_PROBE_SECONDS: Final = 1
_MEASURED: Final = (":/", ":(top,exclude)bench/results", ":(top,exclude)docs")


def describe_machine(folder: Path) -> dict[str, Any]:
    """Where it was measured."""
    cpuinfo, meminfo = Path("/proc/cpuinfo").read_text(), Path("/proc/meminfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", meminfo, re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "file_system": file_system_of(folder),
        "load_before": round(os.getloadavg()[0], 2),
    }


def describe_commit() -> dict[str, Any]:
    """The commit that was measured, and whether anything was changed since but the results and the page that is made of
    them. None outside of a git checkout."""

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    return {"commit": git("rev-parse", "HEAD"), "changed_since": bool(git("status", "--porcelain", "--", *_MEASURED))}


def file_system_of(folder: Path) -> str:
    """The type of the file system on which the folder is, as in ext4."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, found = line.split()[:3]
        place = place.encode().decode("unicode_escape")
        if len(place) > len(best) and folder.resolve().is_relative_to(place):
            best, kind = place, found
    return kind


async def test_disk(folder: Path) -> str:
    """What the disk says about syncing, by the method that PostgreSQL uses."""
    program = bin_dir() / "pg_test_fsync"
    if not program.exists():
        return "pg_test_fsync is missing from this PostgreSQL"
    file = folder / "fsync.probe"
    output = await run_command(str(program), "-s", str(_PROBE_SECONDS), "-f", str(file))
    file.unlink(missing_ok=True)
    found = re.search(r"^\s+fdatasync\s+([0-9.]+) ops/sec\s+([0-9.]+) usecs/op", output, re.MULTILINE)
    if found is None:
        return "pg_test_fsync said nothing of fdatasync"
    return f"{float(found[1]):,.0f} fdatasync a second of one 8 kB write, {float(found[2]):.0f} us each"
