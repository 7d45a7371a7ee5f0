"""Overbookr as users meet it, `overbookr serve`; also the bare server stack to compare with, and servers elsewhere."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.stage import ROOT, Stage
from proof.processes import memory_of, read_groups, tree_of

PROCESSES: Final = 2
_READY_SECONDS = 600.0
_POLL_SECONDS = 0.005
_STOP_SECONDS = 20.0
_BUCKET = re.compile(
    r'^overbookr_batch_size_(bucket|sum|count)\{batch="writes"(?:,le="([^"]+)")?\} ([0-9.e+]+)$', re.MULTILINE
)
_ERRORS = re.compile(r'^overbookr_http_request_seconds_count\{[^}]*status="[45]\d\d"[^}]*\} ([0-9.e+]+)$', re.MULTILINE)


class Served:
    """A server that runs: its address, and of one that was started here its processes and the seconds it took to be
    ready. All processes of a peer count as its API."""

    def __init__(
        self,
        url: str,
        process: "subprocess.Popen[bytes] | None",
        postmaster: int | None,
        seconds_to_ready: float,
        *,
        is_peer: bool = False,
    ) -> None:
        self.is_peer = is_peer
        self.process = process
        self.url = url
        self.seconds_to_ready = seconds_to_ready
        self._postmaster = postmaster
        self.groups = self.read_groups()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def read_groups(self) -> dict[str, list[int]]:
        if self.process is None or self._postmaster is None:
            return {}
        if self.is_peer:
            return read_groups(self._postmaster) | {"api": tree_of(self.process.pid)}
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

    def api_memory(self) -> float:
        """PSS of the API processes, MiB."""
        return sum(process["pss"] for process in self.memory().get("api", []))

    def read_batches(self) -> dict[str, float]:
        """The histogram of the batches of writes: `sum`, `count`, and the count up to each size. Empty where none is
        kept."""
        return {size or name: float(value) for name, size, value in _BUCKET.findall(self._read_metrics())}

    def read_errors(self) -> float:
        """Answers of 400 and above so far, without those that were turned away at the door as the server was busy."""
        return sum(float(value) for value in _ERRORS.findall(self._read_metrics()))

    def _read_metrics(self) -> str:
        if self.process is None or self.is_peer:
            return ""
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
                text: str = answer.read().decode()
        except urllib.error.HTTPError:
            return ""  # A bare stack has no metrics.
        return text

    def batches_since(self, before: dict[str, float]) -> dict[str, Any] | None:
        counts = {name: value - before.get(name, 0.0) for name, value in self.read_batches().items()}
        if not counts.get("count"):
            return None
        total = counts.pop("count")
        mean = counts.pop("sum") / total
        median = next(name for name, count in counts.items() if count >= total / 2)
        return {"mean": mean, "count": int(total), "half_are_up_to": median, "up_to": counts}


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
        if settings.get("OVERBOOKR_DUTIES") != "off":
            _wait_for_audit(served)
        yield served


@contextmanager
def serve_bare(stage: Stage) -> Iterator[Served]:
    """The same HTTP server with an application that only reads and writes the JSON."""
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--workers", str(PROCESSES), "--loop", "uvloop"]
    command += ["--backlog", "4096", "--backpressure", "20000", "--log-level", "warning", "bench.bare:application"]
    with _running(stage, command, {"PYTHONPATH": str(ROOT)}, "/") as served:
        yield served


@contextmanager
def serve_peer(stage: Stage, command: list[str], dsn: str) -> Iterator[Served]:
    """Another server that takes its settings from the environment as this API's first implementation did."""
    settings = {"POSTGRESQL_URI": dsn, "JWT_SECRET": stage.secret}
    with _running(stage, command, settings, "/healthz", is_peer=True) as served:
        yield served


@contextmanager
def _running(
    stage: Stage, command: list[str], settings: dict[str, str], ready: str, *, is_peer: bool = False
) -> Iterator[Served]:
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not _meddles(name)}
    environment |= dict.fromkeys(("OVERBOOKR_PORT", "GRANIAN_PORT", "PORT"), str(port)) | settings
    url = f"http://127.0.0.1:{port}"
    # An .env file of the working directory would be read, so the server runs where there is none.
    with (stage.folder / "serve.log").open("ab") as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=stage.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        seconds = _wait_until_ready(process, url + ready, started, stage.folder / "serve.log")
        yield Served(url, process, stage.server.postmaster_pid, seconds, is_peer=is_peer)
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
