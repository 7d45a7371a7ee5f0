"""The clock's tools: outcomes that contradict the database's clock are found, and a fake clock is one."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overbookr.ids import new_id
from proof.clock.attempts import Attempt, Kind, contradiction, contradictions, tally
from proof.clock.faketime import FakeClock, library
from proof.clock.sessions import issued_at
from proof.clock.visits import token_for_all_clocks

END = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)


def attempt(kind: Kind, sent: float, answered: float, succeeded: bool, decided: float | None = None) -> Attempt:
    """Times in milliseconds after the hold's end."""
    at = [None if value is None else END + timedelta(milliseconds=value) for value in (sent, answered, decided)]
    assert at[0] is not None
    assert at[1] is not None
    return Attempt(kind, END, at[0], at[1], succeeded, at[2])


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (attempt("book", 0, 5, True, 1), "booked after its end"),
        (attempt("book", -5, 5, True, 0), "not older than its hold's end"),
        (attempt("book", -5, -1, False), "could not be booked before its end"),
        (attempt("take over", -5, -1, True), "held by somebody else before"),
        (attempt("take over", 0, 4, False), "could not be held after"),
        (attempt("look", -5, -1, True), "shown as free"),
        (attempt("look", 1, 4, False), "shown as held after"),
    ],
)
def test_a_contradiction_is_found(wrong: Attempt, fault: str) -> None:
    assert fault in (contradiction(wrong) or "")


@pytest.mark.parametrize(
    "right",
    [
        attempt("book", -5, 5, True, -0.001),
        attempt("book", -5, 5, False),
        attempt("book", 0, 5, False),
        attempt("take over", -5, -1, False),
        attempt("take over", -5, 5, True),
        attempt("take over", -5, 5, False),
        attempt("take over", 0, 5, True),
        attempt("look", -5, -1, False),
        attempt("look", 0, 5, True),
    ],
)
def test_what_the_clock_allows_is_no_contradiction(right: Attempt) -> None:
    assert contradiction(right) is None


def test_attempts_are_counted_by_where_they_lie() -> None:
    attempts = [attempt("book", -9, -2, True, -5), attempt("book", -1, 1, False), attempt("book", 3, 4, True, 3)]
    counted = tally(attempts, "book")
    assert (counted.in_time, counted.across, counted.late) == (1, 1, 1)
    assert (counted.nearest_before_ms, counted.nearest_after_ms) == (2.0, 3.0)
    assert contradictions(attempts).total() == 1
    assert tally(attempts, "look").nearest_after_ms is None


def test_a_fake_clock_is_wrong_and_jumps_and_leaves_the_monotonic_clock_alone(tmp_path: Path) -> None:
    preload = library()
    if preload is None:
        reason = "Debian's libfaketime is not installed (make test-deps installs it, as root with apt)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    clock = FakeClock(preload, tmp_path / "clock", 600)
    look = "import time; print(time.time(), time.monotonic(), flush=True)"
    program = f"{look}\ninput()\nwhile time.time() - {datetime.now(UTC).timestamp()} > 0: pass\n{look}"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=dict(os.environ) | clock.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        ahead, ticks = map(float, process.stdout.readline().split())
        assert ahead - datetime.now(UTC).timestamp() == pytest.approx(600, abs=5)
        clock.set(-600)
        process.stdin.write("\n")
        process.stdin.flush()
        behind, ticks_later = map(float, process.stdout.readline().split())
        assert behind - datetime.now(UTC).timestamp() == pytest.approx(-600, abs=5)
        assert 0 < ticks_later - ticks < 30


def test_a_token_for_all_clocks_is_old_enough_for_those_that_are_behind() -> None:
    now = datetime.now(UTC).timestamp()
    assert issued_at(token_for_all_clocks("a secret of the tests that is long enough 7c1f", new_id())) < now - 1_200
