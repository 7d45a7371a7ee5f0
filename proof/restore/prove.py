"""Restores what was sold, to a point in time and to the end of the archive, by the commands of docs/operating.md."""

import asyncio
import os
from datetime import datetime
from typing import Any

from overbookr.database.embedded import ProgramsMissing, bin_dir
from proof.part import Circumstances, Finding
from proof.restore.document import DOCUMENT, blocks_of
from proof.restore.drill import Course, Drill, Measures
from proof.restore.installations import DEBIAN_PROGRAMS, Embedded, Installation, NotStarted, OwnServer
from proof.restore.ledger import Ledger, Restored, differences, forgotten

# Noticing that a period is over and copying the file takes the server a moment, more on a busy machine.
_ARCHIVING_SECONDS = 5.0
_RECEIVING_SECONDS = 2.0
_LINES_MAX = 20


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    measures = Measures(
        seats=given.pick(small=3_000, full=12_000),
        buyers=given.pick(small=6, full=12),
        pause=given.pick(small=10, full=500) / 1000,
        bookings_between=given.pick(small=40, full=400),
        loss_seconds_max=given.pick(small=2, full=60),
    )
    installations: list[Installation] = []
    try:
        bin_dir()
        installations.append(Embedded(given.folder / "embedded"))
    except ProgramsMissing as error:
        _leave_out(finding, str(error))
    if (DEBIAN_PROGRAMS / "postgres").exists():
        installations.append(OwnServer(given.folder / "own"))
    else:
        _leave_out(finding, "a PostgreSQL of one's own: Debian's postgresql-15 is not installed (make test-deps)")
    restoring = asyncio.Lock()
    drills = await asyncio.gather(*(_drill(given, finding, at, measures, restoring) for at in installations))
    ran = set().union(*(drill.documented.ran for drill in drills))
    left = set(blocks_of(DOCUMENT.read_text())) - ran
    if len(installations) == 2:
        finding.claim(
            "Every command that docs/operating.md gives for archive, backup and restore was run as it stands there",
            not left,
            f"{len(ran)} blocks" + (f", not run: {', '.join(sorted(left))}" if left else ""),
        )
    finding.claims.sort(key=lambda claim: claim.says)
    return finding


def _leave_out(finding: Finding, reason: str) -> None:
    (finding.violations if os.environ.get("CI") else finding.untested).append(reason)


async def _drill(
    given: Circumstances, finding: Finding, at: Installation, measures: Measures, restoring: asyncio.Lock
) -> Drill:
    """One installation's drill. They sell side by side and are restored one after the other, which is timed."""
    key = at.name.split()[0]
    drill = Drill(at, measures)
    course = await drill.sell_and_lose(given.random(f"sale of the {at.name}"))
    given.report(f"{at.name}: {drill.ledger.bookings} bookings acknowledged, then everything was lost")
    async with restoring:
        await _point_in_time(finding, drill, course, at.name, key)
        thorough = given.size == "full"
        received = thorough or key == "embedded"
        await _end_of_archive(finding, drill, course, at.name, key, measures.loss_seconds_max, received=received)
        if thorough:
            await _controls(finding, drill, course, at.name, key)
    finding.figures |= {
        f"{key}_bookings_acknowledged": drill.ledger.bookings,
        f"{key}_base_backup_during_sale_seconds": round(course.base_seconds, 2),
        f"{key}_archive_timeout_seconds": measures.loss_seconds_max,
    }
    return drill


