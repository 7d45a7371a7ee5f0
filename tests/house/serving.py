"""The application as real processes on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

READY_SECONDS_MAX = 60
SECRET = "a secret of the tests that is long enough 7c1f"


@dataclass
class Served:
    """A running application. `stop` ends it as an operator would and says how it ended."""

    url: str
    dsn: str
    data_dir: Path
    settings: dict[str, str]
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                raise
        return self.process.returncode

    @property
    def log(self) -> str:
        return (self.data_dir / "serve.log").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(dsn: str | None, data_dir: Path, settings: dict[str, str]) -> dict[str, str]:
    """A clean environment: nothing of the caller's OVERBOOKR_ settings, and the tests' secret."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVERBOOKR_", "PROMETHEUS_"))}
    for name in ("POSTGRESQL_URI", "PORT", "JWT_SECRET", "GMAIL_USER", "GMAIL_PASS"):
        kept.pop(name, None)
    return {
        **kept,
        **({"OVERBOOKR_DATABASE_URL": dsn} if dsn else {}),
        "OVERBOOKR_DATA_DIR": str(data_dir),
        "OVERBOOKR_JWT_SECRET": SECRET,
        "OVERBOOKR_RATE_LIMIT": "off",
        "OVERBOOKR_WORKERS": "2",
        **settings,
    }


def serve(dsn: str | None, data_dir: Path, settings: dict[str, str], arguments: Sequence[str] = ()) -> Served:
    """Start `overbookr serve` and wait until it is ready. `dsn` None: with the embedded PostgreSQL.

    On a free port, unless the settings name one.
    """
    port = int(settings.get("OVERBOOKR_PORT") or free_port())
    variables = environment(dsn, data_dir, {"OVERBOOKR_PORT": str(port), **settings})
    with open(data_dir / "serve.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "overbookr", "serve", *arguments],
            env=variables,
            cwd=data_dir,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    served = Served(f"http://127.0.0.1:{port}", dsn or "", data_dir, settings, process)
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        if process.poll() is not None:
            raise AssertionError(f"serve ended with {process.returncode}:\n{served.log}")
        try:
            with urllib.request.urlopen(f"{served.url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return served
        except (urllib.error.URLError, OSError):
            pass
        if time.monotonic() > deadline:
            served.stop()
            raise AssertionError(f"serve was not ready within {READY_SECONDS_MAX} s:\n{served.log}")
        time.sleep(0.05)
