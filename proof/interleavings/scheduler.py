"""Lets one session at a time go on by a number of steps, and knows where all of them stand before the next."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import msgspec

from overbookr.database.pool import Pool
from proof.interleavings.session import RawConnection, Session, open_session

Operation = Callable[[Pool], Awaitable[Any]]

_SECONDS_MAX = 20.0
# Long enough for a step, so that those which are not blocked are rarely asked about; nothing depends on it.
_LOOK_SECONDS = 0.002


class Stuck(Exception):
    """A session neither came to its next gate nor ended, and waits for none of the others."""


class Step(msgspec.Struct, frozen=True):
    """Session `who` (from 0) passed `gate`; any of `enabled` could have been chosen. `blocks`: it had to wait."""

    who: int
    gate: int
    enabled: tuple[int, ...]
    blocks: bool = False


class Course(msgspec.Struct):
    """A complete schedule that was run: its steps, what each session answered (or raised), and all SQLSTATEs met."""

    steps: list[Step]
    answers: list[Any]
    sqlstates: list[str]
    all_blocked: bool = False

    @property
    def choices(self) -> tuple[int, ...]:
        return tuple(step.who for step in self.steps)

    @property
    def waited(self) -> bool:
        return any(step.blocks for step in self.steps)


# Given the steps so far and who can go on: whom to let on, and by how many steps (None: until it ends or is blocked).
Choose = Callable[[list[Step], tuple[int, ...]], tuple[int, int | None]]


class Scheduler:
    """Needs a connection of its own for the gates' locks. Use `open_scheduler`."""

    def __init__(self, control: RawConnection, sessions: Sequence[Session]) -> None:
        self.control = control
        self.sessions = sessions
        self._moved = asyncio.Event()
        self._turn = asyncio.Lock()
        for session in sessions:
            session.moved = self._moved.set
            session.stop_next = self._stop_next

    async def run(self, operations: Sequence[Operation], choose: Choose) -> Course:
        """Run one operation a session until all have ended. Raises Stuck."""
        sessions = self.sessions[: len(operations)]
        for session, operation in zip(sessions, operations, strict=True):
            await self._stop_next(session)
            session.begin(operation)
        course = Course([], [], [])
        blocked = await self._stand(sessions, course, set())
        while enabled := tuple(i for i, one in enumerate(sessions) if not one.finished and i not in blocked):
            who, count = choose(course.steps, enabled)
            session = sessions[who]
            seen = len(session.gates)
            await self._let_on(session, count)
            blocked = await self._stand(sessions, course, blocked)
            # It stands at the last gate it came to, unless it has ended or is blocked behind that gate.
            passed = session.gates[seen - 1 : len(session.gates) - (session.waits)]
            steps = [Step(who, gate, enabled) for gate in passed]
            if who in blocked and not session.waits:
                steps[-1] = msgspec.structs.replace(steps[-1], blocks=True)
            course.steps += steps
        for session in sessions:
            assert session.task is not None
            error = session.task.exception()
            course.answers.append(error if error is not None else session.task.result())
            course.sqlstates += session.sqlstates
        return course

    async def _let_on(self, session: Session, count: int | None) -> None:
        here, session.stop_at = session.stop_at, None if count is None else session.count + count
        async with self._turn:
            if session.stop_at is None:
                await self.control.execute("select pg_advisory_unlock($1, $2)", session.number, here)
            else:
                await self.control.execute(
                    "select pg_advisory_lock($1, $2), pg_advisory_unlock($1, $3)", session.number, session.stop_at, here
                )

    async def _stop_next(self, session: Session) -> None:
        """Make the session stop at the next gate it comes to. It must not be on its way there."""
        before, session.stop_at = session.stop_at, session.count + 1
        if before != session.stop_at:
            async with self._turn:
                await self.control.execute("select pg_advisory_lock($1, $2)", session.number, session.stop_at)
                if before is not None:
                    await self.control.execute("select pg_advisory_unlock($1, $2)", session.number, before)

    async def _stand(self, sessions: Sequence[Session], course: Course, were_blocked: set[int]) -> set[int]:
        """Wait until every session has ended, waits at its gate or is blocked by another; which ones are blocked."""
        deadline = time.monotonic() + _SECONDS_MAX
        while True:
            self._moved.clear()
            open_ones = {i for i, one in enumerate(sessions) if not one.finished and not one.waits}
            if not open_ones:
                return set()
            if not open_ones <= were_blocked and await self._moves():
                continue
            # All others stood before this question was asked, so nothing frees whom it finds blocked.
            if open_ones == await self._blocked(sessions, open_ones):
                if any(one.waits for one in sessions):
                    break
                # Each waits for another: PostgreSQL will end one of them.
                course.all_blocked = True
                were_blocked = set()
            elif open_ones <= were_blocked:
                were_blocked = set()
            if time.monotonic() > deadline:
                raise Stuck(", ".join(f"session {one.number} at gate {one.count}" for one in sessions))
        for i in open_ones:
            await self._stop_next(sessions[i])
        return open_ones

    async def _moves(self) -> bool:
        try:
            await asyncio.wait_for(self._moved.wait(), _LOOK_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _blocked(self, sessions: Sequence[Session], suspects: set[int]) -> set[int]:
        async with self._turn:
            rows = await self.control.fetch(
                "select pid from unnest($1::integer[]) pid where pg_blocking_pids(pid) && $2::integer[]",
                [sessions[i].pid for i in suspects], [session.pid for session in sessions],
            )  # fmt: skip
        found = {row["pid"] for row in rows}
        return {i for i in suspects if sessions[i].pid in found and not sessions[i].finished and not sessions[i].waits}

    async def close(self) -> None:
        for session in self.sessions:
            if session.task is not None and not session.task.done():
                session.task.cancel()
            session.connection.terminate()
        await self.control.close(timeout=5)


async def open_scheduler(dsn: str, stepped: frozenset[str], *, sessions: int = 3) -> Scheduler:
    """`sessions`: how many operations can be stepped at once, at most three."""
    control = await asyncpg.connect(dsn, server_settings={"application_name": "scheduler", "timezone": "UTC"})
    return Scheduler(control, [await open_session(dsn, number, stepped) for number in range(1, sessions + 1)])
