"""Duties: when they run again, what a failure does, and how they stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog

from overbookr.duty import DutyRunner

pytestmark = pytest.mark.anyio


class Counted:
    """A duty that counts its runs and does what `work` says, given the number of the run."""

    name = "counted"

    def __init__(self, work: Callable[[int], int], *, period_seconds: float = 0.0) -> None:
        self.period_seconds = period_seconds
        self.began_at: list[float] = []
        self._work = work
        self._changed = asyncio.Condition()

    @property
    def runs(self) -> int:
        return len(self.began_at)

    async def run_once(self) -> int:
        self.began_at.append(asyncio.get_running_loop().time())
        async with self._changed:
            self._changed.notify_all()
        return self._work(self.runs)

    async def ran(self, runs: int) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.runs >= runs), 5)


@asynccontextmanager
async def running(*duties: Counted) -> AsyncIterator[DutyRunner]:
    runner = DutyRunner(list(duties))
    runner.start()
    yield runner
    await asyncio.wait_for(runner.stop(), 5)


def fail(run: int) -> int:
    raise RuntimeError(f"run {run}")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Tracebacks of failures that are meant would fill the report."""
    before = structlog.get_config()
    structlog.configure(processors=[structlog.testing.LogCapture()])
    yield
    structlog.configure(**before)


async def test_a_duty_that_did_something_runs_again_at_once_and_otherwise_waits_for_its_period() -> None:
    def work(run: int) -> int:
        # The first run comes within a period, the others as what was done says.
        duty.period_seconds = 3600
        return 1 if run < 4 else 0

    duty = Counted(work)
    async with running(duty):
        # Three runs had more to do, and none waited.
        await duty.ran(4)
        await asyncio.sleep(0.3)
        assert duty.runs == 4, "the fourth did nothing, so the fifth is not due yet"


async def test_a_failure_is_tried_again_and_harms_no_other_duty() -> None:
    failing = Counted(lambda run: fail(run) if run <= 3 else 0)
    sound = Counted(lambda run: 0)
    async with running(failing, sound):
        await failing.ran(6)
        await sound.ran(3)


async def test_failures_make_it_more_patient() -> None:
    duty = Counted(fail, period_seconds=0.02)
    async with running(duty):
        await duty.ran(5)
    # After four failures the wait is 16 periods.
    assert duty.began_at[4] - duty.began_at[3] > 15 * 0.02


async def test_it_never_gives_up() -> None:
    """A day without a database is a thousand failures and more."""
    duty = Counted(fail)
    async with running(duty):
        await duty.ran(1_100)


async def test_stopping_lets_a_run_finish() -> None:
    done = []
    inside, leave = asyncio.Event(), asyncio.Event()

    class Long:
        name = "long"
        period_seconds = 0.0

        async def run_once(self) -> int:
            inside.set()
            await leave.wait()
            done.append(True)
            return 0

    runner = DutyRunner([Long()])
    runner.start()
    await asyncio.wait_for(inside.wait(), 5)
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0.02)
    assert not stopping.done()
    leave.set()
    await asyncio.wait_for(stopping, 1)
    assert done == [True]


async def test_stopping_does_not_wait_for_a_duty_that_always_finds_more_to_do() -> None:
    duty = Counted(lambda run: 1)
    runner = DutyRunner([duty])
    runner.start()
    await duty.ran(3)
    stopping = asyncio.create_task(runner.stop())
    finished, _ = await asyncio.wait([stopping], timeout=1)
    duty._work = lambda run: 0
    assert finished, "a duty that is never idle cannot be stopped"


async def test_stopping_interrupts_a_long_wait() -> None:
    duty = Counted(lambda run: 0, period_seconds=3600)
    async with running(duty) as runner:
        await asyncio.sleep(0)
        await asyncio.wait_for(runner.stop(), 1)
