"""Viewers of a hall's stream, spread over the API processes, while seats are held at a steady rate."""

import asyncio
import sys
from typing import Any
from uuid import UUID

import msgspec

from bench.figures import MILLISECONDS
from bench.run import Bench
from bench.serving import Served
from bench.stage import QUERIES, ROOT
from bench.viewers import Orders, Report
from proof.processes import seconds_by_group

_RATE_MAX = 20.0
_SEATS_PER_USER = 10


async def measure_viewers(bench: Bench) -> None:
    for viewers in bench.choices.viewers:
        async with bench.serving("halls") as served:
            watched = await _watch(bench, served, viewers)
        for variant, share in ((f"{viewers:,} viewers, p50", "p50"), (f"{viewers:,} viewers, p99", "p99")):
            value = watched["latency_ms"][share]
            bench.add(
                "watching", "change told, from the answer to its hold", variant, "changes",
                watched | {"value": value or 0.0}, measure=MILLISECONDS,
            )  # fmt: skip


async def _watch(bench: Bench, served: Served, viewers: int) -> dict[str, Any]:
    empty, before = served.api_memory(), seconds_by_group(served.groups)
    report, filled = await watch_event(
        bench, served, bench.stage.events["halls"][0], viewers, bench.choices.watch_seconds, _RATE_MAX
    )
    after = seconds_by_group(served.groups)
    spent = {name: after[name] - before[name] for name in after} | {"load": report.processor_seconds}
    return await bench.audited(_repetition(report, spent, empty, filled))


async def watch_event(
    bench: Bench, served: Served, event_id: UUID, viewers: int, seconds: int, rate_max: float
) -> tuple[Report, float]:
    """What viewers of an event were told while seats of it were held, and the memory of the API processes meanwhile."""
    async with bench.stage.connect() as connection:
        rows = await connection.fetch(QUERIES.seat_statuses, event_id)
    free = [row["seat_no"] for row in rows if row["status"] == "available"]
    rate = min(rate_max, len(free) / seconds)
    seats = free[: int(rate * seconds)]
    # Users who have nothing here yet, as the first ones have bought some.
    tokens = list(reversed(bench.stage.tokens))
    buyers = [tokens[place // _SEATS_PER_USER] for place in range(len(seats))]
    orders = Orders(served.port, bench.stage.dsn(), event_id, viewers, float(seconds), rate, seats, buyers)
    path = bench.stage.folder / "orders-viewers"
    path.write_bytes(msgspec.json.encode(orders))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.viewers", str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    ended = asyncio.ensure_future(process.communicate())
    try:
        # Towards the end all viewers are there and have been told something.
        await asyncio.wait({ended}, timeout=seconds * 0.8)
        filled = served.api_memory()
        output, _ = await asyncio.shield(ended)
    finally:
        if not ended.done():
            process.kill()
            await ended
    if process.returncode:
        raise RuntimeError("the viewers' process failed; see its complaint above")
    return msgspec.json.decode(output, type=Report), filled


def _repetition(report: Report, spent: dict[str, float], empty: float, filled: float) -> dict[str, Any]:
    failed = list(report.broken)
    if report.maps_wrong:
        failed.append(f"{report.maps_wrong} of {report.viewers} viewers' maps are not what the database has")
    if report.refused or not report.holds:
        failed.append(f"{report.refused} of {report.refused + report.holds} holds were refused")
    if report.resumed + report.reset < report.cut:
        failed.append(f"{report.cut} viewers were cut off and {report.resumed + report.reset} told what they missed")
    told: dict[str, Any] = msgspec.to_builtins(report)
    del told["broken"], told["seconds"], told["processor_seconds"], told["latency_ms"]
    return told | {
        "done": report.told,
        "latency_ms": report.latency_ms,
        "changes_per_second": report.holds / report.seconds,
        "watch_seconds": report.seconds,
        "api_memory_mib": {"without_viewers": round(empty, 1), "with_viewers": round(filled, 1)},
        "api_kib_per_viewer": round((filled - empty) * 1024 / report.viewers, 1),
        "cpu_seconds": spent,
        "failed": failed,
    }
