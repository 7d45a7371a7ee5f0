"""The demonstration against the running application, and its audit against a corrupted database."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from overbookr.audit.store import AuditStore
from overbookr.database.pool import Pool, open_pool, set_json_codecs
from overbookr.demo import client
from overbookr.demo.model import DemoOptions, DemoRefused
from overbookr.demo.onsale import SaleRecord, collect_evidence, hold_sale, report_on, run_demo
from overbookr.demo.report import DemoReport
from overbookr.demo.sale import SERVER_WAS_GONE, TIME_WAS_UP
from overbookr.demo.scene import Scene
from overbookr.demo.store import DemoStore
from overbookr.demo.verdict import judge
from overbookr.settings import Settings
from overbookr.stores import open_audit, open_users
from overbookr.users.store import UserStore
from tests.demo.hall import plan_bytes
from tests.house.serving import SECRET, Served, environment, free_port

BUYERS = 60
SEATS = 80
# Of these 60 buyers so many abandon, release or cancel that some of each kind are fast enough to get seats.
SEED = 2873
SHARE = 10


@dataclass
class Finished:
    """A sale that has been held, with its report."""

    served: Served
    options: DemoOptions
    record: SaleRecord
    report: DemoReport


@asynccontextmanager
async def backstage(served: Served) -> AsyncIterator[tuple[Pool, UserStore, AuditStore]]:
    settings = Settings(database_url=served.dsn, data_dir=served.data_dir, jwt_secret=SECRET)
    async with AsyncExitStack() as stack:
        pool = await open_pool(served.dsn, size=2, application_name="test")
        stack.push_async_callback(pool.close)
        users = await stack.enter_async_context(open_users(served.dsn, settings))
        audit = await stack.enter_async_context(open_audit(served.dsn, settings))
        yield pool, users, audit


@pytest.fixture(scope="module")
def finished(start_server: Callable[..., Served], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """60 buyers at a hall of 80 seats, on an application of their own."""
    served = start_server(OVERBOOKR_MAIL_FROM="Demo <demo@localhost>")
    plan = tmp_path_factory.mktemp("plan") / "hall.json"
    plan.write_bytes(plan_bytes(rows=SEATS // 10, seats=10))
    options = DemoOptions(served.url, plan=plan, buyers=BUYERS, seed=SEED, connections=32, seconds_max=90)

    async def run() -> Finished:
        async with backstage(served) as (pool, users, audit):
            store = DemoStore(pool)
            record = await hold_sale(options, store=store, users=users, secret=SECRET.encode())
            evidence = await collect_evidence(record, store=store, audit=audit, user_seats_max=SHARE)
        return Finished(served, options, record, report_on(options, record, evidence))

    return asyncio.run(run())


def test_the_house_is_sold_out_and_the_books_are_clean(finished: Finished) -> None:
    report = finished.report
    assert [check for check in report.audit if not check.passed] == []
    assert report.passed
    assert report.seats_sold == report.seats == SEATS
    assert report.times.sold_out is not None
    assert report.times.rush is not None
    assert 0 < report.times.rush <= report.times.sold_out <= report.times.total < 90


def test_the_report_adds_up(finished: Finished) -> None:
    report, ledger = finished.report, finished.record.ledger
    tallies = report.tallies
    assert tallies["promoted"] == sum(known.promoted for known in ledger.bookings.values())
    assert tallies["lapsed"] == tallies["abandoned"] == len(ledger.abandoned)
    assert tallies["joined waitlist"] == tallies["promoted"] + tallies["left waitlist"] + tallies["still waiting"]
    counts = {line.operation: line.count for line in report.operations}
    assert sum(counts.values()) == sum(report.statuses.values()) == sum(line.count for line in report.throughput[:1])
    assert counts["availability"] >= BUYERS
    assert all(0 < line.p50 <= line.p95 <= line.p99 <= line.slowest for line in report.operations)
    assert report.refused.get("seats_unavailable", 0) > 0, "60 buyers who start at once must get in each other's way"


def test_every_kind_of_buyer_was_there(finished: Finished) -> None:
    for kind in ("replayed", "released", "abandoned", "cancelled", "joined waitlist", "promoted"):
        assert finished.report.tallies[kind] > 0, f"seed {finished.options.seed} has no buyer for: {kind}"


class _OneConnection:
    """A pool of the one connection whose transaction is rolled back in the end, whatever a test has broken in it."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    def acquire(self) -> Any:
        @asynccontextmanager
        async def lend() -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
            yield self._connection

        return lend()


