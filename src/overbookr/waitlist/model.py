"""The waitlist: who is served when seats come free, in the order of joining."""

from collections.abc import Hashable, Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class JoinWaitlist(msgspec.Struct, frozen=True):
    event_id: UUID
    entry_id: UUID
    user_id: UUID
    requested_seats: int

    def keys(self) -> Iterable[Hashable]:
        return ((self.event_id, self.user_id),)


class WaitlistJoined(msgspec.Struct, frozen=True):
    """`position` 1 is next."""

    entry_id: UUID
    position: int
    created_at: datetime


class WaitlistRefusal(StrEnum):
    """Refusals that need no more than their name, which is the stable code of the wire."""

    EVENT_NOT_FOUND = "event_not_found"
    NOT_ON_SALE = "not_on_sale"
    ALREADY_WAITING = "already_waiting"
    SEATS_AVAILABLE = "seats_available"
    HOLD_LIMIT = "hold_limit"


JoinWaitlistOutcome = WaitlistJoined | WaitlistRefusal


class WaitlistEntry(msgspec.Struct, frozen=True):
    """An entry as its user sees it. `position` is live: 1 is next."""

    id: UUID
    event_id: UUID
    position: int
    requested_seats: int
    status: str
    created_at: datetime


class QueuedUser(msgspec.Struct, frozen=True):
    """An entry as an organiser sees it; name and e-mail are null when the account is gone."""

    id: UUID
    event_id: UUID
    user_id: UUID
    name: str | None
    email: str | None
    position: int
    requested_seats: int
    status: str
    created_at: datetime
