"""Background duties: small agents with one life cycle.

A duty does one bounded piece of work a call and is safe to run in two processes at once; the runner decides when.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

PATIENCE_SECONDS_MAX = 60.0
# Two processes started together should not knock at the same instant for ever, and a start is busy enough without the
# rare and heavy duties; but what these have to say shall not be missing for long.
FIRST_WAIT_SECONDS_MAX = 10.0
_DOUBLINGS_MAX = 10  # enough for the longest patience, and few enough for a float


class Duty(Protocol):
    """`run_once` returns how much it did; more than nothing means that more may be due, so it runs again at once."""

    name: str
    period_seconds: float

    async def run_once(self) -> int: ...


class DutyRunner:
    """Runs duties until stopped. A failure is logged and tried again after the period, with growing patience."""

    def __init__(self, duties: list[Duty], *, report: Callable[[str, int], None] | None = None) -> None:
        self._duties = duties
        self._report = report
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run(duty), name=f"duty {duty.name}") for duty in self._duties]

    async def stop(self) -> None:
        """Let every duty finish the piece it is at, then return."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _run(self, duty: Duty) -> None:
        failures = 0
        wait = random.uniform(0, min(duty.period_seconds, FIRST_WAIT_SECONDS_MAX))
        while not await self._stopped_within(wait):
            try:
                done = await duty.run_once()
                if self._report is not None and done:
                    self._report(duty.name, done)
                failures = 0
                wait = 0.0 if done > 0 else duty.period_seconds
            except Exception:
                failures += 1
                wait = min(duty.period_seconds * 2 ** min(failures, _DOUBLINGS_MAX), PATIENCE_SECONDS_MAX)
                log.exception("duty_failed", duty=duty.name, failures=failures, retry_in_seconds=wait)

    async def _stopped_within(self, seconds: float) -> bool:
        # wait_for gives a wait of no time no chance to see that the event is set.
        if self._stopping.is_set():
            return True
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True
