"""Counts and times."""

import random

import pytest

from overbookr.demo.model import Operation
from overbookr.demo.recorder import EXAMPLES_MAX, Recorder


def test_figures_are_in_milliseconds_and_in_any_order_of_arrival() -> None:
    recorder = Recorder()
    seconds = [number / 1000 for number in range(1, 101)]
    random.Random(1).shuffle(seconds)
    for value in seconds:
        recorder.record(Operation.HOLD, 201, "", value)
    (figures,) = recorder.figures()
    assert (figures.operation, figures.count) == ("hold", 100)
    assert (figures.p50, figures.p95, figures.p99, figures.slowest) == pytest.approx((50, 95, 99, 100))


def test_refusals_and_statuses_are_counted_apart_from_requests_without_an_answer() -> None:
    recorder = Recorder()
    recorder.record(Operation.HOLD, 409, "seats_unavailable", 0.1)
    recorder.record(Operation.HOLD, 409, "seats_unavailable", 0.1)
    recorder.record(Operation.LOOK, 503, "busy", 0.1)
    recorder.record(Operation.LOOK, 0, "ServerDisconnectedError", 0.1)
    assert recorder.refusals() == {"seats_unavailable": 2, "busy": 1}
    assert recorder.statuses() == {"no answer": 1, "409": 2, "503": 1}
    assert recorder.without_answer == 1
    assert recorder.requests == 4
    assert recorder.unexpected_count == recorder.server_failures == 0


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        (Operation.HOLD, 500, "internal_error"),
        (Operation.HOLD, 200, ""),
        (Operation.BOOK, 409, "seats_unavailable"),
        (Operation.REPLAY, 422, "idempotency_key_reused"),
        (Operation.LOOK, 401, "unauthorized"),
        (Operation.BOOK_TWICE, 201, ""),
        (Operation.WATCH, 404, "event_not_found"),
    ],
)
def test_answers_outside_of_the_contract_are_noted(operation: Operation, status: int, code: str) -> None:
    recorder = Recorder()
    recorder.record(operation, status, code, 0.1, "why")
    assert recorder.unexpected == [f"{operation.value}: {status} {code} why".replace("  ", " ")]
    assert recorder.server_failures == (1 if status >= 500 else 0)


def test_a_refusal_after_a_lost_answer_proves_nothing_but_a_server_error_does() -> None:
    recorder = Recorder()
    recorder.record(Operation.JOIN, 409, "already_waiting", 0.1, in_doubt=True)
    assert recorder.unexpected_count == 0
    recorder.record(Operation.JOIN, 500, "internal_error", 0.1, in_doubt=True)
    assert recorder.unexpected_count == 1


def test_all_that_is_unexpected_is_counted_and_some_of_it_named() -> None:
    recorder = Recorder()
    for _ in range(EXAMPLES_MAX + 5):
        recorder.note_unexpected("something")
    assert recorder.unexpected_count == EXAMPLES_MAX + 5
    assert len(recorder.unexpected) == EXAMPLES_MAX


def test_the_sale_is_counted_by_its_own_seconds() -> None:
    recorder = Recorder()
    recorder.record(Operation.ORGANISE, 201, "", 0.1)
    recorder.open_doors()
    for _ in range(3):
        recorder.record(Operation.HOLD, 201, "", 0.1)
    recorder.opened_at -= 2.0
    recorder.record(Operation.HOLD, 201, "", 0.1)
    recorder.record(Operation.HOLD, 409, "seats_unavailable", 0.1)
    assert recorder.peak("holds") == 3
    assert recorder.peak("requests") == 3
    assert recorder.until("requests", 1.0) == 3
    assert recorder.until("requests", 2.5) == 5
    assert recorder.peak("bookings") == 0