CORRUPTIONS = [
    (
        "a seat is sold a second time",
        """drop index one_live_booking_per_seat;
        insert into booking_seats (event_id, booking_id, seat_no)
        select l.event_id, b.booking_id, l.seat_no from booking_seats l
          join bookings b on b.event_id = l.event_id and b.status = 'active' and b.booking_id <> l.booking_id
         where l.event_id = $EVENT and l.released_at is null limit 1""",
        "0 double sales",
    ),
    (
        "a booking is another user's",
        """update bookings set user_id = gen_random_uuid() where booking_id =
           (select booking_id from bookings where event_id = $EVENT and status = 'active' limit 1)""",
        "0 lost bookings",
    ),
    (
        "a booking is lost without a trace",
        """create temp table lost as select booking_id from bookings
            where event_id = $EVENT and status = 'active' and hold_id is not null limit 1;
        delete from mails where booking_id in (select * from lost);
        delete from booking_seats where booking_id in (select * from lost);
        delete from bookings where booking_id in (select * from lost)""",
        "0 lost bookings",
    ),
    (
        "there is a booking that nobody made",
        """insert into holds (hold_id, event_id, user_id, seat_nos, status, created_at, expires_at, ended_at)
           values ('00000000-0000-0000-0000-0000000000aa', $EVENT, gen_random_uuid(), '{Hall-A-1}', 'converted',
                   now() - interval '1 minute', now() + interval '1 minute', now());
        insert into bookings (booking_id, event_id, user_id, hold_id, seat_nos, seats_count, idempotency_key,
                              created_at, updated_at)
        values (gen_random_uuid(), $EVENT, gen_random_uuid(), '00000000-0000-0000-0000-0000000000aa', '{Hall-A-1}', 1,
                'k', now(), now())""",
        "0 bookings unasked for",
    ),
    (
        "the counter of the booked seats is off",
        "update events set booked_count = booked_count - 1 where event_id = $EVENT",
        "counters are equal",
    ),
    (
        "a seat is free again",
        "update seats set status = 'available', booking_id = null where event_id = $EVENT and seat_no = 'Hall-A-1'",
        "sold out",
    ),
    (
        "a promotion is undone in the queue",
        """update waitlist_entries set status = 'waiting' where entry_id =
           (select entry_id from waitlist_entries where event_id = $EVENT and status = 'promoted' limit 1)""",
        "waitlist in order",
    ),
    (
        "a mail is gone",
        """delete from mails where (booking_id, kind) in
           (select booking_id, kind from mails where event_id = $EVENT and kind <> 'booking_cancelled' limit 1)""",
        "every booking has its mail",
    ),
    (
        "a mail has waited for an hour",
        """update mails set sent_at = null, created_at = created_at - interval '1 hour' where (booking_id, kind) in
           (select booking_id, kind from mails where event_id = $EVENT limit 1)""",
        "every booking has its mail",
    ),
    (
        "an abandoned hold never ended",
        """update holds set status = 'active', ended_at = null
            where hold_id = (select hold_id from holds where event_id = $EVENT and status = 'expired' limit 1)""",
        "holds end as they should",
    ),
    (
        "history has a gap",
        """delete from seat_changes where event_id = $EVENT and version = 70""",
        "all other laws hold",
    ),
]


@pytest.mark.parametrize(("statements", "line"), [c[1:] for c in CORRUPTIONS], ids=[c[0] for c in CORRUPTIONS])
@pytest.mark.anyio
async def test_the_audit_finds_what_is_broken_in_the_database(finished: Finished, statements: str, line: str) -> None:
    async with rolled_back(finished) as connection:
        await connection.execute(statements.replace("$EVENT", f"'{finished.record.event_id}'"))
        assert line in await red_lines(finished, connection)


@pytest.mark.anyio
async def test_the_audit_finds_nothing_in_the_database_as_it_is(finished: Finished) -> None:
    async with rolled_back(finished) as connection:
        assert await red_lines(finished, connection) == set()


@asynccontextmanager
async def rolled_back(finished: Finished) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to the application's database on which nothing lasts."""
    connection = await asyncpg.connect(finished.served.dsn)
    try:
        await set_json_codecs(connection)
        # The audit asks in a snapshot, and one cannot begin inside of another kind of transaction.
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        yield connection
        await transaction.rollback()
    finally:
        await connection.close()


