"""The history of a season, recorded by those who took part in it, and an order in which all of it makes sense."""

import asyncio
import time
from contextlib import suppress

from proof.crowd.buyers import Show
from proof.crowd.record import Operation
from proof.crowd.season import Programme, Season, open_season
from proof.history.corruptions import CORRUPTIONS, is_caught
from proof.history.recording import check_history, read_history, write_closing
from proof.house import SHARE, Auditor, House, open_house
from proof.part import Circumstances, Finding

HOLD_SECONDS = 2


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    programme = Programme(
        clients=64,
        operations=given.pick(small=6_000, full=1_000_000),
        operations_per_event=given.pick(small=2_000, full=25_000),
        hot=50,
        cold=given.pick(small=150, full=2_000),
    )
    async with open_house(given.folder / "house", instances=2, OVERBOOKR_HOLD_TTL_SECONDS=str(HOLD_SECONDS)) as house:
        auditor = Auditor(house.pool)
        auditing = asyncio.create_task(auditor.keep_asking(given.pick(small=1, full=60)))
        try:
            await _sell(given, finding, house, programme)
        finally:
            auditing.cancel()
            with suppress(asyncio.CancelledError):
                await auditing
        await _audit(finding, auditor)
    await _check(given, finding)
    _lie(given, finding)
    return finding


async def _sell(given: Circumstances, finding: Finding, house: House, programme: Programme) -> None:
    folder = given.folder / "history"

    async def close(show: Show, operations: list[Operation]) -> None:
        await write_closing(house.dsn, folder, show, SHARE)

    began = time.monotonic()
    async with open_season(house.dsn, house.urls, programme, folder, given.random("season"), close) as season:
        reporting = asyncio.create_task(_report(given, season))
        deadline = asyncio.get_running_loop().call_later(given.pick(small=90, full=3600), season.stop.set)
        try:
            await season.run()
        finally:
            deadline.cancel()
            reporting.cancel()
        seconds = time.monotonic() - began
        caller = season.caller
        failures = sum(count for (_, status, _), count in caller.answers.items() if status >= 500 and status != 503)
        finding.claim(
            "The season came to its end", season.done >= programme.operations, f"{season.done:,} operations begun"
        )
        finding.claim("The server never failed", failures == 0, f"{failures} answers of 500 and above other than 503")
        finding.violations += caller.strange
        finding.figures |= {
            "operations": season.done,
            "requests": caller.answers.total(),
            "seconds_of_selling": round(seconds, 1),
            "operations_per_second": round(season.done / seconds),
            "acknowledged_bookings": season.acknowledged_bookings,
            "events": season.opened - 1,
            "clients": programme.clients,
            "hot_seats": programme.hot,
            "cold_seats": programme.cold,
            "instances": len(house.instances),
            "hold_seconds": HOLD_SECONDS,
            "answers": {
                " ".join(map(str, key)).strip(): count for key, count in sorted(caller.answers.items(), key=str)
            },
        }


async def _report(given: Circumstances, season: Season) -> None:
    while True:
        await asyncio.sleep(20)
        given.report(f"{season.done:,} operations, {season.acknowledged_bookings:,} bookings acknowledged")


async def _audit(finding: Finding, auditor: Auditor) -> None:
    under_load = auditor.audits
    await auditor.ask()
    finding.violations += auditor.broken[:20]
    finding.figures["audits_under_load"] = under_load
    finding.claim(
        "Every law held in every snapshot taken while buyers bought",
        not auditor.broken and under_load > 0,
        f"{under_load} snapshots under load and one at the end, {len(auditor.broken)} violations",
    )


async def _check(given: Circumstances, finding: Finding) -> None:
    began = time.monotonic()
    verdict = await asyncio.to_thread(check_history, given.folder / "history")
    counts = verdict.counts
    finding.figures["checker_seconds"] = round(time.monotonic() - began, 1)
    finding.figures["checked"] = dict(sorted(counts.items()))
    finding.violations += [f"{name}: {why}" for name, why in verdict.violations[:50]]
    broken = {name: sum(found == name for found, _ in verdict.violations) for name, _ in verdict.violations}
    finding.figures["anomalies"] = broken

    def held(*names: str) -> bool:
        return not any(name in broken for name in names)

    finding.claim(
        "One order of each event, true to real time, explains every answer",
        held("order", "unjustified_refusal", "double_hold", "gap"),
        f"{counts['operations']:,} operations on {counts['events']} events with {counts['changes']:,} changes of seats",
    )
    finding.claim(
        "No acknowledgement was lost, nothing refused was done, no key had two effects",
        held("lost_acknowledgement", "effect_of_a_refusal", "two_effects_of_a_key", "effect_without_cause"),
        f"{counts['book 201']:,} bookings, {counts['hold 201']:,} holds, {counts['repeat 201']:,} repeats acknowledged",
    )
    finding.claim(
        "Every map was the house at one version, at most 250 ms old",
        held("torn_read", "stale_read", "lapsed_hold_shown"),
        f"{counts['look 200']:,} maps",
    )
    finding.claim(
        "No hold ended before its time and none was booked after it",
        held("early_expiry", "late_booking"),
        f"{counts['book 409']:,} bookings refused because the hold had lapsed",
    )
    finding.claim(
        "The queue was served in its order",
        held("queue_order"),
        f"{counts['join 202']:,} joined, {counts['promotions']:,} were promoted",
    )


def _lie(given: Circumstances, finding: Finding) -> None:
    """The checker must catch this very history when it is falsified, in every way it claims to catch."""
    caught: set[str] = set()
    missed: set[str] = set()
    chance = given.random("lies")
    for operations, closing in read_history(given.folder / "history"):
        for expected, corrupt in CORRUPTIONS:
            if corrupt.__name__ not in caught:
                found = is_caught(expected, corrupt, operations, closing, chance)
                if found is not None:
                    (caught if found else missed).add(corrupt.__name__)
    # A short season may lack what a lie is about: nobody was passed over in its queue, say.
    wanted = len(CORRUPTIONS) - given.pick(small=4, full=0)
    finding.figures |= {"lies": len(CORRUPTIONS), "lies_caught": len(caught)}
    finding.claim(
        "The checker catches this very history when it is falsified",
        not missed and len(caught) >= wanted,
        f"{len(caught)} of {len(caught | missed)} lies that it lends itself to, of {len(CORRUPTIONS)} there are"
        + "".join(f"; not {name}" for name in sorted(missed)),
    )
