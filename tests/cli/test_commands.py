"""The command line as an operator uses it: real processes, the embedded PostgreSQL, signals."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.house.serving import Served, environment, serve

PLAN = Path(__file__).parents[2] / "src" / "overbookr" / "seats" / "plans" / "theatre.json"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`overbookr serve` with the embedded PostgreSQL on a data directory of its own."""
    served = serve(
        None,
        tmp_path_factory.mktemp("installation"),
        {"OVERBOOKR_ADMIN_EMAIL": "owner@example.org", "OVERBOOKR_ADMIN_PASSWORD": "correct horse"},
    )
    yield served
    served.stop()


def overbookr(data_dir: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "overbookr", *arguments],
        env=environment(None, data_dir, settings),
        cwd=data_dir,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def request(method: str, url: str, body: object = None, token: str | None = None) -> tuple[int, object]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=20) as answer:
        return answer.status, json.loads(answer.read() or b"null")


def log_in(url: str, email: str, password: str) -> str:
    _, session = request("POST", f"{url}/users/login", {"email": email, "password": password})
    assert isinstance(session, dict)
    return str(session["token"])


def test_the_administrator_of_the_settings_can_log_in(installation: Served) -> None:
    assert log_in(installation.url, "owner@example.org", "correct horse")


def test_commands_work_beside_a_running_server(installation: Served) -> None:
    created = overbookr(installation.data_dir, "admin", "create", "second@example.org")
    assert created.returncode == 0, created.stderr
    password = re.search(r"Password: (\S+)", created.stdout)
    assert password is not None
    token = log_in(installation.url, "second@example.org", password[1])
    _, event = request(
        "POST", f"{installation.url}/events", {"name": "N", "venue": "V", "start_time": "2031-01-01T20:00:00Z"}, token
    )
    assert isinstance(event, dict)
    imported = overbookr(installation.data_dir, "import-plan", event["id"], str(PLAN))
    assert imported.returncode == 0, imported.stderr
    assert "Imported 472 seats" in imported.stdout
    _, shown = request("GET", f"{installation.url}/events/{event['id']}")
    assert isinstance(shown, dict)
    assert shown["available"] == 472
    assert overbookr(installation.data_dir, "migrate").stdout.strip() == "The database is up to date."
    assert overbookr(installation.data_dir, "reconcile").returncode == 0
    examined = overbookr(installation.data_dir, "doctor")
    assert examined.returncode == 0, examined.stdout
    assert "ill" not in examined.stdout


def test_a_plan_with_faults_is_refused_with_their_places(installation: Served, tmp_path: Path) -> None:
    plan = json.loads(PLAN.read_text())
    plan["zones"][0]["rows"][0]["seats"][0]["category"] = "nowhere"
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    refused = overbookr(installation.data_dir, "import-plan", "018f0000-0000-7000-8000-000000000000", str(file))
    assert refused.returncode == 1
    assert "zones[0].rows[0].seats[0].category" in refused.stderr
    unknown = overbookr(installation.data_dir, "import-plan", "018f0000-0000-7000-8000-000000000000", str(PLAN))
    assert unknown.returncode == 1
    assert "event_not_found" in unknown.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"OVERBOOKR_JWT_SECRET": "secret"}, "JWT_SECRET"),
        ({"OVERBOOKR_PORT": "many"}, "PORT"),
        ({"OVERBOOKR_HOLD_TTL_SECONDS": "0"}, "hold_ttl_seconds"),
        ({"OVERBOOKR_CORS_ORIGINS": "*"}, "cors_origins"),
    ],
)
def test_a_bad_setting_ends_the_start_with_one_clear_line(
    settings: dict[str, str], words: str, tmp_path: Path, installation: Served
) -> None:
    ended = overbookr(tmp_path, "worker", **settings) if "JWT" in words else overbookr(tmp_path, "migrate", **settings)
    assert ended.returncode != 0
    assert words.lower() in ended.stderr.lower()
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_refused_with_the_way_out(installation: Served, tmp_path: Path) -> None:
    port = installation.url.rsplit(":", 1)[1]
    ended = overbookr(tmp_path, "serve", OVERBOOKR_PORT=port)
    assert ended.returncode == 1
    assert "OVERBOOKR_PORT" in ended.stderr


