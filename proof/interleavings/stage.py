"""A database whose functions are stepped, with a start state for every schedule and a judgement after it."""

import itertools
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from overbookr.audit.store import AuditStore
from overbookr.database.migrate import migrate
from overbookr.database.pool import Pool, open_pool, session_settings
from overbookr.ids import new_id
from overbookr.main import FUNCTION_SOURCES
from proof.interleavings.instrument import Gates, Rewrite, instrument
from proof.interleavings.operations import build_scene, name_of, operations, scene_of
from proof.interleavings.scheduler import Choose, Course, Scheduler, Step, open_scheduler
from proof.interleavings.session import COMMIT
from tests.house.postgres import PostgresServer
from tests.house.stage import SHARE

_GATES: Final = (Path(__file__).parent / "gates.sql").read_text()
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(
    r"datetime\.datetime\([^()]*(?:\([^()]*\))?[^()]*\)|\d{4}-\d\d-\d\d[T ][0-9:.]+(?:\+00(?::00)?)?"
)
_SCHEDULES_PER_VACUUM: Final = 250
# SQLSTATEs that the product answers on purpose: a retry, "busy", or "outcome unknown".
_MAPPED: Final = ("53", "08", "40001", "40003", "55P03", "57014", "57P01", "57P02", "57P03")


class Ending(msgspec.Struct, frozen=True):
    """What a schedule came to: the answers in the order of the operations and every row, ids and times made plain."""

    answers: tuple[str, ...]
    rows: str


class Played(msgspec.Struct):
    """A schedule that was run. `broken`: once it was audited, the laws that do not hold after it, each with a row."""

    course: Course
    ending: Ending
    broken: dict[str, str] = {}

    @property
    def deadlocks(self) -> int:
        return self.course.sqlstates.count("40P01") + (self.course.all_blocked and "40P01" not in self.course.sqlstates)

    @property
    def unmapped(self) -> list[str]:
        return [state for state in self.course.sqlstates if state != "40P01" and not state.startswith(_MAPPED)]


class SceneRefused(Exception):
    """The product could not bring about the start state, so nothing could be tried."""


