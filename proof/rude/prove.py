"""Clients that send slowly, stop halfway, flood, or do not read, beside visitors who behave."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from overbookr.audit.store import AuditStore
from overbookr.database.embedded import EmbeddedServer, ensure_running
from overbookr.database.pool import open_pool
from overbookr.http.body_bounds import PLAN_BODY_LIMIT
from proof.overload.arrivals import CrowdProcess, Phase, start_crowd
from proof.overload.tally import Tally
from proof.overload.venue import SHARE, Venue, open_venue, save
from proof.part import Circumstances, Finding
from proof.rude.connections import MemoryWatch, connections_of, memory_of, seconds_until_ended
from proof.rude.crowd import KINDS, LARGE_BODY_BYTES, Kind, Mischief, Outcome, RudeProcess, start_rude
from tests.house.serving import SECRET, Served, serve

IDLE_SECONDS: Final = 20
IDLE_SECONDS_SMALL: Final = 4
# Beyond the time a client is given: for the look that finds it, and for a machine that has other things to do.
SLACK_SECONDS: Final = 10
VISITORS_PER_SECOND: Final = 20
VISITORS_CONNECTIONS: Final = 64
SLOWER_MAX: Final = 2
SLOWER_MAX_SMALL: Final = 4
# Below this nobody notices, and the machine's own noise is as large. A phase of a small run has eighty visitors, and
# the slowest of them is its p99.
SLOWER_FLOOR_MS: Final = 25
SLOWER_FLOOR_MS_SMALL: Final = 1_000
MEMORY_BYTES_MAX: Final = 128 * 2**20
MEMORY_BYTES_OF_CONNECTION_MAX: Final = 32 * 2**10
MEMORY_BYTES_KEPT_MAX: Final = 96 * 2**20
# What answers may be, besides none: whatever else comes was not meant for somebody rude.
ANSWERS: Final[dict[Kind, set[str]]] = {
    "silent": {"0"},
    "idle": {"200"},
    "slow headers": {"0"},
    "endless headers": {"0", "431"},
    "half bodies": {"408"},
    "slow bodies": {"408"},
    "large bodies": {"0", "413"},
    "unread": {"0"},
}


@dataclass(frozen=True)
class House:
    """`idle_seconds` is how long a client may keep a connection waiting."""

    served: Served
    server: EmbeddedServer
    venue: Venue
    visitors: CrowdProcess
    rude: RudeProcess
    idle_seconds: int

    @property
    def port(self) -> int:
        return int(self.served.url.rsplit(":", 1)[1])


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    async with open_house(given, given.pick(small=IDLE_SECONDS_SMALL, full=IDLE_SECONDS)) as house:
        await _visit(given, house, finding, "warm_up", 3)
        seconds = given.pick(small=8, full=60)
        alone = await _visit(given, house, finding, "alone", seconds)
        memory = memory_of(house.served.process.pid)
        for kind in KINDS:
            await _beside(given, house, finding, kind, alone, memory)
        after = await _visit(given, house, finding, "after", seconds)
        await _judge_the_end(given, house, finding, alone, after, memory)
    return finding


@asynccontextmanager
async def open_house(given: Circumstances, idle_seconds: int) -> AsyncIterator[House]:
    folder = given.folder / "data"
    folder.mkdir()
    served = await asyncio.to_thread(serve, None, folder, {"OVERBOOKR_IDLE_SECONDS": str(idle_seconds)})
    port = int(served.url.rsplit(":", 1)[1])
    try:
        server = await ensure_running(folder)
        seats = given.pick(small=3_000, full=8_000)
        venue = await open_venue(server.dsn, SECRET, events=10, seats_of_event=seats)
        save(venue, given.folder / "venue.json")
        try:
            async with start_crowd(port, given.folder / "venue.json") as visitors, start_rude(port) as rude:
                yield House(served, server, venue, visitors, rude, idle_seconds)
        finally:
            await server.stop()
    finally:
        await asyncio.to_thread(served.stop)


def clients_of(given: Circumstances, kind: Kind) -> int:
    """How many there are: idle ones cost a client nothing, so there are most of them."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    match kind:
        case "silent" | "idle":
            return min(given.pick(small=1_000, full=10_000), files // 2)
        case "slow headers" | "half bodies" | "slow bodies":
            return given.pick(small=300, full=1_000)
        case "large bodies" | "endless headers" | "unread":
            return given.pick(small=50, full=300)


async def _visit(given: Circumstances, house: House, finding: Finding, name: str, seconds: float) -> Tally:
    seed = given.random(name).getrandbits(32)
    tally = await house.visitors.run(Phase(name, seconds, VISITORS_CONNECTIONS, VISITORS_PER_SECOND, seed))
    finding.figures |= {
        f"{name}_accepted": tally.holds + tally.bookings,
        f"{name}_accepted_p50_ms": tally.accepted_p50_ms,
        f"{name}_accepted_p99_ms": tally.accepted_p99_ms,
    }
    # A connection that was idle may be ended in the very moment it is used; HTTP clients ask again then.
    finding.figures[f"{name}_lost_with_connection"] = tally.broken
    finding.violations += msgspec.structs.replace(tally, broken=0).improper()
    return tally


async def _beside(given: Circumstances, house: House, finding: Finding, kind: Kind, alone: Tally, memory: int) -> None:
    """Visitors beside rude clients of a kind, until the last of these is gone."""
    clients, serve_pid = clients_of(given, kind), house.served.process.pid
    name = kind.replace(" ", "_")
    left, seconds_max = connections_of(house.port), house.idle_seconds + SLACK_SECONDS
    watch = MemoryWatch(serve_pid)
    watching = asyncio.create_task(watch.look())
    path = f"/events/{house.venue.event_ids[0]}/seats"
    placed = await house.rude.place(Mischief(kind, clients, seconds_max, path))
    tally, ended_after = await asyncio.gather(
        _visit(given, house, finding, name, house.idle_seconds),
        seconds_until_ended(house.port, left + VISITORS_CONNECTIONS, seconds_max + SLACK_SECONDS),
    )
    outcome = await house.rude.outcome()
    watching.cancel()
    grown = watch.most - memory
    finding.figures |= {
        f"{name}_clients": placed.placed,
        f"{name}_seconds_max": round(outcome.seconds_max, 1),
        f"{name}_ended_after_seconds": None if ended_after is None else round(ended_after, 1),
        f"{name}_memory_grown_bytes": grown,
        f"{name}_answers": outcome.answers,
    }
    given.report(
        f"{kind}: {placed.placed} clients, ended within {outcome.seconds_max:.1f} s, answers {outcome.answers}, "
        f"visitors {tally.accepted_p99_ms or 0:.0f} ms (p99), memory {grown / 2**20:+.0f} MiB"
    )
    judge(finding, kind, clients, outcome, house.idle_seconds)
    _judge_visitors(given, finding, kind, alone, tally)
    bound = MEMORY_BYTES_MAX + clients * MEMORY_BYTES_OF_CONNECTION_MAX
    finding.claim(
        f"{kind}: memory grows by at most {bound / 2**20:.0f} MiB", grown <= bound, f"{grown / 2**20:.0f} MiB"
    )


def judge(finding: Finding, kind: Kind, clients: int, outcome: Outcome, idle_seconds: float) -> None:
    """What became of the rude clients themselves."""
    in_time = outcome.placed == clients and outcome.stayed == 0
    finding.claim(
        f"{kind}: each of them is ended within {idle_seconds:.0f} s and {SLACK_SECONDS} s of slack",
        in_time,
        f"{outcome.ended} of {clients} after {outcome.seconds_max:.1f} s at most, {outcome.refused} had no place",
    )
    strange = set(outcome.answers) - ANSWERS[kind]
    finding.claim(f"{kind}: they are told what is wrong, or nothing", not strange, f"answers {outcome.answers}")
    if kind == "large bodies":
        finding.claim(
            f"{kind}: refused before {LARGE_BODY_BYTES / 1e6:.0f} MB were sent",
            outcome.sent_max < LARGE_BODY_BYTES <= PLAN_BODY_LIMIT,
            f"{outcome.sent_max / 1e6:.1f} MB at most, after {outcome.answer_seconds_max:.2f} s",
        )


def _judge_visitors(given: Circumstances, finding: Finding, kind: str, alone: Tally, beside: Tally) -> None:
    factor = given.pick(small=SLOWER_MAX_SMALL, full=SLOWER_MAX)
    floor = given.pick(small=SLOWER_FLOOR_MS_SMALL, full=SLOWER_FLOOR_MS)
    before, now = alone.accepted_p99_ms or 0.0, beside.accepted_p99_ms
    finding.claim(
        f"{kind}: who behaves waits at most {factor} times as long (p99), and {floor} ms",
        now is not None and now <= factor * before + floor and beside.refused == 0,
        f"{now or 0:.1f} ms instead of {before:.1f} ms, {beside.refused} refused",
    )


async def _judge_the_end(
    given: Circumstances, house: House, finding: Finding, alone: Tally, after: Tally, memory: int
) -> None:
    _judge_visitors(given, finding, "afterwards", alone, after)
    kept = memory_of(house.served.process.pid) - memory
    finding.figures["memory_kept_bytes"] = kept
    finding.claim(
        f"Afterwards at most {MEMORY_BYTES_KEPT_MAX / 2**20:.0f} MiB more are resident than before",
        kept <= MEMORY_BYTES_KEPT_MAX,
        f"{kept / 2**20:.0f} MiB",
    )
    pool = await open_pool(house.server.dsn, size=1, application_name="proof")
    try:
        report = await AuditStore(pool).check(SHARE)
    finally:
        await pool.close()
    finding.claim("No law of the house is broken by any of it", report.is_clean, f"{len(report.violations)} violations")