def test_a_postmaster_that_is_killed_comes_back_by_itself(installation: Served) -> None:
    pid_file = installation.data_dir / "postgres" / "cluster" / "postmaster.pid"
    first = int(pid_file.read_text().split()[0])
    os.kill(first, signal.SIGKILL)
    _until(lambda: pid_file.exists() and pid_file.read_text().split()[:1] not in ([], [str(first)]))
    _until(lambda: _status(f"{installation.url}/readyz") == 200)
    # Connections that died with the old server answer 503 once each; nobody needs to restart anything.
    _until(lambda: _can_log_in(installation.url))


def test_api_processes_that_are_killed_again_and_again_come_back(installation: Served) -> None:
    """As soon as they are there, so often that processes which never come to work would have been given up."""
    for _ in range(30):
        _until(lambda: _status(f"{installation.url}/readyz") == 200)
        if '"failures":6' in installation.log:
            break
        workers = _api_processes(installation.process.pid)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        _until(partial(_are_replaced, installation.process.pid, workers))
    _until(lambda: _status(f"{installation.url}/readyz") == 200)
    assert '"failures":6' in installation.log, "the kills were too slow to show anything"
    assert installation.process.poll() is None


def test_a_killed_supervisor_leaves_no_worker_behind(tmp_path: Path) -> None:
    served = serve(None, tmp_path, {})
    children = _descendants(served.process.pid)
    assert len(children) >= 3, "two API processes and the duties"
    served.process.kill()
    served.process.wait()
    _until(lambda: not any(Path(f"/proc/{pid}").exists() and not _is_zombie(pid) for pid in children))
    again = serve(None, tmp_path, {})
    assert again.stop() == 0


def test_sigterm_stops_everything_within_15_seconds_and_a_restart_keeps_the_data(tmp_path: Path) -> None:
    served = serve(
        None, tmp_path, {"OVERBOOKR_ADMIN_EMAIL": "owner@example.org", "OVERBOOKR_ADMIN_PASSWORD": "correct horse"}
    )
    token = log_in(served.url, "owner@example.org", "correct horse")
    request("POST", f"{served.url}/events", {"name": "N", "venue": "V", "start_time": "2031-01-01T20:00:00Z"}, token)
    started = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - started < 15
    assert not (tmp_path / "postgres" / "cluster" / "postmaster.pid").exists()
    again = serve(None, tmp_path, {})
    _, events = request("GET", f"{again.url}/events")
    assert isinstance(events, list)
    assert [event["name"] for event in events] == ["N"]
    assert again.stop() == 0


def test_the_welcome_makes_an_event_and_an_administrator_once(tmp_path: Path) -> None:
    first = serve(None, tmp_path, {}, arguments=["--welcome"])
    found = re.search(r"An administrator: (\S+), password (\S+) \(shown once\)", first.log)
    assert found is not None, first.log
    assert log_in(first.url, found[1], found[2])
    _, events = request("GET", f"{first.url}/events")
    assert isinstance(events, list)
    assert [event["available"] for event in events] == [472]
    first.stop()
    second = serve(None, tmp_path, {}, arguments=["--welcome"])
    assert "password" not in second.log.removeprefix(first.log)
    second.stop()


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def _can_log_in(url: str) -> bool:
    try:
        return bool(log_in(url, "owner@example.org", "correct horse"))
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return False


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except OSError:
        return 0


def _descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # A thread, too, may end while it is looked at.
            children += [int(child) for child in (thread / "children").read_text().split()]
    names = {child: _command_of(child) for child in set(children)}
    # The server of the database outlives its starter on purpose.
    return [child for child, name in names.items() if name and b"postgres" not in name]


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _are_replaced(supervisor: int, workers: list[int]) -> bool:
    return set(_api_processes(supervisor)).isdisjoint(workers)


def _api_processes(pid: int) -> list[int]:
    found = _descendants(pid)
    return [child for child in found if b"worker" not in _command_of(child) and not _is_zombie(child)]


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
