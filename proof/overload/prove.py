"""Ten times more visitors than the house can serve, and ten thousand who leave in the middle of a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from overbookr.audit.store import AuditStore
from overbookr.database.embedded import EmbeddedServer, ensure_running
from overbookr.database.pool import open_pool
from proof.overload.arrivals import CrowdProcess, Phase, start_crowd
from proof.overload.cancelling import SECONDS_MAX, cancel, leftovers
from proof.overload.tally import Tally, seconds_until_normal
from proof.overload.venue import SHARE, Venue, open_venue, requests_of, save
from proof.part import Circumstances, Finding
from proof.processes import processor_seconds
from tests.house.serving import SECRET, Served, serve

FACTOR: Final = 10
GOODPUT_PERCENT_MIN: Final = 85
GOODPUT_PERCENT_MIN_SMALL: Final = 50
SLOWER_MAX: Final = 2
SLOWER_MAX_SMALL: Final = 5
NORMAL_SECONDS_MAX: Final = 10
# The closed loops by which the peak is looked for, and what the sustainable rate is of the best of them.
PEAK_CONNECTIONS: Final = (64, 256)
NORMAL_LOAD: Final = 0.8
CROWD_CONNECTIONS: Final = 2_000


@dataclass(frozen=True)
class House:
    """A served application with its database, and the crowd's process in front of it."""

    served: Served
    server: EmbeddedServer
    venue: Venue
    crowd: CrowdProcess

    async def run(self, phase: Phase) -> tuple[Tally, float]:
        """What became of a phase, and the processor seconds that server, duties and PostgreSQL used for it, which is a
        child of the server."""
        before = processor_seconds(self.served.process.pid)
        tally = await self.crowd.run(phase)
        return tally, processor_seconds(self.served.process.pid) - before


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    async with _open_house(given) as house:
        await _overload(given, house, finding)
        await _cancellation(given, house, finding)
        await _laws(house, finding)
    return finding


@asynccontextmanager
async def _open_house(given: Circumstances) -> AsyncIterator[House]:
    folder = given.folder / "data"
    folder.mkdir()
    served = await asyncio.to_thread(serve, None, folder, {})
    try:
        server = await ensure_running(folder)
        venue = await open_venue(
            server.dsn,
            SECRET,
            events=given.pick(small=10, full=100),
            # Whoever comes wants a seat that is free, on a quick machine for ten minutes too.
            seats_of_event=given.pick(small=6_000, full=24_000),
        )
        save(venue, given.folder / "venue.json")
        try:
            async with start_crowd(int(served.url.rsplit(":", 1)[1]), given.folder / "venue.json") as crowd:
                yield House(served, server, venue, crowd)
        finally:
            await server.stop()
    finally:
        await asyncio.to_thread(served.stop)


async def _overload(given: Circumstances, house: House, finding: Finding) -> None:
    chance = given.random("arrivals")
    peak, peak_cost = await _find_peak(given, house, finding)
    sustainable = peak.bookings / peak.seconds

    async def at_rate(name: str, rate: float, seconds: int) -> tuple[Tally, float]:
        phase = Phase(name, seconds, CROWD_CONNECTIONS, rate, chance.getrandbits(32))
        tally, cost = await house.run(phase)
        # Second by second, for whoever keeps the folder and asks where a tail comes from.
        (given.folder / f"{name}.json").write_bytes(msgspec.json.encode(tally))
        finding.figures |= tally.figures() | {f"{name}_server_processor_seconds": round(cost, 2)}
        given.report(
            f"{name}: {tally.offered / tally.seconds:.0f} requests a second offered, {tally.sent / tally.seconds:.0f} "
            f"sent, {tally.goodput:.0f} accepted within {tally.accepted_p99_ms or 0:.0f} ms (p99), "
            f"{tally.refused} refused in all"
        )
        return tally, cost

    normal, _ = await at_rate("normal", NORMAL_LOAD * sustainable, given.pick(small=3, full=120))
    overload, cost = await at_rate("overload", FACTOR * sustainable, given.pick(small=6, full=300))
    after, _ = await at_rate("after", NORMAL_LOAD * sustainable, given.pick(small=6, full=40))
    finding.figures |= {
        "cores_shared_with_crowd_and_postgresql": _cores(),
        "crowd_connections": CROWD_CONNECTIONS,
        "sustainable_visitors_per_second": round(sustainable, 1),
        "goodput_share_of_peak": round(overload.goodput / peak.goodput, 3),
        # How much of the peak's efficiency is left: what refusing costs is in here, what the crowd costs is not.
        "goodput_per_server_processor_second_share_of_peak": round(
            (overload.holds + overload.bookings) / cost / ((peak.holds + peak.bookings) / peak_cost), 3
        ),
        # The peak and the overload compare only if server and PostgreSQL had about as much of the machine in both.
        "peak_server_cores": round(peak_cost / peak.seconds, 2),
        "overload_server_cores": round(cost / overload.seconds, 2),
        "overload_crowd_cores": round(overload.processor_seconds / overload.seconds, 2),
        "overload_sent_factor": round(overload.sent / overload.seconds / (2 * sustainable), 1),
    }
    _judge_overload(given, finding, peak, normal, overload, after)


