"""The same events for a long time: whether it stays as fast, and leaves behind only what it wrote."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from bench.churn import Churn, run_churn
from bench.run import Bench
from bench.wear import judge
from overbookr.database.pool import open_pool
from overbookr.database.sql import parse_queries
from overbookr.demo.percentile import percentile
from overbookr.writes.writer import Writer

PAIRS: Final = 50
_LANES: Final = 2
_TASKS: Final = 64
_SECONDS_TO_LIVE: Final = 5
_ADOPT_SECONDS: Final = 0.5
_LOOK_BACK_SECONDS: Final = 20.0
_SOAK: Final = parse_queries((Path(__file__).parents[1] / "soak.sql").read_text(), "bench/soak.sql")


async def measure_soak(bench: Bench) -> None:
    """Once a run, whatever the repetitions: its minutes are compared with each other."""
    stage, minutes = bench.stage, bench.choices.soak
    await stage.refill("soak")
    pool = await open_pool(stage.dsn(), size=_LANES, application_name="bench soak", write=True)
    time_to_live = timedelta(seconds=_SECONDS_TO_LIVE)
    writer = Writer(pool, lanes=_LANES, time_to_live=time_to_live, user_seats_max=10)
    writer.start()
    users = [user.user_id for user in stage.users]
    churn = Churn(writer, stage.events["soak"], users, PAIRS)
    going = asyncio.ensure_future(run_churn(churn, _TASKS))
    adopting = asyncio.ensure_future(_adopt(bench, churn))
    try:
        samples = [await _sample(bench, churn, minutes.seconds_each, going) for _ in range(minutes.count + 1)]
    finally:
        churn.stopping = True
        await asyncio.gather(going, adopting)
        await writer.stop()
        await pool.close()
    samples = samples[1:]  # The first is for warming up.
    repetition = {
        "value": sum(sample["rate"] for sample in samples) / len(samples),
        "done": sum(sum(sample["done"].values()) for sample in samples),
        "samples": samples,
        "failed": judge(samples),
    }
    bench.add("soak", "on-sale churn", "all of it", "visits", await bench.audited(repetition))
    for name, sample in (("first", samples[0]), ("last", samples[-1])):
        told = {"value": sample["rate"], "done": sum(sample["done"].values()), "latency_ms": sample["latency_ms"]}
        bench.add(
            "soak", "on-sale churn", f"the {name} {minutes.seconds_each} s", "visits", told,
            yardstick=("on-sale churn", f"the first {minutes.seconds_each} s"),
        )  # fmt: skip


async def _adopt(bench: Bench, churn: Churn) -> None:
    """Let the churn know whom the queue has served, so that these bookings are given back as well one day."""
    async with bench.stage.connect() as connection:
        while not churn.stopping:
            await asyncio.sleep(_ADOPT_SECONDS)
            since = int((time.time() - _LOOK_BACK_SECONDS) * 1000) << 80
            churn.adopt(tuple(row) for row in await connection.fetch(_SOAK.promoted_since, UUID(int=since)))


async def _sample(bench: Bench, churn: Churn, seconds: int, going: "asyncio.Future[None]") -> dict[str, Any]:
    """What was done in this time, and how large everything is after it."""
    churn.took.clear()
    churn.done.clear()
    started = time.perf_counter()
    await asyncio.wait({going}, timeout=seconds)
    took, done, passed = list(churn.took), dict(churn.done), time.perf_counter() - started
    async with bench.stage.connect() as connection:
        rows = await connection.fetch(_SOAK.sizes)
    if going.done():
        await going
    tables = {row["name"]: {key: value for key, value in row.items() if key != "name"} for row in rows}
    rate = len(took) / passed
    bench.say(f"  {rate:,.0f} visits a second, p99 {percentile(took, 99)} ms, {done}")
    return {
        "rate": rate,
        "latency_ms": {"p50": percentile(took, 50), "p99": percentile(took, 99)},
        "done": done,
        "tables": tables,
    }
