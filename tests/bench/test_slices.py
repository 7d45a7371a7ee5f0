"""A run in slices: it goes on with what is of the same commit, machine and settings, and with nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench.figures import Figure, as_json
from bench.results import NotTheSame, durations, figures_of, read_earlier, write_results
from bench.run import Bench, Choices

_CHOICES = Choices(2, 3, 1_000, (1_252,), 1_000, (5,), 10)


def _facts(**others: Any) -> dict[str, Any]:
    facts = {"commit": "abc", "changed_since": False, "machine": {"cores": 2, "load_before": 0.1}, "settings": {"s": 1}}
    return facts | others


def _bench() -> Bench:
    figures = [
        Figure("flow", "ours", "1 event", "bookings", repetitions=[{"value": 300.0}, {"value": 100.0}]),
        Figure("peer", "theirs", "1 event", "bookings", yardstick=("ours", "1 event"), repetitions=[{"value": 20.0}]),
    ]
    taken = {"started_at": "2030-01-01T00:00:00+00:00", "build_seconds": 3.0, "seconds": 8.0}
    rounds = {"flow": [taken, taken | {"build_seconds": 0.0, "seconds": 12.0}], "peer": [taken]}
    return Bench(None, _CHOICES, {figure.key: figure for figure in figures}, rounds)  # type: ignore[arg-type]


def test_a_slice_goes_on_with_every_figure_and_round(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, _facts() | command._found(_bench()))
    earlier = read_earlier(path, _facts(machine={"cores": 2, "load_before": 0.7}))
    assert earlier is not None
    bench = Bench(None, _CHOICES)  # type: ignore[arg-type]
    command._take_up(bench, earlier)
    assert bench.rounds == _bench().rounds
    assert as_json(list(bench.figures.values())) == as_json(list(_bench().figures.values()))
    bench.add("flow", "ours", "1 event", "bookings", {"value": 200.0})
    told = {figure["name"]: figure for figure in as_json(list(bench.figures.values()))}
    assert (told["ours"]["median"], told["theirs"]["ratio"]) == (200.0, 0.1)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"commit": "def"}, "another commit"),
        ({"settings": {"s": 2}}, "another settings"),
        ({"machine": {"cores": 4, "load_before": 0.1}}, "another machine"),
        ({"changed_since": True}, "was changed since"),
    ],
)
def test_nothing_else_is_gone_on_with(tmp_path: Path, other: dict[str, Any], what: str) -> None:
    path = tmp_path / "results.json"
    write_results(path, _facts() | command._found(_bench()))
    with pytest.raises(NotTheSame, match=what):
        read_earlier(path, _facts(**other))
    assert read_earlier(tmp_path / "none.json", _facts(**other)) is None


def test_what_is_missing_is_measured_round_after_round() -> None:
    assert list(command._missing(["flow", "soak", "peer"], _bench())) == [
        (0, "soak"), (1, "peer"), (2, "flow"), (2, "peer"),
    ]  # fmt: skip


def test_a_round_is_expected_to_take_as_long_as_the_longest_before() -> None:
    assert command._seconds_expected(_bench(), "flow") == 12.0
    assert command._seconds_expected(_bench(), "soak") > 60


def test_what_was_found_before_outlives_a_slice_that_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, {"a": 1})
    with pytest.raises(TypeError):
        write_results(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_durations_tell_of_each_scenario() -> None:
    assert durations(_bench().rounds) == [("flow", 2, 3.0, 10.0), ("peer", 1, 3.0, 8.0)]


def test_figures_come_back_as_they_were() -> None:
    assert figures_of(command._found(_bench())) == list(_bench().figures.values())
