"""Mails wait while others need the processors, and not for ever."""

from collections.abc import Iterator
from itertools import chain, repeat
from types import SimpleNamespace

import pytest

from overbookr.mail import duties
from overbookr.mail.duties import PUT_OFF_SECONDS_MAX

from .conftest import DutyMaker
from .sink import Sink
from .world import World

pytestmark = pytest.mark.anyio


def _tell_time(monkeypatch: pytest.MonkeyPatch, moments: Iterator[float]) -> None:
    """The duty's clock says these, one at each look: for its patience, at a round's beginning, before each letter."""
    monkeypatch.setattr(duties, "time", SimpleNamespace(monotonic=lambda: next(moments)))


async def test_a_busy_machine_sends_a_few_at_a_time(
    world: World, make_duty: DutyMaker, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.bookings(5)
    _tell_time(monkeypatch, chain([100.0, 100.0, 100.0, 100.09], repeat(100.1)))
    assert await make_duty(lines=4, is_busy=lambda: True).run_once() == 0, "the rest is not to follow at once"
    assert (len(sink.letters), sink.connections) == (2, 1)
    assert await world.pool.fetchval("select count(*) from mails where sent_at is null and attempts = 0") == 3


async def test_a_round_that_is_under_way_ends_when_the_machine_gets_busy(
    world: World, make_duty: DutyMaker, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.bookings(5)
    # Before the third letter the machine is looked at again.
    _tell_time(monkeypatch, chain([100.0, 100.0, 100.0, 100.9], repeat(101.0)))
    answers = [False, True]
    assert await make_duty(lines=1, is_busy=lambda: answers.pop(0)).run_once() == 0
    assert len(sink.letters) == 2
    assert answers == []


async def test_what_was_put_off_for_long_is_sent_whatever_else_is_going_on(
    world: World, make_duty: DutyMaker, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.bookings(5)
    await world.pool.execute(
        "update mails set next_attempt_at = clock_timestamp() - make_interval(secs => $1)", PUT_OFF_SECONDS_MAX
    )
    # Nor does it stop when the machine would be looked at again.
    _tell_time(monkeypatch, chain([100.0, 100.0, 100.0, 101.0, 101.5, 102.0, 102.5, 103.0, 103.5], repeat(103.9)))
    assert await make_duty(lines=1, is_busy=lambda: True).run_once() == 5
    assert len(sink.letters) == 5


async def test_how_busy_the_machine_is_is_asked_before_each_round(
    world: World, make_duty: DutyMaker, sink: Sink
) -> None:
    await world.bookings(2)
    answers = [True, False]
    duty = make_duty(is_busy=lambda: answers.pop(0))
    assert await duty.run_once() == 0
    left = 2 - len(sink.letters)
    assert await duty.run_once() == left
    assert answers == []
