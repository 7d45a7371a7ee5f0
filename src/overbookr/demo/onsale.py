"""The run: an event goes on sale, everybody wants in at once, and the house must end sold out."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from overbookr.audit.store import AuditStore
from overbookr.database.pool import Pool
from overbookr.demo.batches import BatchFigures, compare_metrics
from overbookr.demo.client import Client, open_client
from overbookr.demo.ledger import Ledger
from overbookr.demo.model import DemoOptions, Operation
from overbookr.demo.people import create_buyers, create_organiser
from overbookr.demo.preparation import create_event, read_house
from overbookr.demo.recorder import Recorder
from overbookr.demo.report import DemoReport, make_report
from overbookr.demo.sale import Sale, SaleTimes
from overbookr.demo.scene import Scene, SeatMap
from overbookr.demo.store import DemoStore
from overbookr.demo.verdict import Evidence
from overbookr.users.store import UserStore

SEED_BITS: Final = 32
MAIL_PATIENCE_SECONDS: Final = 5.0
MAIL_SECONDS_MAX: Final = 60.0
_MAIL_PAUSE = 0.1

ShowProgress = Callable[[Scene], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class SaleRecord:
    """All that is known of a sale from the buyers' side."""

    event_id: UUID
    venue: str
    seats: int
    seed: int
    ledger: Ledger
    recorder: Recorder
    times: SaleTimes
    batches: list[BatchFigures]
    ended_early: str


async def run_demo(
    options: DemoOptions,
    *,
    pool: Pool,
    users: UserStore,
    audit: AuditStore,
    secret: bytes,
    show_progress: ShowProgress | None = None,
) -> DemoReport:
    """Put an event on sale on the server at `options.base_url` and let the buyers fight for it.

    `pool`, `users` and `audit` must be on the server's database and `secret` must be the one it signs tokens with:
    accounts are made directly, and the books are audited directly; everything between goes over HTTP. What goes wrong
    during the sale is in the report. Raises DemoRefused when it cannot be given at all.
    """
    store = DemoStore(pool)
    record = await hold_sale(options, store=store, users=users, secret=secret, show_progress=show_progress)
    await _let_mails_go_out(store, record.event_id)
    evidence = await collect_evidence(record, store=store, audit=audit, user_seats_max=options.user_seats_max)
    return report_on(options, record, evidence)


async def hold_sale(
    options: DemoOptions,
    *,
    store: DemoStore,
    users: UserStore,
    secret: bytes,
    show_progress: ShowProgress | None = None,
) -> SaleRecord:
    """The sale without the audit. Raises DemoRefused."""
    house, plan = read_house(options)
    seed = random.SystemRandom().getrandbits(SEED_BITS) if options.seed is None else options.seed
    recorder = Recorder()
    async with open_client(options.base_url, options.connections, recorder) as client:
        organiser = await create_organiser(users, secret)
        about = {"demo": True, "seed": seed, "buyers": options.buyers}
        event_id = await create_event(client, organiser, house, plan=plan, about=about)
        people = await create_buyers(users, secret, options.buyers)
        scene = Scene(client, house, event_id, recorder, SeatMap(client, house, event_id, recorder))
        sale = Sale(scene, store, options, seed, people)
        before = await _read_metrics(client)
        async with show_progress(scene) if show_progress is not None else nullcontext():
            await sale.run()
        batches = compare_metrics(before, await _read_metrics(client))
    return SaleRecord(
        event_id=event_id,
        venue=house.name,
        seats=len(house.seat_nos),
        seed=seed,
        ledger=scene.ledger,
        recorder=recorder,
        times=sale.times,
        batches=batches,
        ended_early=sale.ended_early,
    )


def report_on(options: DemoOptions, record: SaleRecord, evidence: Evidence) -> DemoReport:
    return make_report(
        options,
        evidence,
        seed=record.seed,
        venue=record.venue,
        times=record.times,
        batches=record.batches,
        ended_early=record.ended_early,
    )


async def collect_evidence(record: SaleRecord, *, store: DemoStore, audit: AuditStore, user_seats_max: int) -> Evidence:
    """What the buyers were told beside what the database has kept."""
    return Evidence(
        seats=record.seats,
        event_id=record.event_id,
        ledger=record.ledger,
        recorder=record.recorder,
        house=await store.read_house(record.event_id),
        bookings=await store.read_bookings(record.event_id),
        abandoned=await store.read_holds(record.event_id, record.ledger.abandoned),
        audit=await audit.check(user_seats_max, quiescent=True),
    )


async def _let_mails_go_out(store: DemoStore, event_id: UUID) -> None:
    """Give the mails of a busy minute the time to go out, as long as they do."""
    unsent = await store.count_unsent_mails(event_id)
    progress_at = started_at = time.monotonic()
    while unsent and time.monotonic() < min(progress_at + MAIL_PATIENCE_SECONDS, started_at + MAIL_SECONDS_MAX):
        await asyncio.sleep(_MAIL_PAUSE)
        left = await store.count_unsent_mails(event_id)
        if left < unsent:
            progress_at = time.monotonic()
        unsent = left


async def _read_metrics(client: Client) -> str:
    answer = await client.send(Operation.ORGANISE, "GET", client.url("/metrics"), headers={})
    return answer.body.decode("utf-8", "replace")
