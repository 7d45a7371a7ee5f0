"""The outbox as the delivery duty needs it. Every call is one statement and one transaction of its own."""

from __future__ import annotations

import asyncpg

from overbookr.database.pool import Pool
from overbookr.database.sql import load_queries
from overbookr.mail.model import Backlog, DueMail, MailContent, MailKind

_QUERIES = load_queries(__package__)


class MailStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim_next(self, lease_seconds: float) -> DueMail | None:
        """The mail that has been due for longest, which nobody else is given before the lease runs out."""
        row = await self._pool.fetchrow(_QUERIES.claim_next_mail, lease_seconds)
        return None if row is None else _due_mail(row)

    async def mark_sent(self, mail: DueMail) -> None:
        await self._pool.execute(_QUERIES.mark_mail_sent, mail.booking_id, mail.event_id, mail.kind)

    async def defer(self, mail: DueMail, delay_seconds: float, reason: str) -> None:
        """Try again after the delay. Changes nothing when another worker has claimed the mail since."""
        await self._pool.execute(
            _QUERIES.defer_mail, mail.booking_id, mail.event_id, mail.kind, mail.attempts, delay_seconds, reason
        )

    async def fail(self, mail: DueMail, reason: str) -> None:
        """Give the mail up. Changes nothing when another worker has claimed it since."""
        await self._pool.execute(_QUERIES.fail_mail, mail.booking_id, mail.event_id, mail.kind, mail.attempts, reason)

    async def backlog(self) -> Backlog:
        row = await self._pool.fetchrow(_QUERIES.mail_backlog)
        assert row is not None
        return Backlog(waiting=row["waiting"], failed=row["failed"], oldest_seconds=row["oldest_seconds"])

    async def requeue_failed(self) -> int:
        """Make every mail that was given up due again, with all its attempts. Returns how many there were."""
        status: str = await self._pool.execute(_QUERIES.requeue_failed_mails)
        return int(status.rpartition(" ")[2])


def _due_mail(row: asyncpg.Record) -> DueMail:
    missing = next((part for part in ("booking", "user", "event") if not row[f"has_{part}"]), None)
    content = None
    if missing is None:
        content = MailContent(
            user_name=row["user_name"],
            user_email=row["user_email"],
            event_name=row["event_name"],
            venue=row["venue"],
            start_time=row["start_time"],
            seat_nos=tuple(row["seat_nos"]),
            is_cancelled=row["is_cancelled"],
        )
    return DueMail(
        booking_id=row["booking_id"],
        event_id=row["event_id"],
        kind=MailKind(row["kind"]),
        attempts=row["attempts"],
        content=content,
        missing=missing,
        overdue_seconds=row["overdue_seconds"],
    )