class Theatre:
    """Use `open_theatre`. `past` is a pool that sees how schedules ended instead of what is being played."""

    def __init__(self, scheduler: Scheduler, pool: Pool, past: Pool, gates: Gates) -> None:
        self.gates = gates
        self._scheduler = scheduler
        self._pool = pool
        self._past = past
        self._scenes: set[str] = set()
        self._played = 0
        self._unaudited: dict[UUID, Played] = {}

    async def play(self, names: Sequence[str], *, queue: bool, choose: Choose) -> Played:
        """Run these operations from their start state. Raises Stuck, SceneRefused. What laws say about it: `audit`."""
        await self._set(names, queue)
        course = await self._scheduler.run(operations(names, queue=queue), choose)
        event_id = new_id()
        told = await self._scheduler.control.fetchval("select proof.put_aside($1)", event_id)
        rows = json.loads(told)
        promoted = {
            row["booking_id"]: f"promotion of {row['entry_id']}" for row in rows["bookings"] or () if row["entry_id"]
        }
        answers = tuple(plain(repr(answer), promoted) for answer in course.answers)
        played = Played(course, Ending(answers, plain(json.dumps(rows, sort_keys=True), promoted)))
        self._unaudited[event_id] = played
        return played

    async def audit(self) -> None:
        """Ask every law, by the product's own audit, about all schedules played since this was last asked."""
        report = await AuditStore(self._past).check(SHARE, quiescent=True)
        if report.population["events"] != len(self._unaudited):
            raise AssertionError("the audit did not see every schedule")
        for law, rows in report.violations.items():
            for row in rows:
                self._unaudited[row["event_id"]].broken.setdefault(law, plain(str(row), {}))
        for event_id in report.event_ids:
            # The report has the first rows of each law only.
            if not self._unaudited[event_id].broken:
                self._unaudited[event_id].broken = {"as before": "its rows are beyond those that the audit names"}
        self._unaudited.clear()
        await self._scheduler.control.execute("select proof.forget_past()")

    async def serial_endings(self, names: Sequence[str], *, queue: bool) -> dict[tuple[int, ...], Played]:
        """By the order of the operations, what they come to one after the other."""
        return {
            order: await self.play(names, queue=queue, choose=_in_order(order))
            for order in itertools.permutations(range(len(names)))
        }

    def tell(self, steps: Sequence[Step], names: Sequence[str]) -> str:
        """A schedule as one line: who took how many steps, up to which statement."""
        told = []
        for who, group in itertools.groupby(steps, key=lambda step: step.who):
            block = list(group)
            last = "COMMIT" if block[-1].gate == COMMIT else self.gates.labels.get(block[-1].gate, "a call")
            told.append(f"{names[who]}#{who} x{len(block)} up to <{last}>{' (waits)' if block[-1].blocks else ''}")
        return "; ".join(told)

    async def _set(self, names: Sequence[str], queue: bool) -> None:
        scene = scene_of(names, queue=queue)
        control = self._scheduler.control
        if scene.name not in self._scenes:
            await control.execute("select proof.clear()")
            try:
                await build_scene(self._pool, scene)
            except Exception as error:
                raise SceneRefused(f"the scene {scene.name!r} could not be set: {error!r}") from error
            await control.execute("select proof.keep_scene($1)", scene.name)
            self._scenes.add(scene.name)
        await control.execute("select proof.set_scene($1)", scene.name)
        self._played += 1
        if self._played % _SCHEDULES_PER_VACUUM == 0:
            await control.execute(
                "vacuum events, seats, holds, waitlist_entries, bookings, booking_seats, seat_changes, mails"
            )


def serial_orders(course: Course, count: int) -> list[tuple[int, ...]]:
    """The orders that a schedule may have come to: whoever ended before another began comes before it."""
    first = {step.who: place for place, step in reversed(list(enumerate(course.steps)))}
    last = {step.who: place for place, step in enumerate(course.steps)}
    return [
        order
        for order in itertools.permutations(range(count))
        if all(last[late] >= first[early] for early, late in itertools.combinations(order, 2))
    ]


def plain(text: str, promoted: dict[str, str]) -> str:
    """Text with names in place of ids and without times. Ids that the database drew are called by what they are for."""

    def named(match: re.Match[str]) -> str:
        drawn = promoted.get(match[0])
        return _UUID.sub(named, drawn) if drawn else name_of(UUID(match[0])) or "an id"

    return _UUID.sub(named, _TIME.sub("a time", text))


def _in_order(order: Sequence[int]) -> Choose:
    def choose(steps: list[Step], enabled: tuple[int, ...]) -> tuple[int, int | None]:
        return next(who for who in order if who in enabled), None

    return choose


@asynccontextmanager
async def open_theatre(server: PostgresServer, *, rewrite: Rewrite | None = None) -> AsyncIterator[Theatre]:
    """A database of its own on this server; `rewrite` breaks functions on purpose, as for `instrument`."""
    dsn = server.create_database()
    try:
        await migrate(dsn, FUNCTION_SOURCES)
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_GATES)
            gates = await instrument(connection, rewrite=rewrite)
        finally:
            await connection.close()
        scheduler = await open_scheduler(dsn, gates.stepped)
        await scheduler.control.execute("set session_replication_role = replica")
        pool = await open_pool(dsn, size=2, application_name="proof", write=True)
        past = await asyncpg.create_pool(
            dsn, min_size=1, max_size=1, server_settings=session_settings(write=False) | {"search_path": "past"}
        )
        try:
            yield Theatre(scheduler, pool, past, gates)
        finally:
            past.terminate()
            pool.terminate()
            await scheduler.close()
    finally:
        server.drop_database(dsn)
