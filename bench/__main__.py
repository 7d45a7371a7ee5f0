"""How fast Overbookr is, in one run: everything in turn on the same machine, as ratios. See docs/testing.md.

    python -m bench [--size small|full] [--seconds N] [--repetitions 3] [--only NAME ...] [--json FILE]
        [--resume] [--minutes N] [--peer URL | --peer-command COMMAND [--peer-migrations FOLDER]]

Needs wrk. Listens on the loopback only; what it makes, in a temporary folder, it removes at its end. The results are
written after each scenario; with --resume a run goes on with those of earlier slices of it.
"""

import argparse
import asyncio
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import classic, in_process, sizes, wrk
from bench.browser import find_chromium
from bench.catalogue import SCENARIOS
from bench.figures import as_json
from bench.layouts import REPLAYED
from bench.machine import describe_commit, describe_machine, file_system_of, test_disk
from bench.report import print_report
from bench.results import LATEST, PARTIAL, NotTheSame, figures_of, read_earlier, write_results
from bench.run import Bench, Choices
from bench.serving import PROCESSES
from bench.stage import Turnout, open_stage

_IN_MEMORY: Final = ("tmpfs", "ramfs")
# A stream ends by itself after 60 to 90 seconds; viewers who watch for longer come back by themselves.
_REPETITIONS: Final = 3
# As many bookings are replayed, each of a user.
_USERS_MIN: Final = REPLAYED
_SIZES: Final = {
    "small": Choices(
        seconds=2, repetitions=_REPETITIONS, users=5_000, halls=(1_252, 5_000), bookings=200_000,
        viewers=(200,), watch_seconds=10, growth=sizes.SMALL, soak=sizes.SMALL_SOAK,
    ),
    "full": Choices(
        seconds=10, repetitions=_REPETITIONS, users=25_000, halls=(1_252, 20_000, 50_000), bookings=5_000_000,
        viewers=(200, 2_000), watch_seconds=100, growth=sizes.FULL, soak=sizes.FULL_SOAK,
    ),
}  # fmt: skip


async def run(folder: Path, arguments: argparse.Namespace, choices: Choices) -> int:
    """Measure everything that is wanted, write the JSON after each scenario, and print the report. 1 when any of it has
    failed or missed its goal, 3 when time was over before everything was measured."""
    names = [name for name in SCENARIOS if name in arguments.only or not arguments.only]
    if choices.peer is None and choices.peer_command is None:
        names = [name for name in names if name != "peer"]
    if find_chromium() is None and "pages" not in arguments.only:
        print("without chromium (make test-deps) the pages are not measured", file=sys.stderr)
        names = [name for name in names if name != "pages"]
    facts: dict[str, Any] = {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_commit(),
        "machine": describe_machine(folder),
        "settings": _settings(arguments, choices),
    }
    ends_at = time.monotonic() + arguments.minutes * 60 if arguments.minutes else math.inf
    earlier = read_earlier(arguments.json, facts) if arguments.resume else None
    if earlier is None:
        facts["disk"] = await test_disk(folder)
    async with open_stage(folder, Turnout(choices.users)) as stage:
        facts["server"] = await stage.server_settings()
        bench = Bench(stage, choices)
        results = facts
        if earlier is not None:
            _take_up(bench, earlier)
            results = earlier | {"loads_before": [*earlier.get("loads_before", ()), facts["machine"]["load_before"]]}
        left_out = []
        for number, name in _missing(names, bench):
            if time.monotonic() + _seconds_expected(bench, name) > ends_at:
                left_out.append(f"{name} ({number + 1})")
                continue
            bench.say(f"{name}, {number + 1} of {SCENARIOS[name].rounds_max(choices)}")
            await bench.measure(name, SCENARIOS[name].measure, SCENARIOS[name].build)
            results |= _found(bench)
            write_results(arguments.json, results)
    if left_out:
        bench.say(f"Left for another slice, by --resume: {', '.join(left_out)}")
    results |= _found(bench)
    print_report(results)
    if any(figure["failed"] or figure["missed"] for figure in results["figures"]):
        return 1
    return 3 if left_out else 0


def _missing(names: list[str], bench: Bench) -> Iterator[tuple[int, str]]:
    """What remains to be measured, round after round."""
    before = {name: len(bench.rounds.get(name, [])) for name in names}
    most = {name: SCENARIOS[name].rounds_max(bench.choices) for name in names}
    for number in range(max(most.values(), default=0)):
        yield from ((number, name) for name in names if before[name] <= number < most[name])


def _seconds_expected(bench: Bench, name: str) -> float:
    """As long as the longest of its rounds so far."""
    known = [each["build_seconds"] + each["seconds"] for each in bench.rounds.get(name, [])]
    return max(known) if known else SCENARIOS[name].minutes * 60 * bench.seconds / _SIZES["full"].seconds


def _take_up(bench: Bench, earlier: dict[str, Any]) -> None:
    bench.figures = {figure.key: figure for figure in figures_of(earlier)}
    bench.rounds = earlier["rounds"]
    bench.start_seconds, bench.memory = earlier["start_seconds"], earlier["memory_mib"]
    bench.audits = earlier["audits"]


def _found(bench: Bench) -> dict[str, Any]:
    """Figures in the order of the scenarios, whatever was measured first."""
    places = {name: place for place, name in enumerate(SCENARIOS)}
    figures = sorted(bench.figures.values(), key=lambda figure: places[figure.scenario])
    return {
        "rounds": {name: bench.rounds[name] for name in SCENARIOS if name in bench.rounds},
        "start_seconds": bench.start_seconds,
        "memory_mib": bench.memory,
        "audits": bench.audits,
        "figures": as_json(figures),
    }


def _settings(arguments: argparse.Namespace, choices: Choices) -> dict[str, Any]:
    return {
        "size": arguments.size,
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
    parser.add_argument("--resume", action="store_true", help="go on with the results that are there; see --minutes")
    parser.add_argument("--minutes", type=float, help="begin nothing that is not over by then, as far as that is known")
    peers = parser.add_mutually_exclusive_group()
    peers.add_argument("--peer", help="the address of another server that speaks the same API")
    peers.add_argument("--peer-command", help="starts such a server, by POSTGRESQL_URI, PORT and JWT_SECRET")
    parser.add_argument("--peer-migrations", type=Path, help="a folder of SQL files that it needs run before")
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
        is_whole = arguments.size == "full" and (arguments.resume or not arguments.only)
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
        # Each second sells seats to others.
        users=arguments.users or max(size.users, math.ceil(size.users / size.seconds * seconds)),
        bookings=arguments.bookings or size.bookings,
        watch_seconds=max(seconds, size.watch_seconds),
        peer=arguments.peer,
        peer_command=arguments.peer_command,
        peer_migrations=arguments.peer_migrations,
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
    except NotTheSame as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
