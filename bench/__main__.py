"""How fast Overbookr is, in one run: everything in turn on the same machine, as ratios. See docs/testing.md.

    python -m bench [--size small|full] [--seconds N] [--repetitions 3] [--only NAME ...] [--peer URL] [--json FILE]

Needs wrk. Listens on the loopback only; what it makes, in a temporary folder, it removes at its end.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import classic, in_process, wrk
from bench.catalogue import SCENARIOS, builder_of
from bench.figures import as_json
from bench.layouts import REPLAYED
from bench.machine import describe_commit, describe_machine, file_system_of, test_disk
from bench.report import print_report
from bench.results import LATEST, PARTIAL
from bench.run import Bench, Choices
from bench.serving import PROCESSES
from bench.stage import Stage, Turnout, open_stage

_IN_MEMORY: Final = ("tmpfs", "ramfs")
# A stream ends by itself after 60 to 90 seconds; viewers who watch for longer come back by themselves.
_REPETITIONS: Final = 3
# As many bookings are replayed, each of a user.
_USERS_MIN: Final = REPLAYED
_SIZES: Final = {
    "small": Choices(
        seconds=2, repetitions=_REPETITIONS, users=5_000, halls=(1_252, 5_000), bookings=200_000,
        viewers=(200,), watch_seconds=10,
    ),
    "full": Choices(
        seconds=10, repetitions=_REPETITIONS, users=25_000, halls=(1_252, 20_000, 50_000), bookings=5_000_000,
        viewers=(200, 2_000), watch_seconds=100,
    ),
}  # fmt: skip


async def run(folder: Path, arguments: argparse.Namespace, choices: Choices) -> int:
    """Measure everything that is wanted, print the report and write the JSON. 1 when any of it has failed."""
    names = [name for name in SCENARIOS if name in arguments.only or not arguments.only]
    if choices.peer is None:
        names = [name for name in names if name != "peer"]
    facts: dict[str, Any] = {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_commit(),
        "machine": describe_machine(folder),
        "settings": _settings(arguments, choices, names),
        "disk": await test_disk(folder),
    }
    async with open_stage(folder, Turnout(choices.users)) as stage:
        facts["server"] = await stage.server_settings()
        await _build(stage, names, choices)
        bench = Bench(stage, choices)
        for number in range(choices.repetitions):
            for name in names:
                bench.say(f"{name}, {number + 1} of {choices.repetitions}")
                await bench.measure(name, SCENARIOS[name].measure)
    facts |= {"start_seconds": bench.start_seconds, "memory_mib": bench.memory, "audits": bench.audits}
    results = facts | {"figures": as_json(list(bench.figures.values()))}
    print_report(results)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if any(figure["failed"] for figure in results["figures"]) else 0


async def _build(stage: Stage, names: list[str], choices: Choices) -> None:
    layouts = dict.fromkeys(layout for name in names for layout in SCENARIOS[name].needs)
    yardsticks = dict.fromkeys(layout for name in names for layout in SCENARIOS[name].pgbench)
    print(f"Building {', '.join(layouts) or 'nothing'} ...", file=sys.stderr, flush=True)
    await stage.build([(layout, builder_of(layout, choices)) for layout in layouts])
    for layout in yardsticks:
        await stage.build_yardstick(layout)


def _settings(arguments: argparse.Namespace, choices: Choices, names: list[str]) -> dict[str, Any]:
    return {
        "size": arguments.size,
        "scenarios": names,
        "seconds": choices.seconds,
        "repetitions": choices.repetitions,
        "connections": wrk.CONNECTIONS,
        "pgbench_clients": classic.CLIENTS,
        "api_processes": PROCESSES,
        "writer_processes": in_process.PROCESSES,
        "writer_lanes": in_process.LANES,
        "users": choices.users,
        "bookings": choices.bookings,
        "watch_seconds": choices.watch_seconds,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--size", choices=sorted(_SIZES), default="full")
    parser.add_argument("--seconds", type=int, help="of each repetition of each figure; 10, or 2 of the small size")
    parser.add_argument("--repetitions", type=int, default=_REPETITIONS)
    parser.add_argument("--users", type=int, help="of the stage; each can take four pairs of seats")
    parser.add_argument("--bookings", type=int, help="that reports are made of")
    parser.add_argument("--only", nargs="+", default=[], choices=list(SCENARIOS), metavar="NAME")
    parser.add_argument("--peer", help="the address of another server that speaks the same API")
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help="where to make the temporary folder; a real disk"
    )
    parser.add_argument(
        "--json", type=Path, help="write everything measured there, in place of bench/results/latest.json, or of "
        "partial.json beside it for a small or partial run",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.users is not None and arguments.users < _USERS_MIN:
        parser.error(f"--users must be {_USERS_MIN} at least")
    if arguments.json is None:
        is_whole = arguments.size == "full" and not arguments.only
        arguments.json = LATEST if is_whole else PARTIAL
    return arguments


def main() -> int:
    arguments = _arguments()
    size = _SIZES[arguments.size]
    seconds = arguments.seconds or size.seconds
    choices = replace(
        size,
        seconds=seconds,
        repetitions=arguments.repetitions,
        users=arguments.users or size.users,
        bookings=arguments.bookings or size.bookings,
        watch_seconds=max(seconds, size.watch_seconds),
        peer=arguments.peer,
    )
    try:
        wrk.find_wrk()
    except wrk.WrkMissing as error:
        print(error, file=sys.stderr)
        return 2
    if file_system_of(arguments.folder) in _IN_MEMORY:
        print(f"{arguments.folder} is in memory, where syncing costs nothing; give --folder on a disk", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="overbookr-bench-", dir=arguments.folder))
    try:
        return asyncio.run(run(folder, arguments, choices))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