async def _point_in_time(finding: Finding, drill: Drill, course: Course, name: str, key: str) -> None:
    recovery = await drill.recover(course)
    lines = differences(drill.ledger, course.mark, recovery.restored)
    finding.violations += [
        f"{name}: {line}" for line in (lines + recovery.violations + recovery.sold_again)[:_LINES_MAX]
    ]
    before = drill.ledger.answers[: course.mark.answers]
    counts = {kind: sum(answer.kind == kind for answer in before) for kind in ("booking", "cancellation")}
    finding.claim(
        f"{name}: restored to a moment of the sale, what was acknowledged before it is there, for the same users and "
        "seats, and nothing that is younger",
        not lines and counts["booking"] > 0,
        f"{counts['booking']} bookings, {counts['cancellation']} cancellations, "
        f"{len(before) - sum(counts.values())} places in the queue; {len(drill.ledger.answers) - len(before)} answers "
        f"came after it; {len(lines)} differences",
    )
    finding.claim(
        f"{name}: restored, it sells on under the old secret, versions and tickets go on, and every law holds",
        not recovery.violations and not recovery.sold_again,
        f"{len(recovery.violations)} laws broken, {len(recovery.sold_again)} faults; examined after "
        f"{recovery.examined_seconds:.1f} s, selling after {recovery.ready_seconds:.1f} s",
    )
    finding.claim(
        f"{name}: pg_amcheck finds no fault in restored pages and indexes, and (control) finds a row hidden from one",
        not recovery.pages_complaint and "lacks matching index tuple" in recovery.planted_complaint,
        recovery.pages_complaint or "nothing, then one row",
    )
    overlooked = await drill.accepts_a_damaged_backup(course)
    finding.claim(
        f"{name}: pg_verifybackup accepts the backup taken in mid-sale, and not one with a changed bit (control)",
        not overlooked,
        "the damaged copy was accepted" if overlooked else "accepted, refused",
    )
    finding.figures |= {
        f"{key}_answers_before_the_moment": len(before),
        f"{key}_answers_after_the_moment": len(drill.ledger.answers) - len(before),
        f"{key}_examined_after_seconds": round(recovery.examined_seconds, 2),
        f"{key}_selling_after_seconds": round(recovery.ready_seconds, 2),
    }


async def _end_of_archive(
    finding: Finding, drill: Drill, course: Course, name: str, key: str, loss_seconds_max: int, *, received: bool
) -> None:
    bounds = {"archive": loss_seconds_max + _ARCHIVING_SECONDS}
    if received:
        bounds["receiver"] = _RECEIVING_SECONDS
    for source, bound in bounds.items():
        restored = await drill.glance(course, None, received=source == "receiver")
        count, seconds = lost(drill.ledger, restored, course.killed_at)
        what = "from the archive" if source == "archive" else "from what pg_receivewal had received"
        finding.claim(
            f"{name}: killed in mid-sale and restored {what}, at most the last {bound:g} s of answers are lost",
            seconds <= bound and bool(restored.bookings),
            f"{count} of {len(drill.ledger.answers)} answers, the oldest {seconds:.2f} s before the kill",
        )
        finding.figures |= {f"{key}_{source}_lost_answers": count, f"{key}_{source}_lost_seconds": round(seconds, 2)}


def lost(ledger: Ledger, restored: Restored, killed_at: datetime) -> tuple[int, float]:
    """How many acknowledged bookings and places are gone, and how old the oldest was at the kill, in seconds."""
    gone = forgotten(ledger.answers, restored)
    return len(gone), max(((killed_at - answer.at).total_seconds() for answer in gone), default=0.0)


async def _controls(finding: Finding, drill: Drill, course: Course, name: str, key: str) -> None:
    """What must be found out: a restore to an earlier moment, and an archive in which a file is missing."""
    restored = await drill.glance(course, course.earlier.moment)
    lines = differences(drill.ledger, course.mark, restored)
    finding.claim(
        f"{name}: (control) the comparison finds out a restore to an earlier moment",
        bool(lines) and not differences(drill.ledger, course.earlier, restored),
        f"{len(lines)} differences from the moment that was wanted, none from the one restored",
    )
    try:
        shortened: Any = await drill.glance(course, course.killed_at, without=course.segment)
        refused, said = False, f"it started with {len(shortened.bookings)} bookings"
    except NotStarted as error:
        refused = "recovery ended before configured recovery target was reached" in str(error)
        said = "PostgreSQL refused to start" if refused else str(error)
    finding.claim(f"{name}: (control) a restore whose archive lacks a file it needs is refused", refused, said)
    finding.figures[f"{key}_control_differences"] = len(lines)
