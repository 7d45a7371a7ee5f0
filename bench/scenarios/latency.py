"""How long a hold takes: alone, and at half of what can be served, counted from the moment at which it was due.

Beside it, how long one row takes to be committed durably by one connection that does nothing else: the least that any
answer to a hold has to wait for. Once on a machine that has nothing else to do, and once while holds come at that half.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from asyncpg import Record
from asyncpg.prepared_stmt import PreparedStatement

from bench.figures import MILLISECONDS
from bench.run import Bench
from bench.serving import Served
from bench.stage import QUERIES, Builder, Stage
from overbookr.demo.percentile import percentile
from proof.overload.arrivals import CrowdProcess, Phase, start_crowd
from proof.overload.tally import Tally
from proof.overload.venue import open_venue, save
from proof.processes import seconds_by_group

COMMIT: Final = "one row committed by asyncpg"
COMMIT_MEANWHILE: Final = "one row committed by asyncpg, while holds come at half of the full rate"
LONE_HOLD: Final = "a lone hold"
HOLD_AT_HALF: Final = "a hold at half of that rate, from when it was due"
_EVENTS: Final = 20
# Ten thousand seats for each second, more than are sold; and what is needed anyway.
_SEATS_OF_EVENT_PER_SECOND: Final = 500
_SEATS_OF_EVENT_MIN: Final = 2_000
_CONNECTIONS: Final = 128
# What is sent when it is due finds a connection free, unless nothing is answered for a fifth of a second; with as few
# as saturate the server, a pause of some milliseconds would keep requests from being sent at all.
_CONNECTIONS_WHEN_DUE: Final = 768
_HALF: Final = 0.5
_WARM_UP_SECONDS: Final = 1
_COMMITS_DATABASE: Final = "commits"
# So few that they take nothing from the holds that they are measured beside.
_COMMITS_PER_SECOND_MEANWHILE: Final = 50


def build_venue(seconds: int) -> Builder:
    async def build(stage: Stage, template: str) -> list[UUID]:
        seats = max(_SEATS_OF_EVENT_MIN, seconds * _SEATS_OF_EVENT_PER_SECOND)
        venue = await open_venue(stage.dsn(template), stage.secret, events=_EVENTS, seats_of_event=seats)
        save(venue, stage.folder / "venue.json")
        return venue.event_ids

    return build


async def measure_latency(bench: Bench) -> None:
    took = await _commit_rows(bench)
    _add(bench, COMMIT, "commits", {"done": len(took)}, percentile(took, 50), percentile(took, 99))
    async with bench.serving("venue") as served, start_crowd(served.port, bench.stage.folder / "venue.json") as crowd:
        await _run(crowd, served, Phase("warm_up", _WARM_UP_SECONDS, _CONNECTIONS, books=False))
        lone, spent = await _run(crowd, served, Phase("lone", bench.seconds, 1, books=False))
        results = [(LONE_HOLD, lone, spent)]
        full, spent = await _run(crowd, served, Phase("full", bench.seconds, _CONNECTIONS, books=False))
        rate = full.holds / full.seconds
        saturated = _repetition(full, spent) | {"value": rate}
        half = Phase("half", bench.seconds, _CONNECTIONS_WHEN_DUE, rate * _HALF, len(bench.start_seconds), books=False)
        async with _committing(bench) as meanwhile:
            results.append((HOLD_AT_HALF, *await _run(crowd, served, half)))
    p50, p99 = percentile(meanwhile, 50), percentile(meanwhile, 99)
    _add(bench, COMMIT_MEANWHILE, "commits", {"done": len(meanwhile)}, p50, p99)
    audited = await bench.audited(saturated)
    bench.add("latency", "holds by the generator of arrivals, full rate", "20 events", "holds", audited)
    for name, tally, spent in results:
        repetition = _repetition(tally, spent)
        repetition["failed"] = [*repetition["failed"], *audited["failed"]]
        if tally.unsent:
            repetition["failed"].append(f"{tally.unsent} requests could not be sent when they were due")
        _add(bench, name, "holds", repetition, tally.hold_p50_ms, tally.hold_p99_ms)


async def _commit_rows(bench: Bench) -> list[float]:
    """Milliseconds of each commit of one row, one after the other."""
    took = []
    async with bench.stage.connect("postgres") as connection:
        await connection.execute(f"drop database if exists {_COMMITS_DATABASE}")
        await connection.execute(f"create database {_COMMITS_DATABASE}")
    async with bench.stage.connect(_COMMITS_DATABASE) as connection:
        await connection.execute(QUERIES.create_commits)
        statement = await connection.prepare(QUERIES.commit_row)
        started = time.perf_counter()
        number = 0
        while time.perf_counter() < started + bench.seconds:
            number += 1
            took.append(await _commit(statement, number))
    return took


async def _commit(statement: "PreparedStatement[Record]", number: int) -> float:
    """The milliseconds that it took."""
    before = time.perf_counter()
    await statement.fetch(number)
    return (time.perf_counter() - before) * 1000


@asynccontextmanager
async def _committing(bench: Bench) -> AsyncIterator[list[float]]:
    """Goes on committing rows now and then until the block ends, and tells the milliseconds that each took."""
    took: list[float] = []

    async def commit() -> None:
        number = 0
        while True:
            number -= 1
            took.append(await _commit(statement, number))
            await asyncio.sleep(1 / _COMMITS_PER_SECOND_MEANWHILE)

    async with bench.stage.connect(_COMMITS_DATABASE) as connection:
        statement = await connection.prepare(QUERIES.commit_row)
        task = asyncio.create_task(commit())
        try:
            yield took
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _run(crowd: CrowdProcess, served: Served, phase: Phase) -> tuple[Tally, dict[str, float]]:
    """What became of a phase, and the processor seconds that were used for it."""
    before = seconds_by_group(served.groups)
    tally = await crowd.run(phase)
    after = seconds_by_group(served.groups)
    return tally, {name: after[name] - before[name] for name in after} | {"load": tally.processor_seconds}


def _repetition(tally: Tally, spent: dict[str, float]) -> dict[str, Any]:
    failed = [
        f"{times} answers {what}" for what, times in (tally.others | {"429 or 503": tally.refused}).items() if times
    ]
    if tally.broken or tally.unanswered:
        failed.append(f"{tally.broken} requests broken, {tally.unanswered} unanswered")
    return {
        "done": tally.holds,
        "offered_per_second": tally.offered / tally.seconds,
        "refused": tally.refused,
        "latency_ms": {"p50": tally.hold_p50_ms, "p99": tally.hold_p99_ms},
        "cpu_seconds": spent,
        "failed": failed,
    }


def _add(bench: Bench, name: str, unit: str, repetition: dict[str, Any], p50: float | None, p99: float | None) -> None:
    """Two figures: the middle, and what one in a hundred exceeds; each beside that of a commit."""
    for variant, value in (("p50", p50), ("p99", p99)):
        failed = list(repetition.get("failed", ())) + ([] if value is not None else ["nothing was done"])
        bench.add(
            "latency", name, variant, unit, repetition | {"value": value or 0.0, "failed": failed},
            measure=MILLISECONDS, yardstick=(COMMIT, variant),
        )  # fmt: skip
