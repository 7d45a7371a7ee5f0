"""Interleavings: the nine operations against each other, one statement at a time, in every order that locks allow."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from proof.interleavings.controls import CONTROLS, Control, try_control
from proof.interleavings.exploration import Bound
from proof.interleavings.instrument import NotUnderstood
from proof.interleavings.operations import AUDIT, NAMES
from proof.interleavings.stage import Theatre, open_theatre
from proof.interleavings.trial import Trial, tally, try_all, try_some
from proof.part import Circumstances, Finding
from tests.house.postgres import PostgresServer, debian_server, embedded_server_18

_DEBIAN_15: Final = Path("/usr/lib/postgresql/15/bin")
# Schedules are a conversation between processes: a second one fills the pauses of the first.
_THEATRES: Final = 2
_TOLD_MAX: Final = 20
# When this many pairs or triples have shown something wrong, the rest is left.
_BAD_TRIALS_MAX: Final = 6

Job = Callable[[Theatre], Awaitable[Trial]]


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    versions = ["18"]
    if given.size == "full":
        if (_DEBIAN_15 / "postgres").exists():
            versions.append("15")
        else:
            finding.untested.append("PostgreSQL 15: it is not installed here")
    else:
        finding.untested.append("PostgreSQL 15: at size full only")
    for version in versions:
        async with _running(version, given.folder) as server:
            await _prove_on(server, given, finding)
    return finding


async def _prove_on(server: PostgresServer, given: Circumstances, finding: Finding) -> None:
    bound = pair_bound(given, server.version)
    pairs = list(itertools.combinations_with_replacement(NAMES, 2))
    pair_jobs = [_pair_job(names, queue, bound, given) for names in pairs for queue in (False, True)]
    given.report(f"PostgreSQL {server.version}: {len(pairs)} pairs in two scenes, {_told(bound)}")
    tried = await _perform(server, pair_jobs, given)
    _claim_pairs(finding, server.version, tried, bound, len(pair_jobs))
    if tally(tried, "bad"):
        finding.untested.append("audits between statements, triples and controls: the pairs are broken already")
        return

    given.report(f"PostgreSQL {server.version}: the audit between any two statements")
    bound = Bound() if given.size == "full" else Bound(schedules=6)
    # What is to be reconciled is broken until it is.
    observed = [name for name in NAMES if name != "reconcile"]
    audit_jobs = [_pair_job((name, AUDIT), True, bound, given) for name in observed]
    _claim_audits(finding, server.version, await _perform(server, audit_jobs, given), len(audit_jobs))

    given.report(f"PostgreSQL {server.version}: triples by chance")
    tried = await _perform(server, _triple_jobs(given, server.version), given)
    _claim_triples(finding, server.version, tried)

    for control in CONTROLS:
        await _prove_control(server, control, given, finding)


def pair_bound(given: Circumstances, version: str) -> Bound:
    if given.size == "small":
        return Bound(preemptions=2, schedules=5)
    return Bound(schedules=1500) if version == "18" else Bound(preemptions=1)


def _pair_job(names: tuple[str, ...], queue: bool, bound: Bound, given: Circumstances) -> Job:
    chance = given.random(f"pair {names} {queue}")
    return lambda theatre: try_all(theatre, names, queue=queue, bound=bound, chance=chance)


def _triple_jobs(given: Circumstances, version: str) -> list[Job]:
    triples = list(itertools.combinations_with_replacement(NAMES, 3))
    scenes = [(names, queue) for names in triples for queue in (False, True)]
    chance = given.random("triples")
    every = given.size == "full" and version == "18"
    chosen = scenes if every else chance.sample(scenes, given.pick(small=6, full=40))
    schedules = given.pick(small=4, full=7)

    def job(names: tuple[str, ...], queue: bool, chance: random.Random) -> Job:
        return lambda theatre: try_some(theatre, names, queue=queue, schedules=schedules, chance=chance)

    return [job(names, queue, given.random(f"triple {names} {queue}")) for names, queue in chosen]


async def _perform(server: PostgresServer, jobs: list[Job], given: Circumstances) -> list[Trial]:
    """The jobs' trials in their order; each theatre takes the next job when it is done with one."""
    trials: dict[int, Trial] = {}
    queue = iter(enumerate(jobs))

    def given_up() -> bool:
        return sum(trial.bad > 0 for trial in trials.values()) >= _BAD_TRIALS_MAX

    async def work() -> None:
        while not given_up() and (job := next(queue, None)) is not None:
            async with open_theatre(server) as theatre:
                while job is not None:
                    trials[job[0]] = trial = await job[1](theatre)
                    if given.size == "full" and len(trials) % 20 == 0:
                        done = tally(list(trials.values()), "schedules")
                        given.report(f"{len(trials)} of {len(jobs)}: {done:,} schedules")
                    # What did not run to its end may stand in the way of what comes after.
                    job = None if trial.failures or given_up() else next(queue, None)

    async with asyncio.TaskGroup() as group:
        for _ in range(_THEATRES):
            group.create_task(work())
    return [trials[place] for place in sorted(trials)]


