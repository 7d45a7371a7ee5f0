"""What audits found is kept: alike ones as one, for people to look at."""

import asyncio
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from overbookr.audit import store as audit_store
from overbookr.audit.duties import Reconciler
from overbookr.audit.model import AuditReport
from overbookr.audit.store import LAWS, AuditStore
from overbookr.database.pool import Pool
from tests.audit import house

pytestmark = pytest.mark.anyio

BREAK = "update events set seats_count = seats_count + 1 where event_id = $1"
MEND = "update events set seats_count = seats_count - 1 where event_id = $1"


def duty(store: AuditStore) -> Reconciler:
    return Reconciler(
        store, user_seats_max=house.SHARE, set_invariant_violations=lambda law, count: None, is_busy=lambda: False
    )


async def test_audits_that_find_the_same_are_one_finding(pool: Pool, store: AuditStore) -> None:
    for statement in (None, None, BREAK, None, None, MEND):
        if statement is not None:
            await pool.execute(statement, house.SHOW)
        await duty(store).run_once()
    findings, total = await store.page(limit=10, offset=0)
    assert total == 3
    assert [finding.times for finding in findings] == [1, 3, 2]
    sound_again, broken, sound = findings
    assert set(broken.counts) == set(LAWS)
    assert broken.counts["seats_count_is_true"] == 1
    assert [row["event_id"] for row in broken.findings["seats_count_is_true"]] == [str(house.SHOW)]
    assert sound.findings == sound_again.findings == {}
    assert sound.population["seats"] == 18
    assert sound.first_at < sound.last_at < broken.first_at < broken.last_at < sound_again.first_at
    assert (await store.page(limit=1, offset=1))[0] == [broken]


async def test_two_processes_keep_one_finding(store: AuditStore) -> None:
    await asyncio.gather(*(duty(store).run_once() for _ in range(6)))
    findings, total = await store.page(limit=10, offset=0)
    assert total == 1
    # Whoever looked before the other but told later has nothing new to tell.
    assert 1 <= findings[0].times <= 6


async def test_what_was_found_is_told_even_where_it_cannot_be_kept(pool: Pool, store: AuditStore) -> None:
    await pool.execute("drop table audits")
    told: dict[str, int] = {}
    reconciler = Reconciler(
        store, user_seats_max=house.SHARE, set_invariant_violations=told.__setitem__, is_busy=lambda: False
    )
    with pytest.raises(asyncpg.PostgresError):
        await reconciler.run_once()
    assert told == dict.fromkeys(LAWS, 0)


async def test_old_findings_make_room(store: AuditStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_store, "FINDINGS_MAX", 3)
    report = await store.check(house.SHARE)
    for number in range(5):
        changed: AuditReport = msgspec.structs.replace(
            report, at=report.at + timedelta(minutes=number), counts=report.counts | {"no_double_sale": number}
        )
        await store.record(changed)
    findings, total = await store.page(limit=10, offset=0)
    assert total == 3
    assert [finding.counts["no_double_sale"] for finding in findings] == [4, 3, 2]
