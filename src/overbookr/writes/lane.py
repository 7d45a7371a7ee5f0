"""A lane: one connection's worth of the write path, through which all commands of an event go.

A batch is one call of one SQL function, hence one transaction and one fsync, whatever mix of commands it holds.
Commands come back as outcomes, one each; a refused command is an outcome and spoils nothing for its neighbours.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg
import structlog

from overbookr import limits
from overbookr.batching import MicroBatcher
from overbookr.bookings.model import BookHold, CancelBooking
from overbookr.database import errors
from overbookr.database.pool import Pool, PoolExhausted, acquire
from overbookr.database.sql import load_queries
from overbookr.holds.model import PlaceHold, ReleaseHold
from overbookr.waitlist.model import JoinWaitlist
from overbookr.writes.outcomes import READERS, Outcome

log = structlog.get_logger(__name__)
_QUERIES = load_queries("overbookr.writes")

Command = PlaceHold | BookHold | ReleaseHold | CancelBooking | JoinWaitlist

_KINDS: dict[type[Command], str] = {
    PlaceHold: "hold",
    BookHold: "book",
    ReleaseHold: "release",
    CancelBooking: "cancel",
    JoinWaitlist: "join",
}


class OutcomeUnknown(Exception):
    """The connection was lost while committing and the answer could not be had again: ask again with the same key."""


class LaneBusy(Exception):
    """The database did not come to it in time; nothing was changed."""


class _Defect(Exception):
    """A try failed as no try should. `may_be_done`: it, or one before it, may have committed."""

    def __init__(self, error: Exception, *, may_be_done: bool) -> None:
        super().__init__(repr(error))
        self.error = error
        self.may_be_done = may_be_done


class Lane:
    """Runs batches on one connection. `time_to_live` is a hold's; `user_seats_max` a user's share of an event.

    `changed` hears of the events that a batch may have changed before anybody is answered.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        name: str,
        time_to_live: timedelta,
        user_seats_max: int,
        observe: Callable[[int], None] | None = None,
        changed: Callable[[Iterable[UUID]], None] | None = None,
    ) -> None:
        self._pool = pool
        self._changed = changed
        self._time_to_live = time_to_live
        self._user_seats_max = user_seats_max
        self.batcher: MicroBatcher[Command, Outcome | Exception] = MicroBatcher(
            self._flush,
            name=name,
            batch_max=limits.BATCH_COMMANDS_MAX,
            queue_max=limits.LANE_QUEUE_COMMANDS_MAX,
            wait_seconds_max=limits.LANE_WAIT_SECONDS_MAX,
            keys=lambda command: command.keys(),
            observe=observe,
        )

    async def _flush(self, commands: list[Command], *, again: bool = False) -> list[Outcome | Exception]:
        try:
            try:
                return await self._attempt(commands, again=again)
            finally:
                if self._changed is not None:
                    self._changed({command.event_id for command in commands})
        except (OutcomeUnknown, LaneBusy) as error:
            return [error] * len(commands)
        except _Defect as defect:
            if len(commands) == 1:
                return [defect.error]
            # A defect met by one command must not fail its neighbours: each is tried alone.
            log.error("batch_replayed_one_by_one", commands=len(commands), error=repr(defect.error))
            return [(await self._flush([command], again=defect.may_be_done))[0] for command in commands]

    async def _attempt(self, commands: list[Command], *, again: bool) -> list[Outcome | Exception]:
        for attempt in range(limits.RETRIES_MAX + 1):
            try:
                return await self._write(commands, again=again)
            except LaneBusy:
                raise
            except Exception as error:
                last = attempt == limits.RETRIES_MAX
                if errors.is_outcome_unknown(error):
                    # It may have committed. The ids that the commands brought tell, so asking again is safe.
                    again = True
                    if last:
                        raise OutcomeUnknown from error
                elif errors.is_retryable(error) or isinstance(error, PoolExhausted):
                    if last:
                        raise (OutcomeUnknown if again else LaneBusy) from error
                elif isinstance(error, (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)):
                    raise (OutcomeUnknown if again else LaneBusy) from error
                else:
                    # What the server did not refuse failed here, after the server was done.
                    raise _Defect(error, may_be_done=again or errors.sqlstate_of(error) is None) from error
                log.warning("batch_retried", attempt=attempt + 1, error=repr(error))
                await asyncio.sleep(random.uniform(0.01, 0.05) * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _write(self, commands: list[Command], *, again: bool) -> list[Outcome | Exception]:
        places: dict[str, list[int]] = {kind: [] for kind in _KINDS.values()}
        for place, command in enumerate(commands):
            places[_KINDS[type(command)]].append(place)
        arguments = _arguments(commands, places)
        event_ids = sorted({command.event_id for command in commands})
        ends_at = time.monotonic() + limits.LANE_WAIT_SECONDS_MAX
        async with acquire(self._pool, limits.LANE_WAIT_SECONDS_MAX) as connection:
            while True:
                rows = await connection.fetch(
                    _QUERIES.write_batch, event_ids, self._user_seats_max, self._time_to_live, again, *arguments
                )
                if not rows or rows[0][0] != "unsettled":
                    break
                # A backlog was worked on, and no command was looked at.
                if time.monotonic() > ends_at:
                    raise LaneBusy
        outcomes: list[Outcome | Exception | None] = [None] * len(commands)
        for kind, number, outcome, row_id, at, until, seat_nos, statuses in rows:
            place = places[kind][number - 1]
            outcomes[place] = READERS[kind](commands[place], outcome, row_id, at, until, seat_nos, statuses)
        if any(outcome is None for outcome in outcomes):
            raise AssertionError("a command was given no outcome")
        return cast(list[Outcome | Exception], outcomes)


def _arguments(commands: list[Command], places: dict[str, list[int]]) -> list[list[Any]]:
    """The arrays of write_batch_v1 after its first four arguments, in its order."""
    holds = cast(list[PlaceHold], [commands[place] for place in places["hold"]])
    books = cast(list[BookHold], [commands[place] for place in places["book"]])
    releases = cast(list[ReleaseHold], [commands[place] for place in places["release"]])
    cancels = cast(list[CancelBooking], [commands[place] for place in places["cancel"]])
    joins = cast(list[JoinWaitlist], [commands[place] for place in places["join"]])
    return [
        [hold.event_id for hold in holds],
        [hold.hold_id for hold in holds],
        [hold.user_id for hold in holds],
        [hold.idempotency_key for hold in holds],
        [number for number, hold in enumerate(holds, start=1) for _ in hold.seat_nos],
        [seat_no for hold in holds for seat_no in hold.seat_nos],
        [book.event_id for book in books],
        [book.hold_id for book in books],
        [book.user_id for book in books],
        [book.booking_id for book in books],
        [book.idempotency_key for book in books],
        [release.event_id for release in releases],
        [release.hold_id for release in releases],
        [cancel.event_id for cancel in cancels],
        [cancel.booking_id for cancel in cancels],
        [cancel.exempt for cancel in cancels],
        [join.event_id for join in joins],
        [join.entry_id for join in joins],
        [join.user_id for join in joins],
        [join.requested_seats for join in joins],
        [hold.token_version for hold in holds],
        [book.token_version for book in books],
    ]