def _claim_pairs(finding: Finding, version: str, trials: list[Trial], bound: Bound, wanted: int) -> None:
    complete = sum(trial.complete for trial in trials)
    schedules = tally(trials, "schedules")
    of = f"of {schedules:,} schedules of {wanted // 2} pairs in two scenes, PostgreSQL {version}"
    _claim_outcomes(finding, trials, of, "pairs")
    waited = sum(trial.waited > 0 for trial in trials)
    finding.claim(
        "In each pair and scene one operation was made to wait for the other",
        waited == len(trials) == wanted,
        f"{waited} of {wanted}, in {tally(trials, 'waited'):,} of {schedules:,} schedules, PostgreSQL {version}",
    )
    if complete == wanted:
        finding.claim("Every interleaving of every pair was run", True, f"{complete} of {wanted} pairs and scenes")
    else:
        finding.untested.append(
            f"PostgreSQL {version}: {_told(bound)}; {complete} of {wanted} pairs and scenes are complete all the same, "
            f"the others left {tally(trials, 'left'):,} beginnings of schedules out"
        )
    finding.figures |= {
        f"pg{version}_pairs": wanted // 2,
        f"pg{version}_pair_scenes": len(trials),
        f"pg{version}_pair_scenes_complete": complete,
        f"pg{version}_pair_schedules": schedules,
        f"pg{version}_pair_steps": tally(trials, "steps"),
        f"pg{version}_pair_schedules_with_a_wait": tally(trials, "waited"),
        f"pg{version}_pair_schedules_most": max((trial.schedules for trial in trials), default=0),
        f"pg{version}_pair_schedules_least": min((trial.schedules for trial in trials), default=0),
        f"pg{version}_pair_scenes_where_order_matters": sum(trial.serial_endings > 1 for trial in trials),
        f"pg{version}_pair_bound": _told(bound),
    }


def _claim_triples(finding: Finding, version: str, trials: list[Trial]) -> None:
    schedules = tally(trials, "schedules")
    of = f"of {schedules:,} schedules of {len(trials)} triples by chance, PostgreSQL {version}"
    _claim_outcomes(finding, trials, of, "triples")
    finding.figures |= {
        f"pg{version}_triple_scenes": len(trials),
        f"pg{version}_triple_schedules": schedules,
        f"pg{version}_triple_steps": tally(trials, "steps"),
    }


def _claim_audits(finding: Finding, version: str, trials: list[Trial], wanted: int) -> None:
    schedules, bad = tally(trials, "schedules"), tally(trials, "bad")
    finding.claim(
        "An audit taken between any two statements of an operation finds every law kept, and neither waits",
        bad == 0 and tally(trials, "waited") == 0 and len(trials) == wanted,
        f"{bad} broken and {tally(trials, 'waited')} waiting of {schedules:,} schedules of {wanted} operations, "
        f"PostgreSQL {version}",
    )
    _tell(finding, "audits", trials)
    finding.figures |= {
        f"pg{version}_audit_operations": wanted,
        f"pg{version}_audit_operations_complete": sum(trial.complete for trial in trials),
        f"pg{version}_audit_schedules": schedules,
    }


def _claim_outcomes(finding: Finding, trials: list[Trial], of: str, what: str) -> None:
    failures = tally(trials, "failures")
    for says, count in (
        (f"No interleaving of {what} breaks a law of the audit", "unlawful"),
        (f"Every interleaving of {what} answers and leaves what some order one after the other does", "unserial"),
        (f"No interleaving of {what} is a deadlock", "deadlocks"),
        (f"No interleaving of {what} meets a SQLSTATE that the product has no answer to", "unmapped"),
    ):
        bad = tally(trials, count)
        finding.claim(says, bad == 0 and failures == 0, f"{bad} {of}" + (f"; {failures} not run" if failures else ""))
    _tell(finding, what, trials)


def _tell(finding: Finding, what: str, trials: list[Trial]) -> None:
    told = [line for trial in trials for line in trial.violations]
    finding.violations += told[:_TOLD_MAX]
    if len(told) > _TOLD_MAX:
        finding.violations.append(f"{what}: and {len(told) - _TOLD_MAX} more")


async def _prove_control(server: PostgresServer, control: Control, given: Circumstances, finding: Finding) -> None:
    try:
        trials = await try_control(server, control, given)
    except NotUnderstood as error:
        finding.violations.append(f"the control {control.says!r} could not be set up: {error}")
        return
    caught = [trial for trial in trials if getattr(trial, control.pairs[trial.names[0], trial.names[1]])]
    missed = ", ".join(trial.name for trial in trials if trial not in caught)
    finding.claim(
        control.says,
        len(caught) == len(trials),
        f"{len(caught)} of {len(trials)} pairs, after at most {max(trial.schedules for trial in trials)} schedules, "
        f"PostgreSQL {server.version}" + (f"; not in {missed}" if missed else ""),
    )


def _told(bound: Bound) -> str:
    limits = []
    if bound.preemptions is not None:
        limits.append(f"at most {bound.preemptions} preemptions a schedule")
    if bound.schedules is not None:
        limits.append(f"at most {bound.schedules:,} schedules a pair and scene, drawn by the seed")
    return ", ".join(limits) or "every interleaving"


@asynccontextmanager
async def _running(version: str, folder: Path) -> AsyncIterator[PostgresServer]:
    manager = embedded_server_18(folder) if version == "18" else debian_server(_DEBIAN_15, folder)
    # Both wait for the server in an event loop of their own, which cannot be in this thread.
    server = await asyncio.to_thread(manager.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
