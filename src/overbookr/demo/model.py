"""The demonstration: who the simulated buyers are, what they do, and what the server may answer them."""

import random
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

CONNECTIONS_DEFAULT: Final = 256
BUYERS_DEFAULT: Final = 2_000
SECONDS_MAX_DEFAULT: Final = 240.0


class DemoRefused(Exception):
    """The demonstration cannot be given. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`seed` None draws one, which the report names. `plan` None is the theatre that comes along.

    `user_seats_max` and `hold_seats_max` must be the server's; `seconds_max` ends a sale that does not sell out.
    """

    base_url: str
    plan: Path | None = None
    buyers: int = BUYERS_DEFAULT
    seed: int | None = None
    connections: int = CONNECTIONS_DEFAULT
    user_seats_max: int = 10
    hold_seats_max: int = 10
    seconds_max: float = SECONDS_MAX_DEFAULT


class Operation(StrEnum):
    """What a request is for, as the report calls it."""

    LOOK = "availability"
    LIST = "seats read"
    HOLD = "hold"
    REPEAT_HOLD = "hold again"
    BOOK = "book"
    REPLAY = "replay"
    BOOK_TWICE = "book twice"
    RELEASE = "release"
    CANCEL = "cancel"
    JOIN = "join waitlist"
    WATCH = "watch place"
    LEAVE = "leave waitlist"
    OWN = "own bookings"
    ORGANISE = "organise"
    MONITOR = "monitor"


# What each operation may be answered with, by status and code; the codes are those of the wire. Overload (429, 503) and
# a lost connection are allowed everywhere and counted apart. Anything else is an answer outside the contract.
EXPECTED: Final[dict[Operation, frozenset[tuple[int, str]]]] = {
    Operation.LOOK: frozenset({(200, ""), (304, "")}),
    Operation.LIST: frozenset({(200, ""), (304, "")}),
    Operation.HOLD: frozenset({(201, ""), (409, "seats_unavailable"), (409, "hold_limit")}),
    Operation.REPEAT_HOLD: frozenset({(201, "")}),
    Operation.BOOK: frozenset({(201, ""), (409, "hold_expired"), (409, "idempotency_in_flight")}),
    Operation.REPLAY: frozenset({(201, ""), (409, "idempotency_in_flight")}),
    Operation.BOOK_TWICE: frozenset({(409, "hold_already_booked")}),
    Operation.RELEASE: frozenset({(204, ""), (410, "hold_over")}),
    Operation.CANCEL: frozenset({(200, "")}),
    Operation.JOIN: frozenset({(202, ""), (409, "seats_available")}),
    Operation.WATCH: frozenset({(200, ""), (404, "waitlist_entry_not_found")}),
    Operation.LEAVE: frozenset({(204, ""), (404, "waitlist_entry_not_found")}),
    Operation.OWN: frozenset({(200, "")}),
    Operation.ORGANISE: frozenset({(200, ""), (201, "")}),
    Operation.MONITOR: frozenset({(200, ""), (304, "")}),
}


class Ending(StrEnum):
    """What becomes of a buyer's hold."""

    BOOK = "book"
    RELEASE = "release"
    ABANDON = "abandon"


class Repeat(StrEnum):
    """How a buyer repeats the booking request under the same key."""

    NEVER = "never"
    AT_ONCE = "at once"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a buyer has made up their mind to do. `watches` is how often they look at their place before they leave.

    `reach` is how far from the best seats they are willing to sit at first, as a share of the house; `pause` and
    `second_thoughts` are seconds, before the hold is dealt with and before a booking is cancelled.
    """

    seats: int
    ending: Ending
    repeat: Repeat
    reach: float
    pause: float
    second_thoughts: float
    holds_with_key: bool
    repeats_hold: bool
    reads_whole_list: bool
    books_twice: bool
    cancels: bool
    sits_apart: bool
    waits: bool
    watches: int | None


def draw_intent(chance: random.Random) -> Intent:
    """Draws the same for the same state of `chance`, so a run's decisions can be had again by its seed."""
    holds_with_key = chance.random() < 0.35
    return Intent(
        seats=chance.choices((1, 2, 3, 4), (25, 45, 14, 16))[0],
        ending=chance.choices((Ending.BOOK, Ending.RELEASE, Ending.ABANDON), (84, 9, 7))[0],
        repeat=chance.choices((Repeat.NEVER, Repeat.AT_ONCE, Repeat.LATER), (70, 15, 15))[0],
        reach=chance.uniform(0.05, 0.6),
        pause=chance.uniform(0.02, 0.6),
        second_thoughts=chance.uniform(0.3, 3.0),
        holds_with_key=holds_with_key,
        repeats_hold=holds_with_key and chance.random() < 0.3,
        reads_whole_list=chance.random() < 0.02,
        books_twice=chance.random() < 0.04,
        cancels=chance.random() < 0.1,
        sits_apart=chance.random() < 0.7,
        waits=chance.random() < 0.6,
        watches=chance.randint(1, 4) if chance.random() < 0.12 else None,
    )
