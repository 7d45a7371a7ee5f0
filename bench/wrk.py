"""wrk as the crowd: closed loops, in which each connection sends when it has had its answer."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from bench.serving import Served
from bench.stage import HERE, STRIDE, USERS_AT_ONCE, Stage
from proof.processes import seconds_by_group

CONNECTIONS: Final = 128
_LUA: Final = HERE / "lua"
_TIMEOUT: Final = "10s"
# A server at its limit may refuse now and then, and say so. More than this share of all answers, and what was measured
# is not what was meant.
_BUSY: Final = "503 busy"
BUSY_SHARE_MAX: Final = 0.01


class WrkMissing(Exception):
    """wrk is not installed. The text says how to get it."""


def find_wrk() -> str:
    """The path of wrk. Raises WrkMissing."""
    path = shutil.which("wrk")
    if path is None:
        raise WrkMissing("wrk is not installed: apt-get install wrk (or scripts/install_test_packages.sh as root)")
    return path


def sell(
    served: Served,
    kind: str,
    *,
    seconds: int,
    tokens: Path,
    events: Path,
    visits: tuple[int, int],
    pairs: int,
    users_at_once: int = USERS_AT_ONCE,
    threads: int = 1,
    slash: str = "",
) -> dict[str, Any]:
    """Holds, or holds that are booked (kind `hold` or `flow`), a second, over the given visits. With a thread a
    connection, answers to holds need not name their seats. `slash` is what paths end with."""
    environment = {
        "BENCH_KIND": kind,
        "BENCH_TOKENS": str(tokens),
        "BENCH_EVENTS": str(events),
        "BENCH_PAIRS": str(pairs),
        "BENCH_STRIDE": str(STRIDE),
        "BENCH_USERS_AT_ONCE": str(users_at_once),
        "BENCH_FROM": str(visits[0]),
        "BENCH_TO": str(visits[1]),
        "BENCH_THREADS": str(threads),
        "BENCH_SLASH": slash,
    }
    done = {"hold": "201 held", "flow": "201 booked"}[kind]
    return _measure(served, "flow.lua", seconds, environment, {done}, besides={"201 held"}, threads=threads)


def sell_stage(
    stage: Stage, served: Served, kind: str, layout: str, seconds: int, *, warm_up: bool = False
) -> dict[str, Any]:
    """`sell` on a layout of the stage."""
    turnout = stage.turnout
    visits = (turnout.visits, turnout.pairs) if warm_up else (0, turnout.visits)
    return sell(
        served, kind, seconds=seconds, tokens=stage.folder / "tokens", events=stage.folder / f"events-{layout}",
        visits=visits, pairs=turnout.pairs,
    )  # fmt: skip


def send(
    served: Served,
    requests: Path,
    *,
    seconds: int,
    succeeded: Collection[str],
    span: tuple[int, int],
    again: bool = False,
    connections: int = CONNECTIONS,
) -> dict[str, Any]:
    """The requests of a file, those within the span, each once or again and again. `succeeded` are the answers that
    count, as in `201` or `200 replayed`."""
    environment = {
        "BENCH_REQUESTS": str(requests),
        "BENCH_FROM": str(span[0]),
        "BENCH_TO": str(span[1]),
        "BENCH_AGAIN": "1" if again else "0",
    }
    return _measure(served, "listed.lua", seconds, environment, succeeded, connections=connections)


def repeat(served: Served, path: str, *, seconds: int, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One GET again and again. What is answered is for the caller to look at: here only refusals are told apart."""
    arguments = [part for name, value in (headers or {}).items() for part in ("-H", f"{name}: {value}")]
    return _measure(served, "same.lua", seconds, {}, {"any"}, arguments=arguments, path=path)


def _measure(
    served: Served,
    script: str,
    seconds: int,
    environment: Mapping[str, str],
    succeeded: Collection[str],
    *,
    besides: Collection[str] = (),
    arguments: Collection[str] = (),
    path: str = "",
    connections: int = CONNECTIONS,
    threads: int = 1,
) -> dict[str, Any]:
    """A repetition: `value` is what succeeded a second; what was answered otherwise is in `refusals`, by its name.
    `besides` are answers that are neither."""
    batches = served.read_batches()
    before = seconds_by_group(served.groups)
    arguments = ["-t", str(threads), "-c", str(connections), *arguments]
    output, client_seconds = _run(script, served.url + path, seconds, environment, arguments)
    after = seconds_by_group(served.groups)
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk's script did not come to its end:\n{output[-2000:]}")
    result: dict[str, Any] = json.loads(found[1])
    answers: dict[str, int] = result["answers"]
    done = sum(answers.get(name, 0) for name in succeeded)
    refusals = {
        name.strip(): times
        for name, times in answers.items()
        if times and name not in succeeded and name not in besides
    }
    bearable = BUSY_SHARE_MAX * sum(answers.values())
    failed = [
        f"{times} answers {name}"
        for name, times in refusals.items()
        if (name.startswith("5") or "5xx" in name) and not (name == _BUSY and times <= bearable)
    ]
    failed += [f"{result[what]} {what}" for what in ("timeouts", "broken") if result[what]]
    return {
        "value": done / result["seconds"] if result["seconds"] > 0 else 0.0,
        "done": done,
        "refused": sum(refusals.values()),
        "refusals": refusals,
        "answered_per_second": sum(answers.values()) / result["seconds"] if result["seconds"] > 0 else 0.0,
        "bytes_per_answer": result["bytes"] / max(1, result["requests"]),
        "ran_out": result["ran_out"],
        "latency_ms": result["latency_ms"],
        "batch": served.batches_since(batches),
        "cpu_seconds": {name: after[name] - before[name] for name in after} | {"load": client_seconds},
        "failed": failed,
    }


def _run(
    script: str, url: str, seconds: int, environment: Mapping[str, str], arguments: Collection[str]
) -> tuple[str, float]:
    """What wrk says, and the processor seconds it took itself."""
    wrk = find_wrk()
    command = [wrk, "-d", f"{seconds}s", "--timeout", _TIMEOUT]
    command += ["-s", str(_LUA / script), *arguments, url]
    with tempfile.TemporaryFile() as file:
        pid = os.posix_spawn(
            wrk,
            command,
            {"PATH": os.defpath, "BENCH_LUA": str(_LUA), **environment},
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), descriptor) for descriptor in (1, 2)],
        )
        _, status, usage = os.wait4(pid, 0)
        file.seek(0)
        output = file.read().decode()
    if status != 0:
        raise RuntimeError(f"wrk failed:\n{output[-2000:]}")
    return output, usage.ru_utime + usage.ru_stime
