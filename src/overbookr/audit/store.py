"""The SQL of audits and repairs."""

import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from overbookr import limits
from overbookr.audit.model import FINDINGS_MAX, ROWS_PER_LAW_MAX, AuditReport, Finding, RepairPlan, RepairStep, plan_of
from overbookr.database import errors
from overbookr.database.pool import Connection, Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.ids import new_id

log = structlog.get_logger(__name__)

_QUERIES = load_queries("overbookr.audit")
_INVARIANTS = load_queries("overbookr.audit", "invariants.sql")

LAWS = tuple(name for name in _INVARIANTS if not name.startswith("quiescent_"))
QUIESCENT_LAWS = tuple(name for name in _INVARIANTS if name.startswith("quiescent_"))

_SECONDS_MAX = 600.0
_ROWS_PER_FETCH = 1_000


class AuditStore:
    """Looks at everything, repairs one event at a time. Uses one connection of `pool` for as long as it takes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def check(self, user_seats_max: int, *, quiescent: bool = False) -> AuditReport:
        """Ask every law in one snapshot; `user_seats_max` is a user's share of an event.

        `quiescent` asks too what holds only once the house has been still for a while: no overdue hold, no waiter who
        could be served, no unsent mail. Takes no locks and changes nothing.
        """
        started = time.monotonic()
        violations: dict[str, list[dict[str, Any]]] = {}
        counts: dict[str, int] = {}
        event_ids: set[UUID] = set()
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await _allow_a_long_look(connection)
            population = await connection.fetchrow(_QUERIES.population, timeout=_SECONDS_MAX)
            assert population is not None
            for law in LAWS + (QUIESCENT_LAWS if quiescent else ()):
                rows, counts[law] = await _ask(connection, _INVARIANTS[law], user_seats_max, event_ids)
                if rows:
                    violations[law] = rows
        numbers = dict(population)
        return AuditReport(
            at=numbers.pop("at"),
            seconds=time.monotonic() - started,
            violations=violations,
            counts=counts,
            population=numbers,
            event_ids=frozenset(event_ids),
        )

    async def record(self, report: AuditReport) -> None:
        """Keep what was found, for people to look at."""
        async with self._pool.acquire() as connection:
            await connection.execute(
                _QUERIES.record_audit,
                new_id(),
                report.at,
                report.seconds,
                report.population,
                report.counts,
                report.violations,
                FINDINGS_MAX,
            )

    async def page(self, *, limit: int, offset: int) -> tuple[list[Finding], int]:
        """A page of what audits found, newest first, and how much there is in all."""
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(_QUERIES.list_audits, limit, offset)
            total = await connection.fetchval(_QUERIES.count_audits)
        return [Finding(*row) for row in rows], total

    async def plan_repairs(self, event_ids: Iterable[UUID]) -> RepairPlan:
        """What would be done about these events and the counts of sales, what is left to people. Changes nothing."""
        steps: list[RepairStep] = []
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await _allow_a_long_look(connection)
            for event_id in sorted(event_ids):
                rows = await connection.fetch(_QUERIES.plan_event_repairs, event_id, timeout=_SECONDS_MAX)
                steps += _steps(event_id, rows)
            steps += _steps(None, await connection.fetch(_QUERIES.plan_sales_repair, timeout=_SECONDS_MAX))
        return plan_of(steps)

    async def apply_repairs(self, event_ids: Iterable[UUID], user_seats_max: int) -> RepairPlan:
        """Repair these events, each in its own transaction under its lock, and then the counts of sales; what was done
        and what is left to people.

        What is done is planned anew under the lock, so it may differ from an earlier plan. An event whose repair the
        database refuses stays as it is and is left to people as `repair_was_refused`. Check again afterwards.
        """
        steps: list[RepairStep] = []
        async with self._pool.acquire() as connection:
            for event_id in sorted(event_ids):
                try:
                    # Not a snapshot: what is decided under the lock must see what was committed before it.
                    async with connection.transaction(isolation="read_committed"):
                        await _allow_a_long_look(connection)
                        rows = await connection.fetch(
                            _QUERIES.repair_event, event_id, user_seats_max, timeout=_SECONDS_MAX
                        )
                except asyncpg.PostgresError as error:
                    if errors.is_connection_lost(error):
                        raise
                    log.error("repair_was_refused", event_id=event_id, error=str(error))
                    steps.append(RepairStep(event_id, "repair_was_refused", False, str(error), {}))
                else:
                    steps += _steps(event_id, rows)
            async with connection.transaction(isolation="read_committed"):
                await _allow_a_long_look(connection)
                steps += _steps(None, await connection.fetch(_QUERIES.repair_sales, timeout=_SECONDS_MAX))
        return plan_of(steps)


async def _allow_a_long_look(connection: Connection) -> None:
    await connection.execute(_QUERIES.allow_a_long_look, str(round(_SECONDS_MAX * 1000)))


async def _ask(
    connection: Connection, query: str, user_seats_max: int, event_ids: set[UUID]
) -> tuple[list[dict[str, Any]], int]:
    """The first rows that break a law, and how many there are; their events are added to `event_ids`."""
    arguments = (user_seats_max,) if "$1" in query else ()
    cursor = await connection.cursor(query, *arguments, timeout=_SECONDS_MAX)
    rows: list[dict[str, Any]] = []
    count = 0
    while batch := await cursor.fetch(_ROWS_PER_FETCH, timeout=_SECONDS_MAX):
        count += len(batch)
        event_ids.update(row["event_id"] for row in batch if row["event_id"] is not None)
        rows += [dict(row) for row in batch[: ROWS_PER_LAW_MAX - len(rows)]]
    return rows, count


def _steps(event_id: UUID | None, rows: list[asyncpg.Record]) -> list[RepairStep]:
    return [RepairStep(event_id, row["kind"], row["repairable"], row["description"], row["parameters"]) for row in rows]
