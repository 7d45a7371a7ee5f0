"""Overbookr as users meet it: `overbookr serve`, and wrk as the crowd. Also the bare server stacks to compare with."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from processes import cpu_seconds, memory_of, read_groups
from stage import HERE, PAIRS, STRIDE, USERS_AT_ONCE, VISITS, Stage

PROCESSES: Final = 2
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.005
_STOP_SECONDS = 20.0
_BUCKET = re.compile(
    r'^overbookr_batch_size_(bucket|sum|count)\{batch="writes"(?:,le="([^"]+)")?\} ([0-9.e+]+)$', re.MULTILINE
)


class WrkMissing(Exception):
    """wrk is not installed. The text says how to get it."""


class Served:
    """A running server: its root process, its port, and how long it took to be ready."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, postmaster: int, seconds_to_ready: float) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.seconds_to_ready = seconds_to_ready
        self._postmaster = postmaster
        self.groups = self.read_groups()

    def read_groups(self) -> dict[str, list[int]]:
        return read_groups(self._postmaster, self.process.pid)

    def memory(self) -> dict[str, list[dict[str, float]]]:
        """RSS and PSS in MiB of each process, by group."""
        found: dict[str, list[dict[str, float]]] = {}
        for name, pids in self.read_groups().items():
            found[name] = []
            for pid in pids:
                try:
                    memory = memory_of(pid)
                except OSError:
                    continue  # A session that has ended.
                found[name].append({"rss": memory.rss, "pss": memory.pss})
        return found


def find_wrk() -> str:
    """The path of wrk. Raises WrkMissing."""
    path = shutil.which("wrk")
    if path is None:
        raise WrkMissing("wrk is not installed: apt-get install wrk (or scripts/install_test_packages.sh as root)")
    return path


@contextmanager
def serve(stage: Stage, **settings: str) -> Iterator[Served]:
    """`overbookr serve` on the stage's data folder with two API processes; everything else as it comes."""
    chosen = {
        "OVERBOOKR_DATA_DIR": str(stage.folder),
        "OVERBOOKR_WORKERS": str(PROCESSES),
        "OVERBOOKR_RATE_LIMIT": "off",
        "OVERBOOKR_JWT_SECRET": stage.secret,
        **settings,
    }
    with _running(stage, [sys.executable, "-m", "overbookr", "serve"], chosen, "/readyz") as served:
        _wait_for_audit(served)
        yield served


@contextmanager
def serve_bare(stage: Stage) -> Iterator[Served]:
    """The same HTTP server with an application that only reads and writes the JSON."""
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--workers", str(PROCESSES), "--loop", "uvloop"]
    command += ["--backlog", "4096", "--backpressure", "20000", "--log-level", "warning", "bare:application"]
    with _running(stage, command, {"PYTHONPATH": str(HERE)}, "/") as served:
        yield served


def load(
    stage: Stage, served: Served, kind: str, layout: str, seconds: int, connections: int, *, warm_up: bool = False
) -> dict[str, Any]:
    """Holds or flows (kind `hold` or `flow`) a second by wrk; only what was answered with 201 counts."""
    first, end = (VISITS, PAIRS) if warm_up else (0, VISITS)
    environment = {
        "BENCH_KIND": kind,
        "BENCH_TOKENS": str(stage.folder / "tokens"),
        "BENCH_EVENTS": str(stage.folder / f"events-{layout}"),
        "BENCH_PAIRS": str(PAIRS),
        "BENCH_STRIDE": str(STRIDE),
        "BENCH_USERS_AT_ONCE": str(USERS_AT_ONCE),
        "BENCH_FROM": str(first),
        "BENCH_TO": str(end),
    }
    batches = _read_batches(served)
    before = cpu_seconds(served.groups)
    output, client_seconds = _run_wrk(["-s", str(HERE / "load.lua")], served.url, seconds, connections, environment)
    after = cpu_seconds(served.groups)
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk's script did not come to its end:\n{output[-2000:]}")
    result: dict[str, Any] = json.loads(found[1])
    done = result["bookings"] if kind == "flow" else result["holds"]
    return {
        "rate": done / result["seconds"],
        "done": done,
        "requests_rate": (result["holds"] + result["bookings"]) / result["seconds"],
        "refused": sum(result["refusals"].values()),
        "refusals": result["refusals"],
        "timeouts": result["timeouts"],
        "broken": result["broken"],
        "ran_out": result["ran_out"],
        "latency_ms": result["latency_ms"],
        "batch": _batches_between(batches, _read_batches(served)),
        "cpu_seconds": {name: after[name] - before[name] for name in after} | {"load": client_seconds},
    }


