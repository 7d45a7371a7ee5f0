"""The page of the benchmark is what its command writes of the results, or is not there when there are none."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench.figures import MILLISECONDS, Figure, as_json
from bench.page import CHARTS, DOCUMENT, charts, check, render
from bench.results import LATEST


def _results() -> dict[str, Any]:
    figures = [
        Figure("hold", "hold by pgbench", "1 event", "holds", repetitions=[{"value": 100.0}, {"value": 120.0}]),
        Figure(
            "hold", "hold over HTTP", "1 event", "holds", yardstick=("hold by pgbench", "1 event"),
            repetitions=[{"value": 220.0, "done": 10, "cpu_seconds": {"api": 0.1}, "refusals": {"409 hold_limit": 2}}],
        ),
        Figure("latency", "a lone hold", "p50", "holds", MILLISECONDS, repetitions=[{"value": 1.5}]),
        Figure("replay", "replay", "1 event", "replays", repetitions=[{"value": 1.0, "failed": ["7 answers 500"]}]),
    ]  # fmt: skip
    return {
        "started_at": "2030-01-01T00:00:00+00:00",
        "commit": "abc",
        "changed_since": False,
        "machine": {
            "processor": "A processor", "cores": 2, "memory_gib": 4, "file_system": "ext4", "kernel": "6.1",
            "python": "3.11", "load_before": 0.1,
        },
        "settings": {
            "size": "small", "repetitions": 2, "seconds": 2, "connections": 128, "pgbench_clients": 50,
            "api_processes": 2,
        },
        "disk": "unknown",
        "server": {"server_version": "18", "fsync": "on", "synchronous_commit": "on", "shared_buffers": "128MB"},
        "start_seconds": [0.5, 0.7],
        "memory_mib": {"api": [{"rss": 60, "pss": 40}]},
        "audits": 3,
        "rounds": {"hold": [{"started_at": "2030-01-01T00:00:00+00:00", "build_seconds": 4.0, "seconds": 61.5}]},
        "figures": as_json(figures),
    }  # fmt: skip


def test_the_page_is_what_the_results_say() -> None:
    """Also when there are no results: then there is no page."""
    assert check(LATEST, DOCUMENT, CHARTS) == []


def test_the_page_tells_figures_ratios_and_failures() -> None:
    page = render(_results())
    assert "| hold over HTTP | 1 event | holds/s | 220 | 220 | 220 | 2.00 |" in page
    assert "| replay | 1 event | replays/s | failed |" in page
    assert "**failed**: 7 answers 500" in page
    assert "2 answers 409 hold_limit" in page
    assert "| `hold` | 1 | 4.00 | 61.5 |" in page
    assert "![Holds of two seats that nobody else wants" in page
    assert "performance/replay.svg" not in page


def test_charts_are_the_same_each_time_and_load_nothing() -> None:
    drawn, again = charts(_results()), charts(_results())
    assert drawn == again
    assert set(drawn) == {"hold", "latency"}
    for content in drawn.values():
        root = ElementTree.fromstring(content)
        assert root.tag.endswith("svg")
        assert not [node for node in root.iter() if node.tag.endswith("script")]
        assert b"href=" not in content


def test_a_page_without_results_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n")
    assert check(tmp_path / "latest.json", page, tmp_path / "charts") != []
    page.unlink()
    assert check(tmp_path / "latest.json", page, tmp_path / "charts") == []


def test_a_page_or_chart_of_other_results_is_seen(tmp_path: Path) -> None:
    results, page, folder = tmp_path / "latest.json", tmp_path / "performance.md", tmp_path / "charts"
    results.write_text(json.dumps(_results()))
    assert check(results, page, folder, tmp_path / "profile.json") != []
    page.write_text(render(_results()))
    assert check(results, page, folder, tmp_path / "profile.json") != []
    folder.mkdir()
    for name, content in charts(_results()).items():
        (folder / f"{name}.svg").write_bytes(content)
    assert check(results, page, folder, tmp_path / "profile.json") == []
    page.write_text(render(_results()) + "typed by hand\n")
    assert check(results, page, folder, tmp_path / "profile.json") != []


def _figure(name: str, variant: str, *values: float, **besides: Any) -> Figure:
    return Figure("flow", name, variant, "things", repetitions=[{"value": value} | besides for value in values])


def test_the_page_says_which_goals_were_reached() -> None:
    results = _results()
    figures = [
        _figure("hold and book over HTTP", "1 event", 990, 1_000, 1_200),
        _figure("hold and book over HTTP by the peer", "1 event", 100, 100, 90),
        _figure("hold and book without HTTP", "1 event", 2_000),
        _figure("one row committed by asyncpg", "p99", 1.0),
        _figure("a lone hold", "p99", 3.5),
        _figure("compact availability", "50,000 seats, zstd", 1, body_bytes=15_500),
        _figure("report", "30 days of 5,000,000 bookings, p50", 50.0),
        _figure("map while panning", "1,252 seats", 60, failed=["the map never came near enough"]),
    ]
    page = render(results | {"figures": as_json(figures)})
    assert "| Holds booked a second on one event, times the other server's | at least 10 | 10.0 | yes |" in page
    assert "of what the same SQL reaches without HTTP | at least 0.6 | 0.50 | **no** |" in page
    assert "| A lone hold (p99), times a bare durable commit | at most 3 | 3.50 | **no** |" in page
    assert "compressed | at most 15 kB | 15.5 kB | **no** |" in page
    assert "| A report on 30 days of 5,000,000 bookings | at most 50 ms | 50.0 ms | yes |" in page
    assert "Frames a second" not in page, "what has failed tells nothing"


def test_a_page_without_any_goal_says_nothing_of_goals() -> None:
    assert "Against the goals" not in render(_results())
