"""Two instances behind a balancer are told to stop, one after the other, while clients hold and book."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from overbookr import limits
from overbookr.audit.store import AuditStore
from overbookr.database.embedded import embedded
from overbookr.database.migrate import migrate
from overbookr.database.pool import open_pool
from overbookr.demo.percentile import percentile
from overbookr.main import FUNCTION_SOURCES
from proof.overload.venue import SHARE, Venue, open_venue, requests_of
from proof.part import Circumstances, Finding
from proof.restarts.balancer import Balancer, balancing
from proof.restarts.clients import Record, visit_until
from tests.house.serving import SECRET, Served, serve

# Longer than the balancer takes to see that an instance is no longer ready.
DRAIN_SECONDS: Final = 1
STOP_SECONDS_MAX: Final = limits.STOP_SECONDS_MAX + DRAIN_SECONDS
_CLIENTS: Final = 16
_EVENTS: Final = 4
_READY_SECONDS_MAX: Final = 30.0
_KILLS_MAX: Final = 5


@dataclass
class Stops:
    """How each instance that was told to stop has ended, and after how many seconds."""

    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Fleet:
    """Two instances on one database; the balancer knows them by their ports."""

    def __init__(self, dsn: str, folder: Path, balancer: Balancer) -> None:
        self._dsn = dsn
        self._folder = folder
        self._balancer = balancer
        self._started = 0
        self.instances: list[Served] = []

    async def start_one(self) -> None:
        self._started += 1
        folder = self._folder / f"instance-{self._started}"
        folder.mkdir()
        settings = {"OVERBOOKR_DRAIN_SECONDS": str(DRAIN_SECONDS)}
        self.instances.append(await asyncio.to_thread(serve, self._dsn, folder, settings))
        self._balancer.backends = [_port(served) for served in self.instances]

    async def until_ready(self) -> None:
        await self._balancer.until_ready({_port(served) for served in self.instances}, _READY_SECONDS_MAX)

    async def end_first(self, number: signal.Signals) -> tuple[int, float]:
        """Signal the instance that runs longest, start another one when it has ended; its exit status and seconds."""
        served = self.instances[0]
        began = time.monotonic()
        os.kill(served.process.pid, number)
        status = await asyncio.to_thread(served.process.wait, STOP_SECONDS_MAX * 2)
        seconds = time.monotonic() - began
        self.instances.pop(0)
        await self.start_one()
        await self.until_ready()
        return status, seconds

    async def stop(self) -> None:
        for served in self.instances:
            await asyncio.to_thread(served.stop)


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    async with embedded(given.folder / "database") as server:
        dsn = server.dsn
        await migrate(dsn, FUNCTION_SOURCES)
        venue = await open_venue(dsn, SECRET, events=_EVENTS, seats_of_event=given.pick(small=5_000, full=75_000))
        async with balancing() as balancer, _fleet(dsn, given.folder, balancer) as fleet:
            stopped, stops = await _stop_under_load(given, fleet, balancer, venue)
            killed, kills = await _kill_under_load(given, fleet, balancer, venue, len(stopped.acknowledged))
        lost = await _lost(dsn, venue, stopped) + await _lost(dsn, venue, killed)
        pool = await open_pool(dsn, size=1, application_name="proof")
        try:
            report = await AuditStore(pool).check(SHARE)
        finally:
            await pool.close()
    _judge(finding, given, stopped, stops, balancer.refused)
    finding.figures |= {
        "kills": kills,
        "kills_unanswered_requests": len(killed.unanswered),
        "acknowledged_bookings": len(stopped.acknowledged) + len(killed.acknowledged),
        "lost_acknowledgements": len(lost),
    }
    finding.claim(
        "No confirmed booking is lost",
        not lost and bool(stopped.acknowledged),
        f"{len(lost)} of {len(stopped.acknowledged) + len(killed.acknowledged)}",
    )
    finding.violations += lost[:20]
    finding.claim(
        "Requests do break when an instance is killed instead: the check sees what it is for",
        bool(killed.unanswered),
        f"{len(killed.unanswered)} requests without an answer in {kills} kills",
    )
    finding.claim("No law of the house is broken by any of it", report.is_clean, f"{len(report.violations)} violations")
    finding.violations += [f"{law}: {rows}" for law, rows in report.violations.items()][:20]
    return finding


@asynccontextmanager
async def _fleet(dsn: str, folder: Path, balancer: Balancer) -> AsyncIterator[Fleet]:
    fleet = Fleet(dsn, folder, balancer)
    try:
        await asyncio.gather(fleet.start_one(), fleet.start_one())
        await fleet.until_ready()
        yield fleet
    finally:
        await fleet.stop()


@asynccontextmanager
async def _load(given: Circumstances, balancer: Balancer, venue: Venue, first: int) -> AsyncIterator[Record]:
    record = Record()
    stop = asyncio.Event()
    numbers = iter(range(first, venue.seats))
    tasks = [
        asyncio.create_task(
            visit_until(
                stop, balancer.port, requests_of(venue), numbers, record, given.random(f"client {first} {place}")
            )
        )
        for place in range(_CLIENTS)
    ]
    try:
        yield record
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _stop_under_load(
    given: Circumstances, fleet: Fleet, balancer: Balancer, venue: Venue
) -> tuple[Record, Stops]:
    chance, stops = given.random("moments"), Stops()
    async with _load(given, balancer, venue, 0) as record:
        for place in range(given.pick(small=2, full=100)):
            await asyncio.sleep(chance.uniform(0, 0.3))
            status, seconds = await fleet.end_first(signal.SIGTERM)
            stops.statuses.append(status)
            stops.seconds.append(seconds)
            if (place + 1) % 10 == 0:
                given.report(f"{place + 1} restarts, {record.requests} requests, {len(record.unanswered)} unanswered")
    return record, stops


async def _kill_under_load(
    given: Circumstances, fleet: Fleet, balancer: Balancer, venue: Venue, used: int
) -> tuple[Record, int]:
    """SIGKILL until requests were seen to break; how many kills that took."""
    chance = given.random("kills")
    # The seats after those that were tried; some of these were refused, so there are more than were confirmed.
    async with _load(given, balancer, venue, used + venue.seats // 10) as record:
        kills = 0
        while not record.unanswered and kills < _KILLS_MAX:
            kills += 1
            await asyncio.sleep(chance.uniform(0.2, 0.4))
            await fleet.end_first(signal.SIGKILL)
    return record, kills


async def _lost(dsn: str, venue: Venue, record: Record) -> list[str]:
    """Confirmed bookings that are not in the database as they were confirmed, a line each."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            """select booking_id::text, event_id, seat_nos from bookings
                where status = 'active' and booking_id = any($1)""",
            list(record.acknowledged),
        )
    finally:
        await connection.close()
    found = {row["booking_id"]: (row["event_id"], row["seat_nos"]) for row in rows}
    lost = []
    for booking_id, number in record.acknowledged.items():
        event, label, _ = venue.place(number)
        if found.get(booking_id) != (venue.event_ids[event], [f"S{label:06d}"]):
            lost.append(f"booking {booking_id} of S{label:06d} was confirmed and is {found.get(booking_id)}")
    return lost


def _judge(finding: Finding, given: Circumstances, record: Record, stops: Stops, refused: int) -> None:
    restarts = len(stops.seconds)
    p99 = percentile(stops.seconds, 99) or 0.0
    odd = {what: times for what, times in record.statuses.items() if not what.startswith("20")}
    finding.figures |= {
        "restarts": restarts,
        "requests": record.requests,
        "unanswered_requests": len(record.unanswered),
        "connections_without_a_backend": refused,
        "answers_that_closed_their_connection": record.asked_to_leave,
        "connections_closed_while_idle": record.idle_closes,
        "connections_refused": record.not_connected,
        "other_answers": sum(odd.values()),
        "stop_seconds_p50": round(percentile(stops.seconds, 50) or 0.0, 2),
        "stop_seconds_p99": round(p99, 2),
        "drain_seconds": DRAIN_SECONDS,
    }
    finding.violations += record.unanswered[:20]
    finding.violations += [f"{times} answers {what}" for what, times in odd.items() if not what.startswith("503")]
    asked = given.pick(small=2, full=100)
    finding.claim(
        "A stop under load leaves no request without its answer, with two instances behind a balancer",
        restarts == asked and not record.unanswered and record.requests > restarts,
        f"{len(record.unanswered)} of {record.requests} requests in {restarts} restarts",
    )
    finding.claim(
        f"An instance that is told to stop ends with status 0 within {STOP_SECONDS_MAX:g} s (p99), drain included",
        set(stops.statuses) == {0} and p99 <= STOP_SECONDS_MAX,
        f"statuses {sorted(set(stops.statuses))}, {p99:.1f} s",
    )


def _port(served: Served) -> int:
    return int(served.url.rsplit(":", 1)[1])
