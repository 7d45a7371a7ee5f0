"""What counts as a figure, and what does not."""

import pytest

from bench.figures import Figure, as_json, mean_of
from bench.report import cells, costs, number, remarks
from bench.run import Bench, Choices
from bench.stage import STRIDE, Turnout


def _figure(name: str, *values: float, yardstick: tuple[str, str] | None = None, failed: str | None = None) -> Figure:
    repetitions = [{"value": value, "done": 10, "failed": []} for value in values]
    if failed:
        repetitions[-1]["failed"] = [failed]
    return Figure("hold", name, "1 event", "holds", yardstick=yardstick, repetitions=repetitions)


def test_a_ratio_is_the_middle_one_of_the_rounds() -> None:
    """The machine of the last round was twice as fast as that of the first."""
    told = as_json([_figure("pgbench", 100, 400, 200), _figure("ours", 90, 440, 240, yardstick=("pgbench", "1 event"))])
    assert [(figure["min"], figure["median"], figure["max"]) for figure in told] == [(100, 200, 400), (90, 240, 440)]
    assert [figure["ratio"] for figure in told] == [None, 1.1]


def test_where_the_rounds_are_not_the_same_a_ratio_is_of_medians() -> None:
    told = as_json([_figure("pgbench", 90, 100, 400), _figure("ours", 200, 300, yardstick=("pgbench", "1 event"))])
    assert told[1]["ratio"] == 2.5


def test_one_failed_repetition_fails_the_figure() -> None:
    told = as_json([_figure("pgbench", 100), _figure("ours", 200, 300, failed="3 answers 500 internal_error")])
    assert told[1]["median"] is told[1]["min"] is told[1]["max"] is None
    assert told[1]["failed"] == ["3 answers 500 internal_error"]
    assert cells(told[1])[1:4] == ["failed", "", ""]
    assert costs(told[1]) == {}


def test_nothing_is_compared_with_what_failed() -> None:
    told = as_json([_figure("pgbench", 100, failed="broken"), _figure("ours", 200, yardstick=("pgbench", "1 event"))])
    assert told[1]["ratio"] is None
    assert told[1]["median"] == 200


def test_means_are_of_what_was_measured() -> None:
    repetitions = [{"latency_ms": {"p50": 1.0}}, {"latency_ms": {"p50": 3.0}}, {"latency_ms": None}]
    assert mean_of({"repetitions": repetitions}, "latency_ms", "p50") == 2.0
    assert mean_of({"repetitions": repetitions}, "latency_ms", "p99") is None


def test_costs_are_shared_among_what_was_done() -> None:
    figure = _figure("ours", 5)
    figure.repetitions[0] |= {"done": 1_000, "cpu_seconds": {"api": 0.25, "load": 0.5}}
    assert costs(as_json([figure])[0]) == {"api": 250.0, "load": 500.0}


def test_refusals_are_told() -> None:
    figure = _figure("ours", 5, 6)
    for repetition in figure.repetitions:
        repetition["refusals"] = {"409 seats_unavailable": 3}
    figure.repetitions[0]["ran_out"] = True
    assert remarks(as_json([figure])[0]) == [
        "6 answers 409 seats_unavailable",
        "was done before its time was over; the rate is that of the time it took",
    ]


def test_a_peer_is_told_as_many_times() -> None:
    ours, peer = _figure("ours", 300), _figure("peer", 20, yardstick=("ours", "1 event"))
    peer.scenario = "peer"
    assert remarks(as_json([ours, peer])[1]) == ["Overbookr does 15.0 times as many"]


@pytest.mark.parametrize(("value", "shown"), [(12_345.6, "12,346"), (12.34, "12.3"), (0.5, "0.50"), (None, "")])
def test_numbers_are_as_exact_as_they_are_worth(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize("users", [1_000, 3_000, 5_000, 25_000])
def test_every_pair_is_visited_once_within_each_users_share(users: int) -> None:
    turnout = Turnout(users)
    visits = [turnout.visit(number, 50) for number in range(turnout.pairs)]
    assert len({pair for _, _, pair in visits}) == turnout.pairs
    taken = [0] * users
    for user, _, _ in visits:
        taken[user] += 1
    assert set(taken) == {4}
    assert turnout.pairs < STRIDE


@pytest.mark.anyio
async def test_what_cannot_be_measured_fails_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    async def break_down(bench: Bench) -> None:
        raise RuntimeError("no pgbench here")

    async def build(bench: Bench) -> None:
        pass

    choices = Choices(1, 1, users=1, halls=(), bookings=1, viewers=(), watch_seconds=1)
    bench = Bench(None, choices)  # type: ignore[arg-type]
    await bench.measure("hold", break_down, build)
    await bench.measure("flow", build, break_down)
    for told in as_json(list(bench.figures.values())):
        assert told["failed"] == ["RuntimeError: no pgbench here"]
    assert {name: len(rounds) for name, rounds in bench.rounds.items()} == {"hold": 1, "flow": 1}
    assert "no pgbench here" in capsys.readouterr().err