async def _find_peak(given: Circumstances, house: House, finding: Finding) -> tuple[Tally, float]:
    """The best of some closed loops, and the server's processor seconds in it."""
    await house.run(Phase("warm_up", 2, PEAK_CONNECTIONS[0]))
    # As long as the machine needs to show what it keeps up: PostgreSQL writes its checkpoints meanwhile.
    seconds = given.pick(small=2, full=60)
    loops = [await house.run(Phase("peak", seconds, connections)) for connections in PEAK_CONNECTIONS]
    for connections, (tally, _) in zip(PEAK_CONNECTIONS, loops, strict=True):
        finding.figures[f"closed_loop_{connections}_goodput_per_second"] = round(tally.goodput, 1)
    peak, cost = max(loops, key=lambda loop: loop[0].goodput)
    finding.figures |= peak.figures() | {"peak_server_processor_seconds": round(cost, 2)}
    given.report(f"peak: {peak.goodput:.0f} holds and bookings a second")
    return peak, cost


def _judge_overload(
    given: Circumstances, finding: Finding, peak: Tally, normal: Tally, overload: Tally, after: Tally
) -> None:
    # A small run has seconds where the full one has minutes, on whatever machine a change is checked by.
    share_min = given.pick(small=GOODPUT_PERCENT_MIN_SMALL, full=GOODPUT_PERCENT_MIN) / 100
    slower_max = given.pick(small=SLOWER_MAX_SMALL, full=SLOWER_MAX)
    share = overload.goodput / peak.goodput
    finding.claim(
        f"At {FACTOR} times the sustainable rate at least {share_min:.0%} of the peak goodput is left",
        share >= share_min,
        f"{share:.0%}: {overload.goodput:.0f} holds and bookings a second of {peak.goodput:.0f}; "
        f"{overload.offered} requests offered, {overload.unsent} of them not sent for want of a free connection",
    )
    improper = [line for tally in (normal, overload, after) for line in tally.improper()]
    finding.violations += improper
    refused = normal.refused + overload.refused + after.refused
    finding.claim(
        "Whoever is refused is told 429 or 503 with Retry-After, and nothing else goes wrong",
        not improper and overload.refused > 0,
        f"{refused} refusals, {len(improper)} kinds of other answers",
    )
    slow, usual = overload.accepted_p99_ms, normal.accepted_p99_ms
    finding.claim(
        f"Accepted requests take at most {slower_max} times as long (p99) under overload as under normal load",
        slow is not None and usual is not None and slow <= slower_max * usual,
        f"{slow or 0:.0f} ms under overload, {usual or 0:.0f} ms at {NORMAL_LOAD:.0%} of the sustainable rate",
    )
    seconds = seconds_until_normal(after, p99_ms_max=slower_max * (usual or 0))
    finding.claim(
        f"Within {NORMAL_SECONDS_MAX} s of the overload's end all is as before, for three seconds at least",
        seconds is not None and seconds <= NORMAL_SECONDS_MAX,
        f"after {seconds} s" if seconds is not None else "not within the time that was looked at",
    )
    holds = overload.holds + overload.refused - overload.refused_bookings
    refused_holds = (overload.refused - overload.refused_bookings) / max(1, holds)
    refused_bookings = overload.refused_bookings / max(1, overload.bookings + overload.refused_bookings)
    finding.claim(
        "Whoever has a hold is served before whoever wants one: at most 1 % of bookings are refused under overload",
        refused_bookings <= 0.01 < refused_holds,
        f"{refused_bookings:.2%} of bookings, {refused_holds:.0%} of holds",
    )


async def _cancellation(given: Circumstances, house: House, finding: Finding) -> None:
    count = given.pick(small=1_000, full=10_000)
    port = int(house.served.url.rsplit(":", 1)[1])
    seats = range(house.venue.seats - SHARE * len(house.venue.event_ids) * 100, house.venue.seats)
    found = await cancel(port, requests_of(house.venue), seats, count, given.random("cancelling"))
    left = await leftovers(house.served.url, house.server.dsn)
    finding.figures |= {
        "cancelled_requests": found.total,
        **{f"cancelled_{moment.replace(' ', '_')}": times for moment, times in found.by_moment.items()},
        "cancelling_connections_in_use_afterwards": left.connections_in_use,
        "cancelling_sessions_at_work_afterwards": left.sessions_at_work,
        "cancelling_half_closed_sockets_afterwards": left.half_closed_sockets,
        "cancelling_seconds_until_nothing_was_left": round(left.seconds, 2),
    }
    finding.claim(
        "Requests whose client left in the middle leave no database connection in use, no open transaction and no "
        f"socket behind for longer than {SECONDS_MAX:g} s",
        found.total >= count and not left.any,
        f"{found.total} left; afterwards {left.connections_in_use} connections in use, {left.sessions_at_work} "
        f"sessions at work, {left.half_closed_sockets} half-closed sockets",
    )
    again, _ = await house.run(Phase("again", given.pick(small=2, full=10), PEAK_CONNECTIONS[0]))
    finding.figures |= again.figures()
    finding.violations += again.improper()
    finding.claim(
        "Then the server serves as before",
        again.bookings > 0 and again.refused == 0 and not again.improper(),
        f"{again.goodput:.0f} holds and bookings a second, {again.refused} refusals",
    )


async def _laws(house: House, finding: Finding) -> None:
    pool = await open_pool(house.server.dsn, size=1, application_name="proof")
    try:
        report = await AuditStore(pool).check(SHARE)
    finally:
        await pool.close()
    finding.claim("No law of the house is broken by any of it", report.is_clean, f"{len(report.violations)} violations")
    finding.violations += [str(violation) for violation in report.violations][:20]


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))
