"""Overbookr's write path without HTTP: its Writer in processes of their own, driven by tasks that never pause.

As a program it is one of the driving processes: it gets ready, prints a line, waits for a line on
standard input, works for the given time and prints what it did as JSON.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec
import uvloop

from bench.stage import GRIDS, ROOT, Stage, Turnout, seats_of
from overbookr.bookings.model import BookHold, HoldBooked
from overbookr.database.pool import Pool, open_pool
from overbookr.demo.percentile import percentile
from overbookr.holds.model import HoldPlaced, PlaceHold
from overbookr.ids import new_id
from overbookr.writes.writer import Writer
from proof.processes import read_groups, seconds_by_group

PROCESSES: Final = 2
LANES: Final = 2
_WARM_UP_VISITS = 64


class Orders(msgspec.Struct):
    """What a driving process is to do: every `step`-th visit from `part` on."""

    dsn: str
    kind: str
    layout: str
    seconds: float
    tasks: int
    part: int
    step: int
    event_ids: list[UUID]
    user_ids: list[UUID]


class Report(msgspec.Struct):
    done: int
    holds: int
    refused: dict[str, int]
    seconds: float
    cpu_seconds: float
    batches: dict[int, int]
    latencies_ms: list[float]
    ran_out: bool


async def measure(stage: Stage, kind: str, layout: str, seconds: int, connections: int) -> dict[str, Any]:
    """Holds or flows (kind `hold` or `flow`) a second, `connections` at a time over all processes."""
    await stage.refill(layout)
    drivers = [await _start(stage, kind, layout, seconds, connections, part) for part in range(PROCESSES)]
    for driver in drivers:
        assert driver.stdout is not None
        if await driver.stdout.readline() != b"ready\n":
            raise RuntimeError("a driving process did not get ready; see its complaint above")
    groups = read_groups(stage.server.postmaster_pid)
    before = seconds_by_group(groups)
    outputs = await asyncio.gather(*(driver.communicate(b"go\n") for driver in drivers))
    after = seconds_by_group(groups)
    if any(driver.returncode for driver in drivers):
        raise RuntimeError("a driving process failed; see its complaint above")
    reports = [msgspec.json.decode(output, type=Report) for output, _ in outputs]
    latencies = [latency for report in reports for latency in report.latencies_ms]
    batches: Counter[int] = Counter()
    refused: Counter[str] = Counter()
    for report in reports:
        batches.update(report.batches)
        refused.update(report.refused)
    return {
        "value": sum(report.done / report.seconds for report in reports),
        "done": sum(report.done for report in reports),
        "refused": sum(refused.values()),
        "refusals": dict(refused),
        "failed": [],
        "ran_out": any(report.ran_out for report in reports),
        "latency_ms": {f"p{rank}": percentile(latencies, rank) for rank in (50, 95, 99)},
        "batch": {"mean": sum(size * n for size, n in batches.items()) / batches.total(), "count": batches.total()},
        "cpu_seconds": {
            "postgres": after["postgres"] - before["postgres"],
            "python": sum(report.cpu_seconds for report in reports),
        },
    }


async def _start(
    stage: Stage, kind: str, layout: str, seconds: float, connections: int, part: int
) -> asyncio.subprocess.Process:
    orders = Orders(
        stage.server.dsn,
        kind,
        layout,
        seconds,
        connections // PROCESSES,
        part,
        PROCESSES,
        stage.events[layout],
        [user.user_id for user in stage.users],
    )
    path = stage.folder / f"orders-{part}"
    path.write_bytes(msgspec.json.encode(orders))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.in_process",
        str(path),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


class _Crowd:
    """Tasks that hold (and book) one pair after the other."""

    def __init__(self, orders: Orders, pool: Pool) -> None:
        self._orders = orders
        self.writer = Writer(
            pool,
            lanes=LANES,
            time_to_live=timedelta(seconds=300),
            user_seats_max=10,
            observe=self._observe,
        )
        self._turnout = Turnout(len(orders.user_ids))
        self._visits: Iterator[int] = iter(range(orders.part, self._turnout.visits, orders.step))
        self._ends_at = 0.0
        self.report = Report(0, 0, {}, 0, 0, {}, [], False)

    async def warm_up(self) -> None:
        first = self._turnout.visits + self._orders.part
        await asyncio.gather(
            *(self._buy(number) for number in range(first, first + _WARM_UP_VISITS, self._orders.step))
        )
        self.report = Report(0, 0, {}, 0, 0, {}, [], False)

    async def work(self) -> Report:
        started, cpu = time.perf_counter(), time.process_time()
        self._ends_at = started + self._orders.seconds
        await asyncio.gather(*(self._keep_buying() for _ in range(self._orders.tasks)))
        self.report.seconds = time.perf_counter() - started
        self.report.cpu_seconds = time.process_time() - cpu
        return self.report

    def _observe(self, size: int) -> None:
        self.report.batches[size] = self.report.batches.get(size, 0) + 1

    async def _keep_buying(self) -> None:
        while time.perf_counter() < self._ends_at:
            number = next(self._visits, None)
            if number is None:
                self.report.ran_out = True
                return
            await self._buy(number)

    async def _buy(self, number: int) -> None:
        user, event, pair = self._turnout.visit(number, GRIDS[self._orders.layout])
        event_id, user_id = self._orders.event_ids[event], self._orders.user_ids[user]
        started = time.perf_counter()
        held = await self.writer.place_hold(PlaceHold(event_id, new_id(), user_id, seats_of(pair)))
        self.report.latencies_ms.append((time.perf_counter() - started) * 1000)
        if not isinstance(held, HoldPlaced):
            self._refuse(_name_of(held))
            return
        self.report.holds += 1
        if self._orders.kind == "hold":
            self.report.done += 1
            return
        started = time.perf_counter()
        booked = await self.writer.book_hold(BookHold(event_id, held.hold_id, user_id, new_id(), f"key-{pair}"))
        self.report.latencies_ms.append((time.perf_counter() - started) * 1000)
        if isinstance(booked, HoldBooked):
            self.report.done += 1
        else:
            self._refuse(_name_of(booked))

    def _refuse(self, reason: str) -> None:
        self.report.refused[reason] = self.report.refused.get(reason, 0) + 1


def _name_of(outcome: object) -> str:
    return str(outcome) if isinstance(outcome, StrEnum) else type(outcome).__name__


async def _drive(orders: Orders) -> None:
    pool = await open_pool(orders.dsn, size=LANES, application_name="bench writes", write=True)
    crowd = _Crowd(orders, pool)
    crowd.writer.start()
    await crowd.warm_up()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    report = await crowd.work()
    await crowd.writer.stop()
    await pool.close()
    sys.stdout.write(json.dumps(msgspec.to_builtins(report)))


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        given = msgspec.json.decode(file.read(), type=Orders)
    os.unlink(sys.argv[1])
    uvloop.run(_drive(given))
