"""What logs leave out, and what metrics say, of one process and of several."""

import inspect
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import values

from overbookr.telemetry import REDACTED, configure_logging, current_request_id, redact, render_metrics

pytestmark = pytest.mark.anyio

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "value",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        {"headers": [{"authorization": "Basic YWxhZGRpbjpvcGVu"}]},
        {"body": {"password": "c2lnbmF0dXJl", "current_password": TOKEN}},
        {"refresh_token": "c2lnbmF0dXJl"},
        {"event": f"refused {TOKEN} of nobody"},
        {"event": f"Authorization: Bearer {TOKEN}"},
        {"event": "connecting to postgresql://user:c2lnbmF0dXJl@host/db"},
        {"event": """{"password": "c2lnbmF0dXJl", 'token': 'c2lnbmF0dXJl'}"""},
        {"raw": f"Bearer {TOKEN}".encode()},
        {"deep": [[{"secret": {"a": "c2lnbmF0dXJl"}}]]},
    ],
)
def test_secrets_are_left_out(value: dict[str, Any]) -> None:
    text = json.dumps(redact(value))
    assert REDACTED in text
    assert "c2lnbmF0dXJl" not in text
    assert "YWxhZGRpbjpvcGVu" not in text


def test_everything_else_is_kept() -> None:
    value = {"event": "hold placed", "seats": ["A1", 2, None, True, 1.5], "has_password": True}
    assert redact(value) == value


def test_lines_are_json_with_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    token = current_request_id.set("the-request")
    try:
        configure_logging("info")
        structlog.get_logger("a.b").info("hello", password="hunter2", seats=3)
        logging.getLogger("c.d").warning("old %s", "style")
        structlog.get_logger("a.b").debug("not this")
        try:
            raise ValueError(f"Bearer {TOKEN}")
        except ValueError:
            structlog.get_logger("a.b").exception("broken")
    finally:
        current_request_id.reset(token)
        root.handlers[:] = handlers
        root.setLevel(level)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["hello", "old style", "broken"]
    assert [line["logger"] for line in lines] == ["a.b", "c.d", "a.b"]
    assert all(line["request_id"] == "the-request" and line["timestamp"].endswith("Z") for line in lines)
    assert lines[0]["password"] == REDACTED
    assert lines[0]["seats"] == 3
    assert "Traceback" in lines[2]["exception"]
    assert TOKEN not in lines[2]["exception"]


async def test_requests_are_counted_by_template(client: httpx.AsyncClient) -> None:
    for thing in ("018f3c1e-0000-7000-8000-000000000001", "018f3c1e-0000-7000-8000-000000000002"):
        await client.get(f"/things/{thing}")
    await client.get("/no/such/place")
    await client.request("BREW", "/things")
    text = render_metrics()[0].decode()
    assert 'overbookr_http_request_seconds_count{method="GET",path="/things/{thing_id}",status="200"}' in text
    assert 'method="GET",path="unmatched",status="404"' in text
    assert "018f3c1e" not in text
    assert "/no/such/place" not in text
    assert "BREW" not in text


WORKER = """
import sys
from overbookr import telemetry
telemetry.observe_request("GET", "/things", 200, 0.002)
telemetry.observe_batch("lane", 17)
telemetry.set_queue_depth("lane", 5)
telemetry.count_duty_work("settle", 3)
telemetry.set_invariant_violations("seats", 0)
print("ready", flush=True)
sys.stdin.readline()
"""


def test_several_processes_are_summed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    from overbookr import telemetry

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    # Preparing changes where this very process keeps its numbers, which the tests after this one must not inherit.
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    directory = telemetry.prepare_metrics_directory(tmp_path, 8080)
    leftover = directory / "counter_1.db"
    leftover.write_bytes(b"old")
    assert telemetry.prepare_metrics_directory(tmp_path, 8080) == directory
    assert not leftover.exists()
    request.addfinalizer(lambda: shutil.rmtree(directory))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
    text = telemetry.render_metrics()[0].decode()
    assert 'overbookr_http_request_seconds_count{method="GET",path="/things",status="200"} 2.0' in text
    assert 'overbookr_http_request_seconds_bucket{le="0.0025",method="GET",path="/things",status="200"} 2.0' in text
    assert 'overbookr_batch_size_sum{batch="lane"} 34.0' in text
    assert 'overbookr_queue_depth{queue="lane"} 10.0' in text
    assert 'overbookr_duty_work_total{duty="settle"} 6.0' in text
    assert 'overbookr_invariant_violations{name="seats"} 0.0' in text
    for worker in workers:
        worker.communicate(b"\n", timeout=20)
    telemetry.forget_process(workers[0].pid)
    assert 'overbookr_queue_depth{queue="lane"} 5.0' in telemetry.render_metrics()[0].decode()
    assert 'status="200"} 2.0' in telemetry.render_metrics()[0].decode()


def test_metrics_lie_in_memory_where_there_is_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mapped files on a full disk kill whoever touches them."""
    from overbookr import telemetry

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(telemetry, "_MEMORY", memory)
    assert telemetry.prepare_metrics_directory(tmp_path, 8080).parent == memory
    monkeypatch.setattr(telemetry, "_MEMORY", tmp_path / "nowhere")
    assert telemetry.prepare_metrics_directory(tmp_path, 8080) == tmp_path / "metrics-8080"


FORKING = """
import os, shutil, sys
from pathlib import Path
from overbookr import telemetry
from overbookr.http import front
directory = telemetry.prepare_metrics_directory(Path(sys.argv[1]), 8080)
for _ in range(2):
    if os.fork() == 0:
        telemetry.observe_request("GET", "/things", 200, 0.002)
        os._exit(0)
for _ in range(2):
    os.wait()
print(telemetry.render_metrics()[0].decode())
shutil.rmtree(directory)
"""


EVERY_METRIC = """
import inspect, os, shutil, sys
from pathlib import Path
from overbookr import telemetry
directory = telemetry.prepare_metrics_directory(Path(sys.argv[1]), 8080)
if os.fork() == 0:
    for name, tell in inspect.getmembers(telemetry, inspect.isfunction):
        if name.startswith(("count_", "observe_", "set_")):
            tell(*("x" if value.annotation is str else 1 for value in inspect.signature(tell).parameters.values()))
    os._exit(0)
assert os.wait()[1] == 0
print(telemetry.render_metrics()[0].decode())
shutil.rmtree(directory)
"""


def test_no_metric_is_seen_by_its_own_process_only(tmp_path: Path) -> None:
    """One without labels that is made at the import would be, and is not missed: it reads 0, or is not there."""
    from overbookr import telemetry

    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    command = [sys.executable, "-c", EVERY_METRIC, str(tmp_path)]
    text = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout
    metrics = set(re.findall(r'"(overbookr_[a-z_]+)"', inspect.getsource(telemetry)))
    counted = set(re.findall(r"^(overbookr_[a-z_]+?)(?:_total|_count)?(?:\{.*\})? 1\.0$", text, re.MULTILINE))
    assert len(metrics) >= 9
    assert metrics <= counted


def test_workers_may_be_forked_after_the_import(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    command = [sys.executable, "-c", FORKING, str(tmp_path)]
    text = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout
    assert 'overbookr_http_request_seconds_count{method="GET",path="/things",status="200"} 2.0' in text
