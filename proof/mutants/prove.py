"""The checks are checked: defects are put into the product one at a time, and each must be found.

A check that finds a defect says nothing unless it is silent without it, so all that is used here runs on an unharmed
copy of the product too. In the same way a mutant that does not run, or whose text is no longer there, is a violation.
"""

import asyncio
import importlib.util
import os
import shutil
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from proof.mutants.catalogue import MUTANTS
from proof.mutants.check import Verdict, run_check
from proof.mutants.mutant import Check, Mutant, MutantGone, Part, Tests, copy_sources, mutated
from proof.part import Circumstances, Finding

_SAMPLE = 3
_AT_ONCE = 2
_TESTS_PER_SESSION = 30


class Trial(msgspec.Struct, frozen=True):
    """What became of one mutant: a verdict a check, in the order of the checks."""

    mutant: Mutant
    checks: tuple[Check, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def is_caught(self) -> bool:
        return bool(self.verdicts) and all(verdict.state == "red" for verdict in self.verdicts)


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    fitting = [mutant for mutant in MUTANTS if _fits(mutant, finding)]
    finding.claim(
        "Every mutant's text is in the sources exactly once",
        len(fitting) == len(MUTANTS),
        f"{len(fitting)} of {len(MUTANTS)}",
    )
    chosen = _choose(given, fitting, finding)
    turns = asyncio.Semaphore(min(_AT_ONCE, os.cpu_count() or 1))
    began = time.monotonic()
    sound = await _run_unharmed(given, chosen, turns, finding)
    unharmed_seconds = time.monotonic() - began
    trials = await asyncio.gather(*(_try(given, mutant, checks, turns) for mutant, checks in chosen))
    _judge(finding, trials, sound)
    finding.figures |= {
        "mutants_defined": len(MUTANTS),
        "mutants_tried": len(trials),
        "mutants_caught": sum(trial.is_caught for trial in trials),
        "checks_run_on_mutants": sum(len(trial.verdicts) for trial in trials),
        "checks_unharmed_seconds": round(unharmed_seconds, 1),
        "checks_mutated_seconds": round(time.monotonic() - began - unharmed_seconds, 1),
        "mutants": [_figures_of(trial) for trial in trials],
    }
    return finding


def _fits(mutant: Mutant, finding: Finding) -> bool:
    try:
        mutated(mutant)
    except MutantGone as gone:
        finding.violations.append(str(gone))
        return False
    return True


def _choose(given: Circumstances, mutants: list[Mutant], finding: Finding) -> list[tuple[Mutant, tuple[Check, ...]]]:
    """All mutants with all their checks; at the small size a sample with the first check each."""
    if given.size == "full":
        missing = {
            check.name
            for mutant in mutants
            for check in mutant.caught_by
            if isinstance(check, Part) and importlib.util.find_spec(f"proof.{check.name}") is None
        }
        finding.untested += [f"the part {name}, which is not there" for name in sorted(missing)]
        return [
            (mutant, tuple(c for c in mutant.caught_by if not (isinstance(c, Part) and c.name in missing)))
            for mutant in mutants
        ]
    quick = [mutant for mutant in mutants if isinstance(mutant.caught_by[0], Tests)]
    sample = given.random("sample of mutants").sample(quick, min(_SAMPLE, len(quick)))
    finding.untested.append(f"{len(mutants) - len(sample)} of {len(mutants)} mutants, which the full size tries")
    return [(mutant, mutant.caught_by[:1]) for mutant in sample]


async def _run_unharmed(
    given: Circumstances,
    chosen: Sequence[tuple[Mutant, tuple[Check, ...]]],
    turns: asyncio.Semaphore,
    finding: Finding,
) -> set[str]:
    """The names of the tests and parts that are green without a mutant. Each runs once, however many mutants use it."""
    used = [check for _, checks in chosen for check in checks]
    names = list(dict.fromkeys(name for check in used if isinstance(check, Tests) for name in check.names))
    sessions: list[Check] = [
        Tests(tuple(names[start : start + _TESTS_PER_SESSION])) for start in range(0, len(names), _TESTS_PER_SESSION)
    ]
    sessions += dict.fromkeys(check for check in used if isinstance(check, Part))
    sound: set[str] = set()

    async def run(number: int, session: Check) -> None:
        folder = given.folder / f"unharmed-{number}"
        async with turns:
            witnesses = await asyncio.to_thread(copy_sources, folder, None)
            verdict = await run_check(session, folder, witnesses=witnesses, seed=given.seed)
        if verdict.state == "green":
            sound.update(session.names if isinstance(session, Tests) else [session.label])
            await asyncio.to_thread(shutil.rmtree, folder)
        else:
            failed = ", ".join(verdict.failed) or session.label
            finding.violations.append(f"without any mutant {verdict.state}: {failed}: {verdict.reason}")
        given.report(f"without a mutant: {verdict.state} in {verdict.seconds} s, {_count(session)}")

    await asyncio.gather(*(run(number, session) for number, session in enumerate(sessions)))
    finding.claim(
        "The checks that catch mutants are green without them",
        len(sound) == len(names) + sum(isinstance(session, Part) for session in sessions),
        f"{len(sound)} of {len(names) + sum(isinstance(session, Part) for session in sessions)}",
    )
    return sound


async def _try(given: Circumstances, mutant: Mutant, checks: tuple[Check, ...], turns: asyncio.Semaphore) -> Trial:
    folder = given.folder / mutant.name
    verdicts: list[Verdict] = []
    async with turns:
        witnesses = await asyncio.to_thread(copy_sources, folder, mutant)
        for check in checks:
            verdict = await run_check(check, folder, witnesses=witnesses, seed=given.seed, raises=mutant.raises)
            verdicts.append(verdict)
            said = "caught" if verdict.state == "red" else f"NOT CAUGHT ({verdict.state})"
            given.report(f"{mutant.name}: {said} by {check.label} in {verdict.seconds} s: {verdict.reason}")
    trial = Trial(mutant, checks, tuple(verdicts))
    if trial.is_caught:
        await asyncio.to_thread(shutil.rmtree, folder)
    return trial


def _judge(finding: Finding, trials: Sequence[Trial], sound: set[str]) -> None:
    for trial in trials:
        for check, verdict in zip(trial.checks, trial.verdicts, strict=True):
            if verdict.state == "green":
                finding.violations.append(f"{trial.mutant.name}: not caught by {check.label}")
            elif verdict.state == "broken":
                finding.violations.append(f"{trial.mutant.name}: proves nothing by {check.label}: {verdict.reason}")
        if not trial.checks:
            finding.violations.append(f"{trial.mutant.name}: there is no check for it")
    shown = [trial for trial in trials if trial.is_caught and _is_sound(trial, sound)]
    finding.claim(
        "Every mutant is caught, by each check that is named for it and for a test's reason",
        len(shown) == len(trials) and bool(trials),
        f"{len(shown)} of {len(trials)} mutants are caught, {sum(len(trial.checks) for trial in trials)} checks",
    )


def _is_sound(trial: Trial, sound: set[str]) -> bool:
    return all(set(check.names if isinstance(check, Tests) else [check.label]) <= sound for check in trial.checks)


def _figures_of(trial: Trial) -> dict[str, Any]:
    return {
        "name": trial.mutant.name,
        "breaks": trial.mutant.breaks,
        "files": sorted({edit.file for edit in trial.mutant.edits}),
        "caught": trial.is_caught,
        "caught_by": [check.label for check in trial.checks],
        "said": [verdict.reason for verdict in trial.verdicts],
        "seconds": round(sum(verdict.seconds for verdict in trial.verdicts), 1),
    }


def _count(session: Check) -> str:
    return f"{len(session.names)} tests" if isinstance(session, Tests) else session.label
