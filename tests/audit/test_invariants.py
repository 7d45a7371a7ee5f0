"""Each law notices its breach, nobody changes anything by looking, and what can be put right is."""

import asyncio
from uuid import UUID

import pytest

from overbookr.audit.duties import Reconciler
from overbookr.audit.store import LAWS, QUIESCENT_LAWS, AuditStore
from overbookr.database.pool import Pool
from tests.audit import house
from tests.audit.corruptions import CORRUPTIONS, Corruption

pytestmark = pytest.mark.anyio


def test_every_law_has_a_corruption_that_breaks_it() -> None:
    assert set().union(*(corruption.breaks for corruption in CORRUPTIONS)) == set(LAWS + QUIESCENT_LAWS)


async def test_a_sound_house_breaks_no_law(store: AuditStore) -> None:
    report = await store.check(house.SHARE, quiescent=True)
    assert report.violations == {}
    assert report.is_clean
    assert set(report.counts) == set(LAWS + QUIESCENT_LAWS)
    assert report.population["events"] == 3
    assert report.population["seats"] == 18
    assert report.population["bookings"] == 7
    assert (await store.plan_repairs([house.SHOW, house.QUEUE, house.GONE])).is_empty


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
async def test_a_corruption_is_noticed_left_alone_and_then_repaired(
    pool: Pool, store: AuditStore, corruption: Corruption
) -> None:
    await pool.execute(corruption.statements)
    before = await house.checksums(pool)
    found = await _exactly_the_right_laws_notice(store, corruption)
    await _reconcilers_report_and_plan(store, corruption)
    assert await house.checksums(pool) == before

    plan = await store.plan_repairs(found)
    assert await store.apply_repairs(found, house.SHARE) == plan
    if not plan.steps:
        assert await house.checksums(pool) == before
    report = await store.check(house.SHARE, quiescent=True)
    assert set(report.violations) == corruption.after
    again = await store.apply_repairs(found, house.SHARE)
    assert (again.steps, again.left) == ([], plan.left)


async def _exactly_the_right_laws_notice(store: AuditStore, corruption: Corruption) -> frozenset[UUID]:
    report = await store.check(house.SHARE, quiescent=True)
    assert set(report.violations) == corruption.breaks
    for law in corruption.breaks:
        assert 1 <= report.counts[law] == len(report.violations[law])
        assert all(len(row) > 1 for row in report.violations[law])
        assert {row["event_id"] for row in report.violations[law]} - {None} <= report.event_ids
    busy = await store.check(house.SHARE)
    assert set(busy.violations) == corruption.breaks - set(QUIESCENT_LAWS)
    return report.event_ids


async def _reconcilers_report_and_plan(store: AuditStore, corruption: Corruption) -> None:
    gauges: list[dict[str, int]] = [{}, {}]
    duties = [
        Reconciler(store, user_seats_max=house.SHARE, set_invariant_violations=gauge.__setitem__, is_busy=lambda: False)
        for gauge in gauges
    ]
    assert await asyncio.gather(*(duty.run_once() for duty in duties)) == [0, 0]
    for gauge in gauges:
        assert set(gauge) == set(LAWS)
        assert {law for law, count in gauge.items() if count} == corruption.breaks - set(QUIESCENT_LAWS)


async def test_a_report_names_a_hundred_rows_and_counts_them_all(pool: Pool, store: AuditStore) -> None:
    await pool.execute(
        "insert into events (event_id, name, venue, start_time, seats_count)"
        " select gen_random_uuid(), 'x', 'y', now(), 1 from generate_series(1, 1234)"
    )
    report = await store.check(house.SHARE)
    assert set(report.violations) == {"seats_count_is_true"}
    assert report.counts["seats_count_is_true"] == report.total == 1234
    assert len(report.violations["seats_count_is_true"]) == 100
    assert len(report.event_ids) == 1234
