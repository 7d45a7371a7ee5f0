"""How fast Overbookr sells, beside pgbench: one run, everything in turn on the same machine, as ratios.

    python bench/compare.py [--seconds 10] [--repetitions 3] [--connections 128] [--only NAME ...] [--json FILE]

Needs wrk. Listens on the loopback only; what it makes, in a temporary folder, it removes at its end.
"""

import argparse
import asyncio
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import classic
import in_process
import over_http
from report import Figure, as_json, describe_commit, describe_machine, file_system_of, print_report
from stage import EVENTS, Stage, open_stage, run_command, settings_of

from overbookr.database.embedded import bin_dir
from overbookr.main import open_audit

UNITS: Final = {"hold": "holds", "flow": "hold + book"}
_KINDS: Final = ("hold", "flow")
_IN_MEMORY: Final = ("tmpfs", "ramfs")


class Run:
    """The figures of one run, filled round by round so that a slow minute of the machine touches all of them alike."""

    def __init__(self, stage: Stage, arguments: argparse.Namespace) -> None:
        self._stage = stage
        self._seconds: int = arguments.seconds
        self._connections: int = arguments.connections
        self._only: set[str] = set(arguments.only)
        self.figures: dict[tuple[str, str | None], Figure] = {}
        self.memory: dict[str, Any] = {}
        self.start_seconds: list[float] = []
        self.audits: list[str] = []

    async def round(self) -> None:
        for kind in _KINDS:
            for layout in EVENTS:
                if self._is_wanted("pgbench"):
                    self._add(
                        f"pgbench {kind}", kind, layout, await classic.measure(self._stage, kind, layout, self._seconds)
                    )
                if self._is_wanted("writer"):
                    result = await in_process.measure(self._stage, kind, layout, self._seconds, self._connections)
                    self._add(f"writer, no HTTP, {kind}", kind, layout, result)
                    self.audits.append(await _audit(self._stage))
                if self._is_wanted("http"):
                    await self._measure_served(kind, layout)
                    self.audits.append(await _audit(self._stage))
        if self._is_wanted("bare"):
            await self._measure_bare()

    async def _measure_served(self, kind: str, layout: str) -> None:
        await self._stage.refill(layout)
        with over_http.serve(self._stage) as served:
            self.start_seconds.append(served.seconds_to_ready)
            await self._load(served, kind, layout, 1, warm_up=True)
            self._add(f"over HTTP, {kind}", kind, layout, await self._load(served, kind, layout, self._seconds))
            self.memory = served.memory()
            if (kind, layout) == ("flow", "fifty"):
                knocked = await asyncio.to_thread(over_http.knock, served, self._seconds, self._connections)
                self._figure("over HTTP, GET /healthz", "requests", None, None).repetitions.append(knocked)

    async def _measure_bare(self) -> None:
        with over_http.serve_bare(self._stage) as served:
            await asyncio.to_thread(over_http.knock, served, 1, self._connections)
            answered = await self._load(served, "hold", "one", self._seconds)
            self._figure("bare granian + JSON", "POST /holds", None, None).repetitions.append(answered)

    async def _load(
        self, served: over_http.Served, kind: str, layout: str, seconds: int, *, warm_up: bool = False
    ) -> dict[str, Any]:
        return await asyncio.to_thread(
            over_http.load, self._stage, served, kind, layout, seconds, self._connections, warm_up=warm_up
        )

    def _is_wanted(self, name: str) -> bool:
        return not self._only or name in self._only

    def _add(self, name: str, kind: str, layout: str, result: dict[str, Any]) -> None:
        self._figure(name, UNITS[kind], layout, f"pgbench {kind}").repetitions.append(result)
        print(f"  {name} ({layout}): {result['rate']:,.0f} {UNITS[kind]}/s", file=sys.stderr, flush=True)

    def _figure(self, name: str, unit: str, layout: str | None, yardstick: str | None) -> Figure:
        return self.figures.setdefault((name, layout), Figure(name, unit, layout, yardstick))


async def compare(folder: Path, arguments: argparse.Namespace) -> int:
    """Run everything, print the report and write the JSON. 1 when the data broke a law of the house."""
    facts: dict[str, Any] = {**describe_commit(), "machine": describe_machine(folder)}
    facts["settings"] = {
        "seconds": arguments.seconds,
        "repetitions": arguments.repetitions,
        "connections": arguments.connections,
        "pgbench_clients": classic.CLIENTS,
        "api_processes": over_http.PROCESSES,
        "writer_processes": in_process.PROCESSES,
        "writer_lanes": in_process.LANES,
    }
    facts["pg_test_fsync"] = await _test_fsync(folder)
    print("Building the house ...", file=sys.stderr, flush=True)
    async with open_stage(folder) as stage:
        facts["server"] = await stage.settings()
        run = Run(stage, arguments)
        for number in range(arguments.repetitions):
            print(f"Round {number + 1} of {arguments.repetitions}", file=sys.stderr, flush=True)
            await run.round()
        facts["start_seconds"] = run.start_seconds
        facts["memory_mib"] = run.memory
    broken = sorted({found for found in run.audits if found})
    facts["laws"] = f"BROKEN: {'; '.join(broken)}" if broken else f"kept, in {len(run.audits)} audits"
    figures = list(run.figures.values())
    print_report(figures, facts)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(figures, facts), indent=2) + "\n")
    return 1 if broken else 0


async def _test_fsync(folder: Path) -> str:
    """What the disk says about syncing, by the method that PostgreSQL uses."""
    file = folder / "fsync.probe"
    output = await run_command(str(bin_dir() / "pg_test_fsync"), "-s", "1", "-f", str(file))
    file.unlink(missing_ok=True)
    found = re.search(r"^\s+fdatasync\s+([0-9.]+) ops/sec\s+([0-9.]+) usecs/op", output, re.MULTILINE)
    return (
        f"{float(found[1]):,.0f} fdatasync/s, {float(found[2]):.0f} us each" if found else "said nothing of fdatasync"
    )


async def _audit(stage: Stage) -> str:
    """Which laws of the house the data breaks that a measurement has left behind; empty when all is well."""
    settings = settings_of(stage.folder, stage.secret)
    async with open_audit(stage.server.dsn, settings) as audit:
        report = await audit.check(settings.user_max_seats_per_event)
    return ", ".join(f"{law} ({report.counts[law]})" for law in report.violations)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=10, help="of each repetition of each figure")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--connections", type=int, default=128, help="of the crowd")
    parser.add_argument("--only", nargs="*", default=[], choices=["pgbench", "writer", "http", "bare"])
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help="where to make the temporary folder; a real disk"
    )
    parser.add_argument("--json", type=Path, default=None, help="write everything measured there")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    try:
        over_http.find_wrk()
    except over_http.WrkMissing as error:
        print(error, file=sys.stderr)
        return 2
    if file_system_of(arguments.folder) in _IN_MEMORY:
        print(f"{arguments.folder} is in memory, where syncing costs nothing; give --folder on a disk", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="overbookr-bench-", dir=arguments.folder))
    try:
        return asyncio.run(compare(folder, arguments))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
