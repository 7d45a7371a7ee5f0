"""Where the time of the hottest paths goes: flame graphs of the API processes, and PostgreSQL's plans under load.

    python -m bench.profile [--seconds 10] [--users 5000] [--only NAME ...] [--json FILE]

py-spy samples the API processes while wrk is the crowd; with the same load once more auto_explain explains some calls
and every statement inside of them. The duties are off, which would be sampled along. Written to
bench/results/profile.json, from which python -m bench.page draws. Profiles cost time themselves: these say where it
goes, not how much there is.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench import layouts, wrk
from bench.flames import prune
from bench.machine import describe_commit, describe_machine
from bench.plans import SETTINGS, read_plans
from bench.results import PROFILE, write_results
from bench.serving import Served, serve
from bench.stage import Stage, Turnout, open_stage, run_command
from overbookr.database.embedded import DATABASE

_RATE: Final = 200
_WARM_UP_SECONDS: Final = 1
_HALL_SEATS: Final = 5_000
# Of what clients call, this share is explained.
_EXPLAINED_SHARE: Final = 0.02
_STATEMENTS_SHOWN: Final = 12
_PLAN_LINES_MAX: Final = 40


@dataclass(frozen=True)
class HotPath:
    """`load` puts as much load on it as there can be, for so many seconds; true is for warming up."""

    says: str
    layout: str
    load: Callable[[Stage, Served, int, bool], dict[str, Any]]


def _sell(kind: str, stage: Stage, served: Served, seconds: int, warm_up: bool) -> dict[str, Any]:
    return wrk.sell_stage(stage, served, kind, "one", seconds, warm_up=warm_up)


def _look(stage: Stage, served: Served, seconds: int, warm_up: bool) -> dict[str, Any]:
    event_id = stage.events["halls"][0]
    return wrk.repeat(served, f"/events/{event_id}/availability?form=compact", seconds=seconds)


PATHS: Final = {
    "hold": HotPath("Holds on one event", "one", partial(_sell, "hold")),
    "flow": HotPath("Holds on one event, each booked then", "one", partial(_sell, "flow")),
    "availability": HotPath(f"Availability of a hall of {_HALL_SEATS:,} seats", "halls", _look),
}


async def run(arguments: argparse.Namespace, folder: Path) -> None:
    results: dict[str, Any] = {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_commit(),
        "machine": describe_machine(folder),
        "seconds": arguments.seconds,
        "paths": {},
    }
    names = [name for name in PATHS if name in arguments.only or not arguments.only]
    async with open_stage(folder, Turnout(arguments.users)) as stage:
        for layout in dict.fromkeys(PATHS[name].layout for name in names):
            builder = layouts.build_grid if layout == "one" else layouts.build_halls((_HALL_SEATS,))
            await stage.build([(layout, builder)])
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            results["paths"][name] = {
                "says": PATHS[name].says,
                **await _sample(stage, PATHS[name], arguments.seconds),
                **await _explain(stage, PATHS[name], arguments.seconds),
            }
            write_results(arguments.json, results)
    for name, path in results["paths"].items():
        print(f"{name}: {path['samples']:,} samples, {path['explained']:,} statements explained")


async def _sample(stage: Stage, path: HotPath, seconds: int) -> dict[str, Any]:
    """The stacks of all API processes together."""
    await stage.refill(path.layout)
    with serve(stage, OVERBOOKR_DUTIES="off") as served:
        load = partial(path.load, stage, served)
        await asyncio.to_thread(load, _WARM_UP_SECONDS, True)
        files = [(pid, stage.folder / f"stacks-{pid}") for pid in served.groups["api"]]
        command = [_program(), "record", "--format", "raw", "--function", "--rate", str(_RATE)]
        command += ["--duration", str(seconds)]
        sampling = [
            asyncio.ensure_future(run_command(*command, "--output", str(file), "--pid", str(pid)))
            for pid, file in files
        ]
        done = await asyncio.to_thread(load, seconds, False)
        await asyncio.gather(*sampling)
    stacks: Counter[tuple[str, ...]] = Counter()
    for _, file in files:
        stacks.update(read_stacks(file.read_text()))
        file.unlink()
    return {
        "samples": stacks.total(),
        "done": done["done"],
        "failed": done["failed"],
        "stacks": [[list(frames), count] for frames, count in sorted(prune(stacks).items())],
    }


def read_stacks(text: str) -> dict[tuple[str, ...], int]:
    """What py-spy writes as raw: the frames of a stack, a space, how often it was seen."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        found[tuple(frames.split(";"))] += int(count)
    return found


async def _explain(stage: Stage, path: HotPath, seconds: int) -> dict[str, Any]:
    """The statements that call nothing with statements inside, by what they took, with a plan of each."""
    await stage.refill(path.layout)
    settings = SETTINGS | {"auto_explain.sample_rate": str(_EXPLAINED_SHARE)}
    async with stage.connect("postgres") as connection:
        for name, value in settings.items():
            await connection.execute(f"alter database {DATABASE} set {name} = '{value}'")
    log = stage.folder / "postgres" / "cluster" / "log"
    with serve(stage, OVERBOOKR_DUTIES="off") as served:
        load = partial(path.load, stage, served)
        await asyncio.to_thread(load, _WARM_UP_SECONDS, True)
        before = {file: file.stat().st_size for file in log.iterdir()}
        await asyncio.to_thread(load, seconds, False)
        lines = [line for file in sorted(log.iterdir()) for line in _since(file, before.get(file, 0))]
    explained = [statement.told() for statement in read_plans(lines)]
    for statement in explained:
        statement["plan"] = "\n".join(statement["plan"].splitlines()[:_PLAN_LINES_MAX])
    by_themselves = [statement for statement in explained if not statement["calls"]]
    return {
        "explained": sum(statement["count"] for statement in explained),
        "explained_ms": round(sum(statement["total_ms"] for statement in by_themselves), 3),
        "statements": by_themselves[:_STATEMENTS_SHOWN],
    }


def _since(file: Path, size: int) -> list[str]:
    with file.open("rb") as opened:
        opened.seek(size)
        return opened.read().decode(errors="replace").splitlines(keepends=True)


def _program() -> str:
    """py-spy of the environment in which this runs."""
    path = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if path is None:
        raise RuntimeError("py-spy is not installed: make install")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.profile", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--only", nargs="+", default=[], choices=list(PATHS), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where to make the temporary folder")
    parser.add_argument("--json", type=Path, default=PROFILE)
    arguments = parser.parse_args()
    try:
        wrk.find_wrk()
        folder = Path(tempfile.mkdtemp(prefix="overbookr-profile-", dir=arguments.folder))
        try:
            asyncio.run(run(arguments, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (wrk.WrkMissing, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
