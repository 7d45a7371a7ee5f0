"""The HTTP interface beside a model of it in plain Python: random walks through everything that can be asked."""

import asyncio
import tempfile
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture import engine
from hypothesis.reporting import with_reporter
from hypothesis.stateful import run_state_machine_as_test

from proof.house import House, open_house
from proof.model.comparison import HOLD_SEATS_MAX, SHARE, Comparison, Person
from proof.model.machine import HouseMachine
from proof.model.wire import Wire
from proof.part import Circumstances, Finding
from tests.house import model
from tests.house.postgres import fast_folder
from tests.house.serving import Served
from tests.house.world import open_world

SHRINKING_SECONDS_MAX: Final = 10
REQUESTS_TOLD_MAX: Final = 12


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    # Durability is not what is looked at here, so the database may live in memory.
    with tempfile.TemporaryDirectory(prefix="overbookr-proof-model-", dir=fast_folder()) as folder:
        # The duties would settle events at moments that no model can know; their statement is a step instead.
        async with open_house(
            Path(folder),
            OVERBOOKR_DUTIES="off",
            OVERBOOKR_USER_MAX_SEATS_PER_EVENT=str(SHARE),
            OVERBOOKR_HOLD_MAX_SEATS=str(HOLD_SEATS_MAX),
            OVERBOOKR_HOLD_TTL_SECONDS="86400",
        ) as house:
            await _walk_beside(given, house, finding)
            (given.folder / "serve.log").write_text(house.logs)
    finding.untested += [
        "model: several requests at once (the parts on histories and interleavings do that)",
        "model: the background duties' own clock; their statement is one of the steps",
    ]
    return finding


async def _walk_beside(given: Circumstances, house: House, finding: Finding) -> None:
    examples, steps = given.pick(small=14, full=2_000), given.pick(small=30, full=50)
    seconds, batch_max = given.pick(small=120, full=900), given.pick(small=10, full=100)
    dice = given.random("examples")
    async with compare(replace(house.instances[0], dsn=house.dsn)) as (comparison, people):
        began = time.monotonic()
        left = examples
        while left > 0 and time.monotonic() - began < seconds and not finding.violations:
            batch = min(left, batch_max)
            finding.violations += await asyncio.to_thread(walk, comparison, people, dice.randrange(2**32), batch, steps)
            left -= batch
            given.report(f"{comparison.examples} examples, {comparison.steps} steps, {time.monotonic() - began:.0f} s")
        _tell(comparison, finding, time.monotonic() - began)


@asynccontextmanager
async def compare(served: Served) -> AsyncIterator[tuple[Comparison, list[Person]]]:
    """A served application whose events nobody else needs, ready to be compared, and the people of every example."""
    async with open_world(served) as world:
        organiser = await world.admin()
        people = [Person(str(one.id), one.token) for one in await world.users(4)]
        # One statement with all laws takes longer to plan than to run.
        plan_once = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
        auditor = await asyncpg.connect(served.dsn, server_settings=plan_once)
        wire = Wire(served.url)
        try:
            yield Comparison(wire, world, auditor, organiser.token), people
        finally:
            wire.close()
            await auditor.close()


def walk(comparison: Comparison, people: list[Person], number: int, examples: int, steps: int) -> list[str]:
    """So many examples of the machine; what failed, with the way there as Hypothesis prints it."""
    machine = type("HouseMachine", (HouseMachine,), {"comparison": comparison, "base": people})
    # A broken house is found at once; minutes of shrinking would say little more.
    engine.MAX_SHRINKING_SECONDS = SHRINKING_SECONDS_MAX
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, database=None, deadline=None, print_blob=True,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    lines: list[object] = []
    with with_reporter(lines.append):
        try:
            run_state_machine_as_test(seed(number)(machine), settings=chosen)
        except Exception as error:
            return [_replay(number, error, lines, comparison.wire.journal)]
    return []


def _replay(number: int, error: Exception, lines: list[object], journal: list[str]) -> str:
    """The steps that lead there, as Hypothesis prints them, and the requests of the last of them."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    steps = [*map(str, lines), *getattr(error, "__notes__", [])]
    where = f"{type(error).__name__} in {place.name}, line {place.lineno}: {error}"
    return "\n".join(
        [f"examples of seed {number}: {where}", *steps, "The last requests:", *journal[-REQUESTS_TOLD_MAX:]]
    )


def _tell(comparison: Comparison, finding: Finding, seconds: float) -> None:
    source = Path(model.__file__).read_text()
    lines = sum(1 for line in source.splitlines() if line.strip() and not line.strip().startswith("#"))
    broken = bool(finding.violations)
    finding.claim(
        "Every answer of the HTTP interface has the status, the code and the content that the model predicts",
        not broken,
        f"{comparison.steps:,} steps in {comparison.examples:,} examples, {comparison.wire.requests:,} requests",
    )
    finding.claim(
        "After every step the map, the queue, the counts, the bookings and all laws of the house are as they should be",
        not broken and comparison.laws_asked > 0,
        f"{comparison.laws_asked:,} questions to the laws",
    )
    finding.claim(
        "The walks met promotions, lapsed holds, replayed keys and at least 25 kinds of answers",
        len(comparison.seen) >= 25 and comparison.promotions > 0 and comparison.replays > 0 and comparison.lapses > 0,
        f"{len(comparison.seen)} kinds, {comparison.promotions:,} promotions, {comparison.lapses:,} lapsed holds, "
        f"{comparison.replays:,} replayed answers",
    )
    finding.figures |= {
        "examples": comparison.examples,
        "steps": comparison.steps,
        "requests": comparison.wire.requests,
        "law_questions": comparison.laws_asked,
        "promotions": comparison.promotions,
        "lapsed_holds": comparison.lapses,
        "replayed_answers": comparison.replays,
        "walk_seconds": round(seconds, 1),
        "model_lines": lines,
        **{f"answers_{what}": count for what, count in sorted(comparison.seen.items())},
    }
