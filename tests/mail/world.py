"""A small theatre in a real database: users, an event, and bookings made by the functions that make real ones."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from overbookr.database.pool import Pool
from overbookr.ids import new_id
from overbookr.mail.model import DueMail, MailContent, MailKind

START = datetime(2031, 5, 3, 19, 30, tzinfo=UTC)
SHARE = 50

WRITE_BATCH = """
select * from write_batch_v1(
  p_lock_event_ids => array[$1::uuid], p_user_seats_max => $2, p_time_to_live => interval '5 minutes', p_again => false,
  p_hold_event_ids => $3, p_hold_ids => $4, p_hold_user_ids => $5, p_hold_keys => $6,
  p_hold_seat_commands => $7, p_hold_seat_nos => $8,
  p_book_event_ids => $9, p_book_hold_ids => $10, p_book_user_ids => $11, p_book_booking_ids => $12, p_book_keys => $13,
  p_release_event_ids => '{}', p_release_hold_ids => '{}',
  p_cancel_event_ids => $14, p_cancel_booking_ids => $15, p_cancel_exempt => $16,
  p_join_event_ids => $17, p_join_entry_ids => $18, p_join_user_ids => $19, p_join_seats => $20)
"""


class World:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.event_id = new_id()

    async def open(self, seat_nos: list[str]) -> None:
        await self.pool.execute(
            "insert into events (event_id, name, venue, start_time) values ($1, 'Hamlet & Söhne', 'Globe', $2)",
            self.event_id,
            START,
        )
        assert await self.pool.fetchval(
            "select add_seats_v1($1, $2, $3, $4, $5)",
            self.event_id,
            [new_id() for _ in seat_nos],
            seat_nos,
            [f"{seat_no[0]}{int(seat_no[1:]):06d}" for seat_no in seat_nos],
            SHARE,
        )

    async def user(self, email: str = "{}@example.org") -> UUID:
        user_id = new_id()
        await self.pool.execute(
            "insert into users (user_id, name, email, password_hash) values ($1, $2, $3, 'x')",
            user_id,
            "Zoë Q. O'Hara",
            email.format(user_id),
        )
        return user_id

    async def book(self, user_id: UUID, seat_nos: list[str], *, connection: Any = None) -> UUID:
        hold_id, booking_id = new_id(), new_id()
        await self._write(
            "hold_placed",
            connection,
            hold=([self.event_id], [hold_id], [user_id], [None], [1] * len(seat_nos), seat_nos),
        )
        await self._write(
            "hold_booked", connection, book=([self.event_id], [hold_id], [user_id], [booking_id], [str(hold_id)])
        )
        return booking_id

    async def cancel(self, booking_id: UUID) -> None:
        await self._write("booking_cancelled", None, cancel=([self.event_id], [booking_id], [False]))

    async def join(self, user_id: UUID, seats: int) -> None:
        await self._write("waiting", None, join=([self.event_id], [new_id()], [user_id], [seats]))

    async def bookings(self, count: int) -> list[UUID]:
        return [await self.book(await self.user(), [f"A{number}"]) for number in range(1, count + 1)]

    async def row(self, booking_id: UUID, kind: str = "booking_confirmed") -> Any:
        return await self.pool.fetchrow(
            "select *, extract(epoch from next_attempt_at - clock_timestamp())::float8 as due_in_seconds"
            " from mails where booking_id = $1 and kind = $2",
            booking_id,
            kind,
        )

    async def make_all_due(self) -> None:
        await self.pool.execute("update mails set next_attempt_at = clock_timestamp() where sent_at is null")

    async def _write(
        self,
        expected: str,
        connection: Any,
        *,
        hold: tuple[Any, ...] = ([],) * 6,
        book: tuple[Any, ...] = ([],) * 5,
        cancel: tuple[Any, ...] = ([],) * 3,
        join: tuple[Any, ...] = ([],) * 4,
    ) -> None:
        rows = await (connection or self.pool).fetch(WRITE_BATCH, self.event_id, SHARE, *hold, *book, *cancel, *join)
        assert [row["outcome"] for row in rows] == [expected]


def due_mail(kind: MailKind = MailKind.BOOKING_CONFIRMED, **changes: Any) -> DueMail:
    """A claimed mail that never was in a database."""
    content: dict[str, Any] = {
        "user_name": "Ada",
        "user_email": "ada@example.org",
        "event_name": "Hamlet",
        "venue": "Globe",
        "start_time": START,
        "seat_nos": ("A1", "A2", "A10"),
        "is_cancelled": False,
    }
    return DueMail(
        booking_id=uuid.UUID(int=7),
        event_id=uuid.UUID(int=8),
        kind=kind,
        attempts=1,
        content=MailContent(**(content | changes)),
    )
