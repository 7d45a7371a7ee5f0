"""What buyers were told, and whether a restored database says the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from overbookr.database.pool import Connection

Kind = Literal["booking", "cancellation", "place in the queue"]


@dataclass(frozen=True)
class Acknowledged:
    """An answer of success that somebody has read, at `at` by the machine's clock. `thing` is the id."""

    kind: Kind
    thing: UUID
    event_id: UUID
    user_id: UUID
    seat_nos: tuple[str, ...]
    at: datetime


@dataclass
class Ledger:
    """Answers in the order in which they were read. `giving_up` are bookings whose cancellation was asked for."""

    answers: list[Acknowledged] = field(default_factory=list)
    giving_up: set[UUID] = field(default_factory=set)

    @property
    def bookings(self) -> int:
        return sum(answer.kind == "booking" for answer in self.answers)


@dataclass(frozen=True)
class Mark:
    """A moment by the database's clock. The first `answers` of the ledger had been read before it was asked for."""

    answers: int
    moment: datetime


@dataclass(frozen=True)
class Kept:
    user_id: UUID
    event_id: UUID
    seat_nos: tuple[str, ...]
    status: str


@dataclass
class Restored:
    """A restored database: its bookings and entries, and how many rows of each table are younger than the mark."""

    bookings: dict[UUID, Kept]
    entries: dict[UUID, UUID]
    younger: dict[str, int]
    newest: datetime | None


_YOUNGER = {
    "bookings": "created_at", "holds": "created_at", "waitlist_entries": "created_at", "seat_changes": "at",
    "mails": "created_at",
}  # fmt: skip


async def look(connection: Connection, moment: datetime | None, until: datetime) -> Restored:
    """What is there. Rows of after `until`, when the restored system went to work again, are not the restore's."""
    bookings = await connection.fetch("select booking_id, user_id, event_id, seat_nos, status from bookings")
    entries = await connection.fetch("select entry_id, user_id from waitlist_entries")
    younger = {}
    if moment is not None:
        for table, column in _YOUNGER.items():
            query = f"select count(*) from {table} where {column} > $1 and {column} < $2"
            younger[table] = await connection.fetchval(query, moment, until)
    newest = await connection.fetchval("select max(at) from seat_changes where at < $1", until)
    return Restored(
        {
            row["booking_id"]: Kept(row["user_id"], row["event_id"], tuple(row["seat_nos"]), row["status"])
            for row in bookings
        },
        {row["entry_id"]: row["user_id"] for row in entries},
        younger,
        newest,
    )


def forgotten(answers: Sequence[Acknowledged], restored: Restored) -> list[Acknowledged]:
    """Bookings and places that were acknowledged and are not there."""
    return [
        answer
        for answer in answers
        if (answer.kind == "booking" and answer.thing not in restored.bookings)
        or (answer.kind == "place in the queue" and answer.thing not in restored.entries)
    ]


def differences(ledger: Ledger, mark: Mark, restored: Restored) -> list[str]:
    """A line for each thing that differs from what was acknowledged before the mark, or that is younger than it."""
    answers = ledger.answers[: mark.answers]
    lines = [f"{lost.kind} {lost.thing}, acknowledged at {lost.at}, is gone" for lost in forgotten(answers, restored)]
    for answer in answers:
        if answer.kind == "place in the queue":
            if restored.entries.get(answer.thing, answer.user_id) != answer.user_id:
                lines.append(f"{answer.kind} {answer.thing} is another user's")
            continue
        kept = restored.bookings.get(answer.thing)
        if kept is None:
            continue
        if answer.kind == "cancellation":
            if kept.status != "cancelled":
                lines.append(f"booking {answer.thing}, cancelled before the moment, is {kept.status}")
            continue
        told = (answer.user_id, answer.event_id, sorted(answer.seat_nos))
        if (kept.user_id, kept.event_id, sorted(kept.seat_nos)) != told:
            lines.append(f"booking {answer.thing} is {kept}, and its buyer was told {told}")
        if kept.status != "active" and answer.thing not in ledger.giving_up:
            lines.append(f"booking {answer.thing} is {kept.status}, and nobody asked for that")
    lines += [
        f"{count} rows of {table} are younger than the moment" for table, count in restored.younger.items() if count
    ]
    return lines
