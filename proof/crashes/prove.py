"""Everything that can die is killed at random moments while a crowd buys, and then the books are compared."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from overbookr.database.embedded import bin_dir
from overbookr.demo.percentile import percentile
from overbookr.mail.store import MailStore
from proof.crashes.campaign import Campaign
from proof.crashes.disk import NoSmallDisk, filled, small_disk
from proof.crashes.faults import Faults
from proof.crowd.buyers import Show
from proof.crowd.record import Operation
from proof.crowd.season import Programme, Season, open_season
from proof.history.recording import check_history, write_closing
from proof.house import SHARE, Auditor, House, open_house
from proof.part import Circumstances, Finding

HOLD_SECONDS: Final = 2
WORKERS: Final = 2
READY_SECONDS_DEMANDED: Final = 10.0
START_SECONDS_DEMANDED: Final = 30.0
QUIET_SECONDS_MAX: Final = 90.0
HANG_UP_SHARE: Final = 0.01
DISK_MEBIBYTES: Final = 900
FULL_SECONDS: Final = 3.0

_SMALL: Final = {
    "kill_api": 2, "kill_postmaster": 1, "kill_backend": 1, "terminate_backend": 2, "kill_worker": 2, "stop_api": 1,
    "stop_backend": 0, "kill_instance": 1,
}  # fmt: skip
_FULL: Final = {
    "kill_api": 1000, "kill_postmaster": 300, "kill_backend": 50, "terminate_backend": 300, "kill_worker": 200,
    "stop_api": 20, "stop_backend": 20, "kill_instance": 30,
}  # fmt: skip
# What the house mends by itself. A process that was only stopped is away for that long by intention, and an instance of
# which nothing is left is started by whoever looks after it: a cold start, on a machine that the other one keeps busy.
_HEALED: Final = frozenset({"kill_api", "kill_postmaster", "kill_backend", "terminate_backend", "kill_worker"})


async def prove(given: Circumstances) -> Finding:
    finding = Finding()
    await _kill(given, finding)
    try:
        async with small_disk(given.folder / "disk", DISK_MEBIBYTES) as disk:
            await _fill_the_disk(given, finding, disk)
    except NoSmallDisk as error:
        finding.untested.append(f"a full disk: no small file system can be mounted here ({error})")
    finding.untested.append(
        "power loss: killed processes leave what they wrote to the kernel, which then still reaches the disk"
    )
    return finding


class _Selling:
    """A crowd that buys until the block ends; every event is written down at the very end, so that nothing which was
    acknowledged early can have got lost late."""

    def __init__(self, given: Circumstances, house: House, folder: Path, operations_per_event: int) -> None:
        self._given = given
        self._house = house
        self._folder = folder
        self._shows: list[Show] = []
        self._operations_per_event = operations_per_event
        self._season: Season | None = None

    @property
    def bookings(self) -> int:
        """How many were acknowledged so far."""
        return 0 if self._season is None else self._season.acknowledged_bookings

    async def _keep(self, show: Show, operations: list[Operation]) -> None:
        self._shows.append(show)

    async def run_beside(self, break_things: Callable[[], Coroutine[Any, Any, None]]) -> Season:
        programme = Programme(
            clients=32,
            operations=10**9,
            operations_per_event=self._operations_per_event,
            hot=20,
            cold=self._operations_per_event // 2,
            hot_share=0.2,
        )
        chance = self._given.random(f"season {self._folder.name}")
        async with open_season(
            self._house.dsn, self._house.urls, programme, self._folder, chance, self._keep
        ) as season:
            self._season = season
            season.caller.hang_up_share = HANG_UP_SHARE
            selling, breaking = asyncio.create_task(season.run()), asyncio.create_task(break_things())
            await asyncio.wait({selling, breaking}, return_when=asyncio.FIRST_COMPLETED)
            season.stop.set()
            await selling
            await breaking
        return season

    async def write_down(self) -> None:
        for show in self._shows:
            await write_closing(self._house.dsn, self._folder, show, SHARE)


async def _kill(given: Circumstances, finding: Finding) -> None:
    wanted = _SMALL if given.size == "small" else _FULL
    async with open_house(
        given.folder / "house", instances=2, workers=WORKERS, OVERBOOKR_HOLD_TTL_SECONDS=str(HOLD_SECONDS)
    ) as house:
        faults = Faults(house, WORKERS, HOLD_SECONDS, given.random("victims"))
        selling = _Selling(given, house, given.folder / "history", given.pick(small=1_500, full=12_000))
        to_sell = given.pick(small=200, full=100_000)
        campaign = Campaign(
            faults,
            wanted,
            given.random("moments"),
            lambda told: given.report(f"{told}; {selling.bookings:,} bookings acknowledged"),
            enough=lambda: selling.bookings >= to_sell,
            # Long enough at full size that more is sold than broken.
            pause_seconds_max=given.pick(small=400, full=1_200) / 1000,
        )
        began = time.monotonic()
        season = await selling.run_beside(campaign.run)
        seconds = time.monotonic() - began
        quiet = await _wait_for_quiet(house, finding, "killed")
        await selling.write_down()
        finding.violations += quiet
        finding.violations += [] if campaign.failure is None else [campaign.failure]
        damaged = await asyncio.to_thread(_check_files, house.dsn)
    _claim_faults(finding, campaign, wanted)
    _claim_history(finding, season, given.folder / "history", "killed")
    finding.claim("Every law holds once all is quiet", not quiet, f"{len(quiet)} violations")
    finding.claim(
        "Tables and indexes are sound to the byte (pg_amcheck)", damaged is None, damaged or "nothing to report"
    )
    finding.figures |= {"seconds_of_killing": round(seconds), "processes_of_api": 2 * WORKERS}


def _claim_faults(finding: Finding, campaign: Campaign, wanted: dict[str, int]) -> None:
    done = campaign.done
    finding.figures |= {f"{name}s" if not name.startswith("stop") else name: done[name] for name in wanted}
    finding.claim(
        "Everything was broken as often as it was meant to be",
        all(done[name] >= count for name, count in wanted.items()),
        ", ".join(f"{done[name]} {name.replace('_', ' ')}" for name in wanted),
    )
    healed = [second for name, values in campaign.seconds.items() if name in _HEALED for second in values]
    worst = {name: round(percentile(values, 99) or 0.0, 2) for name, values in campaign.seconds.items()}
    usual, slow = percentile(healed, 50) or 0.0, percentile(healed, 99) or 0.0
    finding.figures |= {"seconds_to_ready_p99": worst, "seconds_to_ready_p50": round(usual, 2)}
    finding.claim(
        f"All processes are back by themselves and ready within {READY_SECONDS_DEMANDED:g} s of a kill (p99)",
        bool(healed) and slow <= READY_SECONDS_DEMANDED,
        f"p50 {usual:.2f} s, p99 {slow:.2f} s, slowest {max(healed, default=0):.2f} s",
    )
    started = campaign.seconds.get("kill_instance", [])
    finding.claim(
        f"An instance of which nothing is left is ready within {START_SECONDS_DEMANDED:g} s of being started anew",
        max(started, default=0.0) <= START_SECONDS_DEMANDED,
        f"p50 {percentile(started, 50) or 0.0:.2f} s, slowest {max(started, default=0):.2f} s of {len(started)}",
    )


def _claim_history(finding: Finding, season: Season, folder: Path, why: str) -> None:
    verdict = check_history(folder)
    caller = season.caller
    failures = {key: count for key, count in caller.answers.items() if key[1] >= 500 and key[1] != 503}
    unresolved = sum(count for name, count in verdict.counts.items() if name.endswith(" unknown"))
    finding.violations += [f"{name}: {what}" for name, what in verdict.violations[:30]]
    suffix = why.replace(" ", "_")
    finding.figures |= {
        f"operations_{suffix}": verdict.counts["operations"],
        f"acknowledged_bookings_{suffix}": verdict.counts["book 201"],
        f"lost_answers_{suffix}": caller.lost_answers,
        f"hung_up_{suffix}": caller.hung_up,
        f"requests_{suffix}": caller.answers.total(),
        f"answers_{suffix}": {
            " ".join(map(str, key)).strip(): count for key, count in sorted(caller.answers.items(), key=str)
        },
    }
    finding.claim(
        f"No acknowledgement is lost, no refusal had an effect, one order explains every answer ({why})",
        not verdict.violations and verdict.counts["book 201"] > 0,
        f"{verdict.counts['operations']:,} operations, {verdict.counts['book 201']:,} acknowledged bookings, "
        f"{len(verdict.violations)} anomalies",
    )
    finding.claim(
        f"Every lost answer was had by asking again with the same key ({why})",
        unresolved == 0 and caller.lost_answers > 0,
        f"{caller.lost_answers:,} answers were lost, {unresolved} operations stayed in doubt",
    )
    finding.claim(
        f"What is broken is told as 503, never as a failure ({why})", not failures, f"{failures or 'no'} other answers"
    )
    if failures:
        finding.violations += caller.strange


async def _wait_for_quiet(house: House, finding: Finding, why: str) -> list[str]:
    """What laws are still broken when the duties have had their time; asked until none is. Mails that could not go out
    while the house was broken may be many: as long as they become fewer, they are waited for."""
    began, outbox = time.monotonic(), MailStore(house.pool)
    waiting = (await outbox.backlog()).waiting
    finding.figures |= {f"mails_waiting_when_{why}_ended": waiting}
    deadline = began + QUIET_SECONDS_MAX
    while True:
        auditor = Auditor(house.pool)
        await auditor.ask(quiescent=True)
        if not auditor.broken or time.monotonic() > deadline:
            finding.figures |= {f"seconds_until_quiet_after_{why}": round(time.monotonic() - began, 1)}
            return auditor.broken
        await asyncio.sleep(0.5)
        still_waiting = (await outbox.backlog()).waiting
        if still_waiting < waiting:
            waiting, deadline = still_waiting, time.monotonic() + QUIET_SECONDS_MAX


def _check_files(dsn: str) -> str | None:
    """What pg_amcheck has to say about every table and index, heap against index included; None when nothing."""
    told = subprocess.run(
        [
            str(bin_dir() / "pg_amcheck"),
            "--install-missing",
            "--heapallindexed",
            "--parent-check",
            dsn,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if told.returncode == 0 else f"status {told.returncode}: {told.stdout[-1000:]}{told.stderr[-1000:]}"


async def _fill_the_disk(given: Circumstances, finding: Finding, disk: Path) -> None:
    times = given.pick(small=1, full=10)
    async with open_house(disk, workers=WORKERS, OVERBOOKR_HOLD_TTL_SECONDS=str(HOLD_SECONDS)) as house:
        faults = Faults(house, WORKERS, HOLD_SECONDS, given.random("disk"))
        healing: list[float] = []

        async def fill() -> None:
            chance = given.random("disk moments")
            for _ in range(times):
                await asyncio.sleep(chance.uniform(2, 4))
                async with filled(disk):
                    await asyncio.sleep(FULL_SECONDS)
                began = time.monotonic()
                await faults.wait_until_whole(gone=[])
                healing.append(time.monotonic() - began)

        selling = _Selling(given, house, given.folder / "history-of-the-full-disk", 1_500)
        season = await selling.run_beside(fill)
        quiet = await _wait_for_quiet(house, finding, "disk_full")
        await selling.write_down()
        finding.violations += quiet
    finding.figures |= {"disk_was_full": times, "seconds_to_ready_after_full_disk": [round(s, 2) for s in healing]}
    finding.claim(
        "The house sells again by itself once a full disk has room",
        len(healing) == times and not quiet,
        f"{times} times full for {FULL_SECONDS:g} s, ready {max(healing, default=0):.1f} s later at most",
    )
    _claim_history(finding, season, given.folder / "history-of-the-full-disk", "disk full")
