"""The yardstick: the classic transaction, by pgbench, on the same server with the same settings."""

import os
import re
import tempfile
from typing import Any, Final

from bench.stage import GRIDS, HERE, QUERIES, STRIDE, YARDSTICK, Stage
from overbookr.database.embedded import bin_dir
from overbookr.database.pool import session_settings
from proof.processes import read_groups, seconds_by_group

CLIENTS: Final = 50

_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([0-9.]+) ms", re.MULTILINE)
_COUNT = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


async def measure(stage: Stage, kind: str, layout: str, seconds: int) -> dict[str, Any]:
    """Holds, or flows of a hold and its booking (kind `hold` or `flow`), a second."""
    await stage.refill(layout, YARDSTICK)
    walk = stage.turnout.pairs // CLIENTS
    # The last tenth of each client's walk, so that caches, sessions and plans are as warm as those of the others.
    _run_pgbench(stage, kind, layout, ["-t", str(walk // 10)], walk - walk // 10 - 1)
    warm = await _count_taken(stage, kind)
    groups = read_groups(stage.server.postmaster_pid)
    before = seconds_by_group(groups)
    output, client_seconds = _run_pgbench(stage, kind, layout, ["-T", str(seconds)], 0)
    after = seconds_by_group(groups)
    done = int(_required(_COUNT, output))
    failed = int(_required(_FAILED, output))
    taken = await _count_taken(stage, kind) - warm
    if taken != 2 * done:
        # A yardstick that skips work would flatter nobody: every transaction must have taken its two seats.
        raise RuntimeError(f"pgbench says {done} {kind}s, and has taken {taken} seats")
    return {
        "value": float(_required(_RATE, output)),
        "done": done,
        "refused": failed,
        "failed": [],
        "latency_ms": {"mean": float(_required(_LATENCY, output))},
        "cpu_seconds": {"postgres": after["postgres"] - before["postgres"], "load": client_seconds},
    }


def _run_pgbench(stage: Stage, kind: str, layout: str, length: list[str], first: int) -> tuple[str, float]:
    """What pgbench says, and the processor seconds it took itself. Its clients begin their walks at `first`."""
    turnout = stage.turnout
    variables = {
        "number": first, "stride": STRIDE, "pairs": turnout.pairs, "walk": turnout.pairs // CLIENTS,
        "users": turnout.users, "events": GRIDS[layout],
    }  # fmt: skip
    command = [str(bin_dir() / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", *length]
    command += [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
    command += ["-f", str(HERE / f"classic_{kind}.sql")]
    command += ["-h", stage.socket_folder, "-p", "5432", "-U", "overbookr", YARDSTICK]
    with tempfile.TemporaryFile() as file:
        pid = os.posix_spawn(
            command[0],
            command,
            {"PATH": os.defpath, "PGOPTIONS": _session_options()},
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), fd) for fd in (1, 2)],
        )
        _, status, usage = os.wait4(pid, 0)
        file.seek(0)
        output = file.read().decode()
    if status != 0:
        raise RuntimeError(f"pgbench failed:\n{output[-2000:]}")
    return output, usage.ru_utime + usage.ru_stime


def _session_options() -> str:
    """The settings of the product's write sessions. Without them the plans made while the tables were empty stay."""
    settings = session_settings(write=True)
    return " ".join(f"-c {name}={value}" for name, value in settings.items() if not name.endswith("timeout"))


async def _count_taken(stage: Stage, kind: str) -> int:
    status = {"hold": "held", "flow": "booked"}[kind]
    async with stage.connect(YARDSTICK) as connection:
        return int(await connection.fetchval(QUERIES.count_taken, status))


def _required(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise RuntimeError(f"pgbench's output has no {pattern.pattern!r}:\n{text[-2000:]}")
    return found[1]