def knock(served: Served, seconds: int, connections: int) -> dict[str, Any]:
    """GET /healthz a second: all that the stack does for every request, and nothing else."""
    before = cpu_seconds(served.groups)
    output, client_seconds = _run_wrk([], f"{served.url}/healthz", seconds, connections, {})
    after = cpu_seconds(served.groups)
    rate = re.search(r"^Requests/sec:\s+([0-9.]+)", output, re.MULTILINE)
    if rate is None or "Non-2xx" in output:
        raise RuntimeError(f"wrk could not knock:\n{output[-2000:]}")
    return {
        "rate": float(rate[1]),
        "refused": 0,
        "cpu_seconds": {name: after[name] - before[name] for name in after} | {"load": client_seconds},
    }


@contextmanager
def _running(stage: Stage, command: list[str], settings: dict[str, str], ready: str) -> Iterator[Served]:
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not _meddles(name)}
    environment |= {"OVERBOOKR_PORT": str(port), "GRANIAN_PORT": str(port), **settings}
    # An .env file of the working directory would be read, so the server runs where there is none.
    with (stage.folder / "serve.log").open("ab") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=stage.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        seconds = _wait_until_ready(process, f"http://127.0.0.1:{port}{ready}", started, stage.folder / "serve.log")
        yield Served(process, port, stage.server.postmaster_pid, seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _meddles(name: str) -> bool:
    return name.startswith(("OVERBOOKR_", "GRANIAN_", "PG")) or name in (
        "PORT",
        "JWT_SECRET",
        "POSTGRESQL_URI",
        "PYTHONPATH",
    )


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, started: float, log: Path) -> float:
    while time.perf_counter() - started < _READY_SECONDS:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return time.perf_counter() - started
        except (urllib.error.URLError, OSError):
            time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"the server did not get ready:\n{log.read_text()[-2000:]}")


def _wait_for_audit(served: Served) -> None:
    """The duties look the whole house over soon after a start and once a minute then; measure between the two."""
    deadline = time.perf_counter() + _READY_SECONDS
    while time.perf_counter() < deadline:
        with urllib.request.urlopen(f"{served.url}/metrics", timeout=10) as answer:
            if b"overbookr_invariant_violations{" in answer.read():
                return
        time.sleep(0.1)
    raise RuntimeError("the first audit did not come to its end")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run_wrk(
    script: list[str], url: str, seconds: int, connections: int, environment: dict[str, str]
) -> tuple[str, float]:
    """What wrk says, and the processor seconds it took itself."""
    wrk = find_wrk()
    command = [wrk, "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s", *script, url]
    with tempfile.TemporaryFile() as file:
        pid = os.posix_spawn(
            wrk,
            command,
            {"PATH": os.defpath, **environment},
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), descriptor) for descriptor in (1, 2)],
        )
        _, status, usage = os.wait4(pid, 0)
        file.seek(0)
        output = file.read().decode()
    if status != 0:
        raise RuntimeError(f"wrk failed:\n{output[-2000:]}")
    return output, usage.ru_utime + usage.ru_stime


def _read_batches(served: Served) -> dict[str, float]:
    """The histogram of the batches of writes: `sum`, `count`, and the count up to each size. Empty if there is none."""
    try:
        with urllib.request.urlopen(f"{served.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError:
        return {}  # A bare stack has no metrics.
    return {size or name: float(value) for name, size, value in _BUCKET.findall(text)}


def _batches_between(before: dict[str, float], after: dict[str, float]) -> dict[str, Any] | None:
    counts = {name: value - before.get(name, 0.0) for name, value in after.items()}
    if not counts.get("count"):
        return None
    total = counts.pop("count")
    mean = counts.pop("sum") / total
    median = next(name for name, count in counts.items() if count >= total / 2)
    return {"mean": mean, "count": int(total), "half_are_up_to": median, "up_to": counts}
