"""The application's clock is wrong by ten minutes, or jumps; the database's decides, and is right."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp

from overbookr.audit.store import AuditStore
from overbookr.database.embedded import ProgramsMissing, ensure_running
from overbookr.database.migrate import migrate
from overbookr.database.pool import Pool, open_pool
from overbookr.ids import new_id
from overbookr.main import FUNCTION_SOURCES
from proof.clock.attempts import Attempt, Kind, contradictions, tally
from proof.clock.faketime import FakeClock, jumping, library
from proof.clock.sessions import Instance, Session, accepted_from, matrix
from proof.clock.visits import Recorded, Visitor, crowd, token_for_all_clocks
from proof.part import Circumstances, Finding
from tests.house.people import create_users
from tests.house.postgres import fast_folder
from tests.house.serving import SECRET, Served, environment, serve
from tests.house.stage import Stage

OFFSET_SECONDS = 600
SEATS_OF_AN_EVENT = 100
USER_SEATS_MAX = 1_000
_JUMP_SECONDS = 1.3
STALLED_SECONDS = 0.5
BUSY = frozenset(f"{kind}: 503 busy" for kind in ("hold", "book", "take over", "look"))
_SETTINGS = {
    "OVERBOOKR_HOLD_TTL_SECONDS": "2",
    "OVERBOOKR_USER_MAX_SEATS_PER_EVENT": str(USER_SEATS_MAX),
    "OVERBOOKR_WORKERS": "1",
    "OVERBOOKR_DUTIES": "off",
}


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    preload = library()
    if preload is None:
        return _leave_out(
            finding, "Debian's libfaketime is not installed (make test-deps installs it, as root with apt)"
        )
    async with contextlib.AsyncExitStack() as stack:
        try:
            dsn = await stack.enter_async_context(_postgres())
        except ProgramsMissing as error:
            return _leave_out(finding, str(error))
        pool = await open_pool(dsn, size=3, application_name="proof", write=True)
        stack.push_async_callback(pool.close)
        instances = await stack.enter_async_context(_instances(given, dsn, preload))
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        await _prove_on(given, finding, dsn, pool, instances, http)
    return finding


def _leave_out(finding: Finding, reason: str) -> Finding:
    (finding.violations if os.environ.get("CI") else finding.untested).append(reason)
    return finding


async def _prove_on(
    given: Circumstances,
    finding: Finding,
    dsn: str,
    pool: Pool,
    instances: list[Instance],
    http: aiohttp.ClientSession,
) -> None:
    jumper = instances[-1]
    session = await Session.open(http, jumper, f"{new_id()}@example.org")
    seen = {instance.name: await session.until_effective(instance) for instance in instances}
    await _claim_tokens(finding, session, instances)
    async with jumping(jumper.clock, given.random("jumps"), within=OFFSET_SECONDS, every=_JUMP_SECONDS) as offsets:
        alone = await _visits(given, http, pool, instances, given.pick(small=200, full=8_000), "alone")
        given.report(f"{alone.holds} holds without duties, the clock jumped {len(offsets)} times")
        with _duties(given, dsn, jumper.clock) as mails:
            beside = await _visits(given, http, pool, instances, given.pick(small=80, full=2_000), "beside duties")
            skews = await _mail_skews(mails)
        given.report(f"{beside.holds} holds beside duties")
        while_jumping = [await session.offset_seen(jumper) for _ in range(3)]
    still = {instance.name: await session.offset_seen(instance) for instance in instances[:2]}
    away = [instance.name for instance in instances[:2] if abs(still[instance.name] - instance.clock.offset) > 2]
    away += [] if max(map(abs, skews), default=0.0) > 60 else ["duties"]
    finding.claim(
        "The processes under test see the wrong time, before and after, and the database the right one",
        not away and abs(await _database_offset(pool)) < 1,
        ", ".join(f"{name} {offset:+.0f} s" for name, offset in (seen | still).items() if name != jumper.name)
        + f", one jumped {len(offsets)} times between {min(offsets):+d} and {max(offsets):+d} s, "
        + f"duties wrote mails {min(skews, default=0):+.0f} to {max(skews, default=0):+.0f} s off"
        + (f"; not so: {', '.join(away)}" if away else ""),
    )
    finding.figures |= {"jumps": len(offsets), "last_offsets_seen_seconds": [round(offset) for offset in while_jumping]}
    _claim_attempts(finding, {"without duties": alone, "beside duties": beside})
    await _claim_rows(finding, pool)


async def _database_offset(pool: Pool) -> float:
    seconds: float = await pool.fetchval("select extract(epoch from clock_timestamp())::float8")
    return seconds - time.time()


# What runs.


@asynccontextmanager
async def _postgres() -> AsyncIterator[str]:
    """The DSN of a migrated database on a server that sees the true time. Raises ProgramsMissing."""
    with tempfile.TemporaryDirectory(prefix="overbookr-proof-", dir=fast_folder()) as place:
        server = await ensure_running(Path(place))
        try:
            await migrate(server.dsn, FUNCTION_SOURCES)
            yield server.dsn
        finally:
            await server.stop(deadline=30)


@asynccontextmanager
async def _instances(given: Circumstances, dsn: str, preload: Path) -> AsyncIterator[list[Instance]]:
    """One instance ahead, one behind, and one on time, whose clock is to jump; without duties."""
    offsets = {"ahead": OFFSET_SECONDS, "behind": -OFFSET_SECONDS, "jumping": 0}
    starts = []
    for name, offset in offsets.items():
        folder = given.folder / name
        folder.mkdir()
        clock = FakeClock(preload, given.folder / f"{name}.clock", offset)
        starts.append((name, clock, asyncio.to_thread(serve, dsn, folder, _SETTINGS | clock.environment)))
    running = await asyncio.gather(*(start for _, _, start in starts), return_exceptions=True)
    served = [one for one in running if isinstance(one, Served)]
    try:
        for one in running:
            if isinstance(one, BaseException):
                raise one
        yield [Instance(name, one.url, clock) for (name, clock, _), one in zip(starts, served, strict=True)]
    finally:
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in served))


@contextmanager
def _duties(given: Circumstances, dsn: str, clock: FakeClock) -> Iterator[Path]:
    """Duties under the jumping clock, as `overbookr worker` runs them; gives the folder into which they write mails."""
    folder = given.folder / "duties"
    folder.mkdir()
    with open(folder / "worker.log", "wb") as log:
        process = subprocess.Popen(
            ["nice", "-n", "19", sys.executable, "-m", "overbookr", "worker"],
            env=environment(dsn, folder, _SETTINGS | clock.environment),
            cwd=folder, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield folder / "mail"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _mail_skews(mails: Path) -> list[float]:
    """How many seconds the dates in the mails are off, by when their files were written; waits until there are some."""
    deadline = time.monotonic() + 30
    while len(found := list(mails.glob("*.eml"))) < 10 and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    skews = []
    for file in found:
        date = message_from_bytes(file.read_bytes())["Date"]
        skews.append(parsedate_to_datetime(date).timestamp() - file.stat().st_ctime)
    return skews


async def _visits(
    given: Circumstances, http: aiohttp.ClientSession, pool: Pool, instances: list[Instance], holds: int, purpose: str
) -> Recorded:
    stage = Stage(pool)
    users = await create_users(pool, 8)
    seats = []
    for start in range(0, holds, SEATS_OF_AN_EVENT):
        count = min(SEATS_OF_AN_EVENT, holds - start)
        event_id = await stage.event(count)
        seats += [(event_id, f"S{number}") for number in range(1, count + 1)]
    chance = given.random(f"visits {purpose}")
    chance.shuffle(seats)
    tokens = [token_for_all_clocks(SECRET, user_id) for user_id in users]
    visitor = Visitor(http, [instance.url for instance in instances], tokens, chance)
    await crowd(visitor, seats, per_second=given.pick(small=70, full=60))
    return visitor.recorded


# What is claimed.


async def _claim_tokens(finding: Finding, session: Session, instances: list[Instance]) -> None:
    """With access tokens of 15 minutes; the third instance is on time so far."""
    accepted = await matrix(session, instances)
    at_home = [name for name in accepted if len(set(name.split(" at "))) == 1]
    expected = {name: name in at_home or name in {"jumping at ahead", "behind at jumping"} for name in accepted}
    wrong = [
        f"{name} {'accepted' if accepted[name] else 'refused'}" for name in accepted if accepted[name] != expected[name]
    ]
    finding.claim(
        "An access token is good at the instance that issued it, however wrong its clock is; another instance refuses "
        "it when it was issued in its future or is over by its clock; refresh tokens are good everywhere",
        not wrong,
        f"{len(accepted)} pairs of instances, {session.refreshed} refreshes"
        + (f"; not so: {', '.join(wrong)}" if wrong else ""),
    )
    leeway = {ahead: await accepted_from(session, instances[-1], ahead) for ahead in (20, 60)}
    finding.claim(
        "Clocks that differ by less than half a minute do not disturb access tokens",
        leeway == {20: True, 60: False},
        ", ".join(f"issued {ahead} s ahead: {'accepted' if good else 'refused'}" for ahead, good in leeway.items()),
    )
    finding.figures |= {f"token_{name.replace(' ', '_')}_accepted": good for name, good in accepted.items()}


def _claim_attempts(finding: Finding, recorded: dict[str, Recorded]) -> None:
    everything: list[Attempt] = [attempt for one in recorded.values() for attempt in one.attempts]
    faults = contradictions(everything)
    finding.violations += [f"{fault} ({count} times)" for fault, count in faults.items()]
    unexpected = sum((one.unexpected for one in recorded.values()), Counter[str]())
    stalled = max(one.stalled for one in recorded.values())
    if stalled > STALLED_SECONDS and set(unexpected) <= BUSY:
        # The server sheds load when it gets no processor, which says nothing about its clocks.
        finding.untested.append(
            f"whether a jump makes requests late: the machine stood still for {stalled:.1f} s, {unexpected.total()} "
            "answers were 503 busy"
        )
        unexpected = Counter()
    finding.violations += [f"unexpected answer to {answer} ({count} times)" for answer, count in unexpected.items()]
    sentences = {
        "book": "A hold can be booked until its time is over by the database's clock, and never after",
        "take over": "A held seat can be held by somebody else from the moment its hold is over, even with every duty "
        "stopped, and not before",
        "look": "A held seat is shown as free from the moment its hold is over, and not before",
    }
    kinds: tuple[Kind, ...] = ("book", "take over", "look")
    for kind in kinds:
        counted = tally(everything, kind)
        wrong = sum(contradictions(attempt for attempt in everything if attempt.kind == kind).values())
        finding.claim(
            sentences[kind],
            wrong == 0 and counted.in_time > 0 and counted.late > 0,
            f"{counted.in_time} attempts before the end (the nearest {counted.nearest_before_ms} ms), {counted.across} "
            f"across it, {counted.late} after it (the nearest {counted.nearest_after_ms} ms); {wrong} contradictions",
        )
        name = kind.replace(" ", "_")
        finding.figures |= {
            f"{name}_before_end": counted.in_time,
            f"{name}_across_end": counted.across,
            f"{name}_after_end": counted.late,
            f"{name}_nearest_before_end_ms": counted.nearest_before_ms,
            f"{name}_nearest_after_end_ms": counted.nearest_after_ms,
        }
    requests = sum(one.requests for one in recorded.values())
    slowest = max(one.slowest for one in recorded.values()) * 1000
    finding.claim(
        "No request is refused as too late, left without an answer or answered by a fault because a clock jumped",
        not unexpected,
        f"{requests} requests, {unexpected.total()} unexpected answers, the slowest took {slowest:.0f} ms",
    )
    finding.figures |= {
        "holds_without_duties": recorded["without duties"].holds,
        "holds_beside_duties": recorded["beside duties"].holds,
        "requests": requests,
        "slowest_answer_ms": round(slowest),
    }


async def _claim_rows(finding: Finding, pool: Pool) -> None:
    row = await pool.fetchrow(
        """select count(*) as holds, count(*) filter (where h.status = 'converted') as converted,
                  count(*) filter (where b.created_at >= h.expires_at) as converted_late,
                  count(*) filter (where h.status = 'expired') as expired,
                  count(*) filter (where h.status = 'expired' and h.ended_at < h.expires_at) as expired_early,
                  count(*) filter (where h.expires_at <> h.created_at + interval '2 seconds') as of_other_length
             from holds h left join bookings b on b.event_id = h.event_id and b.hold_id = h.hold_id"""
    )
    assert row is not None
    finding.claim(
        "In the database no booking is as young as its hold's end, and no hold ended before its time",
        row["converted_late"] == row["expired_early"] == row["of_other_length"] == 0
        and row["converted"] * row["expired"] > 0,
        f"{row['holds']} holds, {row['converted']} booked, {row['converted_late']} of them late, "
        f"{row['expired']} expired, {row['expired_early']} of them early",
    )
    report = await AuditStore(pool).check(USER_SEATS_MAX)
    finding.violations += [f"{law}: {rows[:2]}" for law, rows in report.violations.items()]
    finding.claim(
        "Every law of the house holds afterwards",
        report.is_clean,
        f"{len(report.counts)} laws, {len(report.violations)} broken",
    )
    finding.figures |= dict(row)