async def red_lines(finished: Finished, connection: "asyncpg.Connection[asyncpg.Record]") -> set[str]:
    pool = cast(Pool, _OneConnection(connection))
    evidence = await collect_evidence(
        finished.record, store=DemoStore(pool), audit=AuditStore(pool), user_seats_max=SHARE
    )
    return {check.name for check in judge(evidence) if not check.passed}


@pytest.mark.anyio
async def test_what_cannot_be_given_is_refused_with_a_reason(finished: Finished, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"name": "x"}')
    cases = [
        (DemoOptions(finished.served.url, plan=finished.options.plan, buyers=5), "send more buyers"),
        (DemoOptions(finished.served.url, plan=broken, buyers=500), "seating plan is not valid"),
        (DemoOptions(finished.served.url, plan=tmp_path / "none.json", buyers=500), "cannot be read"),
        (DemoOptions(f"http://127.0.0.1:{free_port()}", plan=finished.options.plan, buyers=60), "overbookr serve"),
    ]
    async with backstage(finished.served) as (pool, users, audit):
        for options, reason in cases:
            with pytest.raises(DemoRefused, match=reason):
                await run_demo(options, pool=pool, users=users, audit=audit, secret=SECRET.encode())
        options = DemoOptions(finished.served.url, plan=finished.options.plan, buyers=60)
        with pytest.raises(DemoRefused, match="another database or secret"):
            await run_demo(options, pool=pool, users=users, audit=audit, secret=b"another secret that is long enough..")


@pytest.mark.anyio
async def test_a_sale_that_does_not_sell_out_in_time_fails(finished: Finished) -> None:
    options = DemoOptions(finished.served.url, plan=finished.options.plan, buyers=60, seed=3, seconds_max=0.05)
    async with backstage(finished.served) as (pool, users, audit):
        report = await run_demo(options, pool=pool, users=users, audit=audit, secret=SECRET.encode())
    assert report.ended_early == TIME_WAS_UP
    assert not report.passed


def test_the_command_writes_its_report_and_says_by_its_exit_code_whether_all_is_well(
    start_server: Callable[..., Served], tmp_path: Path
) -> None:
    served = start_server(OVERBOOKR_MAIL_FROM="Demo command <demo@localhost>")
    plan = tmp_path / "hall.json"
    plan.write_bytes(plan_bytes(rows=3, seats=8))
    variables = environment(served.dsn, served.data_dir, {"OVERBOOKR_PUBLIC_URL": served.url})

    def demo(report: str) -> "subprocess.CompletedProcess[str]":
        arguments = ["--plan", str(plan), "--buyers", "24", "--seed", "5", "--json", str(tmp_path / report)]
        command = [sys.executable, "-m", "overbookr", "demo", *arguments]
        return subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = demo("first.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--seed 5" in done.stdout
    assert json.loads((tmp_path / "first.json").read_bytes())["passed"] is True

    async def corrupt() -> None:
        connection = await asyncpg.connect(served.dsn)
        await connection.execute("update events set waiting_count = waiting_count + 1")
        await connection.close()

    asyncio.run(corrupt())
    done = demo("second.json")
    assert done.returncode == 1, done.stdout + done.stderr
    assert json.loads((tmp_path / "second.json").read_bytes())["passed"] is False


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_server_that_goes_away_ends_the_sale_and_fails_it(
    start_server: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = start_server(OVERBOOKR_MAIL_FROM="Demo cut short <demo@localhost>")
    plan = tmp_path / "hall.json"
    plan.write_bytes(plan_bytes(rows=8, seats=10))
    options = DemoOptions(served.url, plan=plan, buyers=200, seed=1, connections=4)
    # What is tested is that patience ends, not how long it lasts.
    monkeypatch.setattr(client, "ATTEMPTS_MAX", 3)

    @asynccontextmanager
    async def cut_short(scene: Scene) -> AsyncIterator[None]:
        async def stop_server() -> None:
            while len(scene.ledger.bookings) < 3:
                await asyncio.sleep(0.01)
            os.killpg(served.process.pid, signal.SIGKILL)

        task = asyncio.create_task(stop_server())
        yield
        await task

    async with backstage(served) as (pool, users, audit):
        secret = SECRET.encode()
        report = await run_demo(options, pool=pool, users=users, audit=audit, secret=secret, show_progress=cut_short)
    assert report.ended_early == SERVER_WAS_GONE
    assert not report.passed
    red = {check.name for check in report.audit if not check.passed}
    assert "sold out" in red
    # However hard the end: nothing that was acknowledged is lost, and nothing is sold twice.
    assert red.isdisjoint({"0 double sales", "0 lost bookings", "repeats change nothing", "every booking has its mail"})
