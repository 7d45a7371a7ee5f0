"""The report says what happened, in a table and as JSON, and whether all is well."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from overbookr.demo.batches import BatchFigures
from overbookr.demo.model import DemoOptions, Operation
from overbookr.demo.report import DemoReport, make_report, print_report, write_json
from overbookr.demo.sale import TIME_WAS_UP, SaleTimes
from overbookr.demo.verdict import Evidence
from tests.demo.hall import sound_evidence


def report_of(evidence: Evidence, **changes: Any) -> DemoReport:
    facts: dict[str, Any] = {
        "seed": 42,
        "venue": "Hall [of] fame",
        "times": SaleTimes(all_taken=1.0, rush=2.0, sold_out=3.0, total=4.0),
        "batches": [BatchFigures("writes", 10, 55, 5.5, 4.0, 16.0)],
    }
    return make_report(DemoOptions("http://x", buyers=3), evidence, **(facts | changes))


def printed(report: DemoReport) -> str:
    console = Console(file=io.StringIO(), width=140)
    print_report(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_sound_sale_passes_and_says_so() -> None:
    evidence = sound_evidence()
    evidence.recorder.tallies.update({"lapsed": 7, "promoted": 3})
    report = report_of(evidence)
    assert report.passed
    text = printed(report)
    for expected in (
        "Hall [of] fame",
        "lapsed (time moved on for 7 abandoned holds)",
        "writes",
        "--seed 42",
        "0 double sales",
        "every seat booked after",
        "Sold out, every seat exactly once",
    ):
        assert expected in text, expected
    assert "NO" not in text


def test_one_red_line_fails_the_report() -> None:
    sound = sound_evidence()
    report = report_of(replace(sound, house=replace(sound.house, booked_count=99)))
    assert not report.passed
    text = printed(report)
    assert "NO" in text
    assert "booked_count says 99 and there are 3" in text
    assert "Not all is well" in text
    assert "Sold out" not in text


def test_a_sale_that_ran_out_of_time_fails_even_if_every_line_is_green() -> None:
    evidence = sound_evidence()
    report = report_of(evidence, times=SaleTimes(total=9.0), ended_early=TIME_WAS_UP)
    assert not report.passed
    assert "never" in printed(report)
    assert "The time was up" in printed(report)


@pytest.mark.parametrize("is_sound", [True, False])
def test_the_json_has_all_of_it(is_sound: bool) -> None:
    evidence = sound_evidence()
    evidence.recorder.record(Operation.HOLD, 409, "seats_unavailable", 0.02)
    if not is_sound:
        evidence.recorder.note_unexpected("oh")
    content = json.loads(write_json(report_of(evidence)))
    assert content["passed"] is is_sound
    assert content["seed"] == 42
    assert content["times"] == {"all_taken": 1.0, "rush": 2.0, "sold_out": 3.0, "total": 4.0}
    assert content["refused"] == {"seats_unavailable": 1}
    assert content["statuses"] == {"201": 1, "409": 1}
    assert [line["operation"] for line in content["operations"]] == ["hold", "book"]
    assert content["batches"][0]["mean"] == 5.5
    assert sum(not check["passed"] for check in content["audit"]) == (0 if is_sound else 1)


def test_requests_without_an_answer_are_shown_apart_from_refusals() -> None:
    evidence = sound_evidence()
    evidence.recorder.record(Operation.HOLD, 0, "ServerDisconnectedError", 0.02)
    report = report_of(evidence)
    assert report.refused == {}
    assert "requests without an answer" in printed(report)


def test_throughput_is_counted_until_the_rush_is_over() -> None:
    evidence = sound_evidence()
    evidence.recorder.open_doors()
    for _ in range(10):
        evidence.recorder.record(Operation.HOLD, 201, "", 0.02)
    report = report_of(evidence)
    holds = next(line for line in report.throughput if line.what == "holds")
    assert (holds.count, holds.average, holds.peak) == (10, 5.0, 10)
