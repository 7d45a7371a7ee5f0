"""What is on sale in the overload part: seats enough that every command can succeed, and who wants which."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from overbookr.database.pool import session_settings
from overbookr.ids import new_id
from overbookr.seats.natural_order import natural_key
from overbookr.users.tokens import issue_access
from tests.house.people import create_users

SHARE: Final = 10
_LABEL_DIGITS: Final = 6
_SEATS_PER_CALL: Final = 5_000


class Venue(msgspec.Struct, frozen=True):
    """Seat k of the house is seat `k // len(event_ids)` of event `k % len(event_ids)`; its user is worked out too."""

    event_ids: list[UUID]
    seats_of_event: int
    tokens: list[str]

    @property
    def seats(self) -> int:
        return len(self.event_ids) * self.seats_of_event

    def place(self, number: int) -> tuple[int, int, int]:
        """Event, label and user of the seat of this number. Nobody gets more than the share of one event."""
        label, event = divmod(number, len(self.event_ids))
        return event, label, (label // SHARE + event) % len(self.tokens)


@dataclass(frozen=True)
class Requests:
    """Requests as bytes, most of them made beforehand."""

    venue: Venue
    hold_heads: list[bytes]
    book_heads: list[bytes]
    hold_bodies: list[bytes]
    book_bodies: list[bytes]

    def hold(self, number: int) -> bytes:
        event, label, user = self.venue.place(number)
        return b'%b%b"S%06d"]}' % (self.hold_heads[user], self.hold_bodies[event], label)

    def book(self, number: int, hold_token: bytes) -> bytes:
        event, _, user = self.venue.place(number)
        return b"%bIdempotency-Key: k%d\r\n\r\n%b%b\"}" % (
            self.book_heads[user], number, self.book_bodies[event], hold_token,
        )  # fmt: skip


def requests_of(venue: Venue) -> Requests:
    hold_bodies = [f'{{"event_id":"{event_id}","seat_nos":['.encode() for event_id in venue.event_ids]
    book_bodies = [f'{{"event_id":"{event_id}","hold_token":"'.encode() for event_id in venue.event_ids]
    hold_length = len(hold_bodies[0]) + _LABEL_DIGITS + len('"S"]}')
    book_length = len(book_bodies[0]) + 36 + len('"}')

    def head(path: str, token: str, length: int, end: str) -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\nHost: proof\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n{end}"
        ).encode()

    return Requests(
        venue,
        [head("/holds", token, hold_length, "\r\n") for token in venue.tokens],
        [head("/bookings", token, book_length, "") for token in venue.tokens],
        hold_bodies,
        book_bodies,
    )


async def open_venue(dsn: str, secret: str, *, events: int, seats_of_event: int) -> Venue:
    """Build a venue in a migrated database. There are users enough for every seat to have one within the share."""
    users = -(-seats_of_event // SHARE)
    settings = {name: value for name, value in session_settings(write=True).items() if not name.endswith("timeout")}
    connection = await asyncpg.connect(dsn, server_settings=settings)
    try:
        user_ids = await create_users(connection, users)
        event_ids = [new_id() for _ in range(events)]
        labels = [f"S{number:0{_LABEL_DIGITS}}" for number in range(seats_of_event)]
        keys = [natural_key(label) for label in labels]
        for event_id in event_ids:
            await connection.execute(
                """insert into events (event_id, name, venue, start_time)
                   values ($1, 'A show', 'A house', now() + interval '30 days')""",
                event_id,
            )
            for start in range(0, seats_of_event, _SEATS_PER_CALL):
                part = slice(start, start + _SEATS_PER_CALL)
                ids = [new_id() for _ in labels[part]]
                await connection.execute(
                    "select add_seats_v1($1, $2, $3, $4, $5)", event_id, ids, labels[part], keys[part], SHARE
                )
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
    tokens = [issue_access(secret.encode(), user_id, 1, 3 * 3600) for user_id in user_ids]
    return Venue(event_ids, seats_of_event, tokens)


def save(venue: Venue, path: Path) -> None:
    path.write_bytes(msgspec.json.encode(venue))


def load(path: Path) -> Venue:
    return msgspec.json.decode(path.read_bytes(), type=Venue)
