"""Tries operations against each other and says what was wrong with any schedule of theirs."""

import random
from collections.abc import Mapping, Sequence

import msgspec

from proof.interleavings.exploration import Bound, Diverged, Explored, explore, wander
from proof.interleavings.scheduler import Choose, Course, Stuck
from proof.interleavings.stage import Played, SceneRefused, Theatre, serial_orders

_SCHEDULES_PER_AUDIT = 100
_TOLD_MAX = 3
# A product that is broken need not be shown to be in every schedule.
_BAD_SCHEDULES_MAX = 3


class Trial(msgspec.Struct):
    """What came of one set of operations in one scene. `schedules` are distinct and complete; `left` how many
    beginnings a bound left out; `waited` in how many a session had to wait for another; `violations` are told in full
    for the first few schedules."""

    names: tuple[str, ...]
    queue: bool
    schedules: int = 0
    steps: int = 0
    left: int = 0
    waited: int = 0
    unlawful: int = 0
    unserial: int = 0
    deadlocks: int = 0
    unmapped: int = 0
    failures: int = 0
    bad_schedules: int = 0
    serial_endings: int = 0
    violations: list[str] = []

    @property
    def name(self) -> str:
        return " x ".join(self.names) + (" with a queue" if self.queue else "")

    @property
    def complete(self) -> bool:
        return self.left == 0 and self.failures == 0

    @property
    def bad(self) -> int:
        """Schedules with anything wrong, and what could not be run."""
        return self.bad_schedules + self.failures


async def try_all(
    theatre: Theatre,
    names: tuple[str, ...],
    *,
    queue: bool,
    bound: Bound,
    chance: random.Random,
    until: str | None = None,
) -> Trial:
    """Every schedule of these operations within the bound. `until`: stop at the first with this wrong."""
    trial, plays = Trial(names, queue), _Plays(theatre, names, queue)
    explored = Explored()
    try:
        await plays.begin(trial)
        async for _ in explore(plays.run, bound, chance, explored, first=plays.first):
            await plays.judge(trial)
            if trial.bad_schedules >= _BAD_SCHEDULES_MAX if until is None else getattr(trial, until):
                explored.left += 1
                break
        await plays.judge(trial, last=True)
    except (Stuck, Diverged, SceneRefused) as error:
        plays.fail(trial, error)
    trial.left = explored.left
    return trial


async def try_some(
    theatre: Theatre, names: tuple[str, ...], *, queue: bool, schedules: int, chance: random.Random
) -> Trial:
    """As many schedules of these operations, chosen step by step by chance."""
    trial, plays = Trial(names, queue, left=1), _Plays(theatre, names, queue)
    try:
        await plays.begin(trial)
        for _ in range(schedules):
            await plays.run(wander(chance))
            await plays.judge(trial)
            if trial.bad_schedules >= _BAD_SCHEDULES_MAX:
                break
        await plays.judge(trial, last=True)
    except (Stuck, Diverged, SceneRefused) as error:
        plays.fail(trial, error)
    return trial


class _Plays:
    """What was played and not judged yet: laws are asked about many schedules at once."""

    def __init__(self, theatre: Theatre, names: tuple[str, ...], queue: bool) -> None:
        self._theatre = theatre
        self._names = names
        self._queue = queue
        self._serial: Mapping[tuple[int, ...], Played] = {}
        self._waiting: list[Played] = []
        self._seen: set[tuple[int, ...]] = set()

    async def begin(self, trial: Trial) -> None:
        """The operations one after the other, in every order: what all other schedules are compared with."""
        self._serial = await self._theatre.serial_endings(self._names, queue=self._queue)
        self._waiting += self._serial.values()
        trial.serial_endings = len({played.ending for played in self._serial.values()})

    @property
    def first(self) -> Course:
        return self._serial[tuple(range(len(self._names)))].course

    async def run(self, choose: Choose) -> Course:
        played = await self._theatre.play(self._names, queue=self._queue, choose=choose)
        self._waiting.append(played)
        return played.course

    async def judge(self, trial: Trial, *, last: bool = False) -> None:
        if len(self._waiting) < _SCHEDULES_PER_AUDIT and not last and not any(map(self._odd, self._waiting)):
            return
        await self._theatre.audit()
        for played in self._waiting:
            self._count(trial, played)
        self._waiting.clear()

    def fail(self, trial: Trial, error: Exception) -> None:
        trial.failures += 1
        trial.violations.append(f"{trial.name}: {error}")

    def _odd(self, played: Played) -> bool:
        return bool(played.deadlocks or played.unmapped) or not self._is_serial(played)

    def _is_serial(self, played: Played) -> bool:
        orders = serial_orders(played.course, len(self._names))
        return any(played.ending == self._serial[order].ending for order in orders)

    def _count(self, trial: Trial, played: Played) -> None:
        if played.course.choices in self._seen:
            return
        self._seen.add(played.course.choices)
        trial.schedules += 1
        trial.steps += len(played.course.steps)
        trial.waited += played.course.waited
        trial.unlawful += bool(played.broken)
        trial.unserial += not self._is_serial(played)
        trial.deadlocks += played.deadlocks
        trial.unmapped += len(played.unmapped)
        if not played.broken and not self._odd(played):
            return
        trial.bad_schedules += 1
        if len(trial.violations) < _TOLD_MAX:
            trial.violations.append(f"{trial.name}: {'; '.join(self._wrongs(played))} -- {self._schedule(played)}")

    def _wrongs(self, played: Played) -> list[str]:
        told = [f"law {law} is broken: {row}" for law, row in played.broken.items()]
        if played.deadlocks:
            told.append("deadlock")
        told += [f"SQLSTATE {state} is not mapped" for state in played.unmapped]
        if not self._is_serial(played):
            told.append(self._difference(played))
        return told

    def _difference(self, played: Played) -> str:
        for one in self._serial.values():
            if one.ending == played.ending:
                return "it came to what only an order against the clock comes to"
            if one.ending.answers == played.ending.answers:
                return f"the answers {played.ending.answers} leave other rows than in any order one after the other"
        return f"no order one after the other answers {played.ending.answers}"

    def _schedule(self, played: Played) -> str:
        return self._theatre.tell(played.course.steps, self._names)


def tally(trials: Sequence[Trial], what: str) -> int:
    return sum(int(getattr(trial, what)) for trial in trials)
