"""The write path's front: every write to an event's seats is submitted here and comes back as an outcome."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import cast
from uuid import UUID

from overbookr.bookings.model import BookHold, BookHoldOutcome, CancelBooking, CancelBookingOutcome
from overbookr.database.pool import Pool
from overbookr.holds.model import PlaceHold, PlaceHoldOutcome, ReleaseHold, ReleaseHoldOutcome
from overbookr.waitlist.model import JoinWaitlist, JoinWaitlistOutcome
from overbookr.writes.lane import Command, Lane
from overbookr.writes.outcomes import Outcome


class Writer:
    """A few lanes side by side, chosen by the event. `pool` must have a connection for each lane.

    Every method raises batching.QueueFull or batching.DeadlinePassed or LaneBusy when there is no room or time for the
    command (nothing was changed), and OutcomeUnknown when a lost connection left it open.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        lanes: int,
        time_to_live: timedelta,
        user_seats_max: int,
        observe: Callable[[int], None] | None = None,
        changed: Callable[[Iterable[UUID]], None] | None = None,
    ) -> None:
        self._lanes = [
            Lane(
                pool,
                name=f"lane {number}",
                time_to_live=time_to_live,
                user_seats_max=user_seats_max,
                observe=observe,
                changed=changed,
            )
            for number in range(lanes)
        ]

    def start(self) -> None:
        for lane in self._lanes:
            lane.batcher.start()

    async def stop(self) -> None:
        for lane in self._lanes:
            await lane.batcher.stop()

    @property
    def depth(self) -> int:
        """Commands that wait in the lanes."""
        return sum(lane.batcher.depth for lane in self._lanes)

    async def place_hold(self, command: PlaceHold) -> PlaceHoldOutcome:
        return cast(PlaceHoldOutcome, await self._submit(command))

    async def release_hold(self, command: ReleaseHold) -> ReleaseHoldOutcome:
        return cast(ReleaseHoldOutcome, await self._submit(command))

    async def book_hold(self, command: BookHold) -> BookHoldOutcome:
        return cast(BookHoldOutcome, await self._submit(command))

    async def cancel_booking(self, command: CancelBooking) -> CancelBookingOutcome:
        return cast(CancelBookingOutcome, await self._submit(command))

    async def join_waitlist(self, command: JoinWaitlist) -> JoinWaitlistOutcome:
        return cast(JoinWaitlistOutcome, await self._submit(command))

    async def _submit(self, command: Command) -> Outcome:
        # An outcome that is an exception has been raised by the batcher by now.
        lane = self._lanes[command.event_id.int % len(self._lanes)]
        return cast(Outcome, await lane.batcher.submit(command))
