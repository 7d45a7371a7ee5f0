"""What a batch may not mix: commands that could want the same seat or use up the same share have a key in common."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from overbookr.holds.model import HoldPlaced, HoldRefusal, SeatsTaken
from overbookr.ids import new_id
from overbookr.writes.lane import Command
from tests.house.stage import Stage, book, cancel, hold, join, release

EVENT, ELSEWHERE = new_id(), new_id()


def commands_of(user_id: UUID, event_id: UUID = EVENT, seat: str = "S1") -> list[Command]:
    """One command of each kind."""
    placed = hold(event_id, user_id, seat)
    return [placed, book(placed), release(placed), cancel(book(placed)), join(event_id, user_id, 1)]


def meet(one: Command, other: Command) -> bool:
    """Whether one batch may hold both."""
    return set(one.keys()).isdisjoint(other.keys())


@pytest.mark.parametrize("kind", range(5), ids=["hold", "book", "release", "cancel", "join"])
def test_commands_of_one_user_at_one_event_never_meet(kind: int) -> None:
    user = new_id()
    command = commands_of(user)[kind]
    assert not any(meet(command, other) for other in commands_of(user, seat="S2"))
    assert all(meet(command, other) for other in commands_of(new_id(), seat="S2"))
    assert all(meet(command, other) for other in commands_of(user, ELSEWHERE))


def test_holds_that_share_a_seat_never_meet() -> None:
    one = hold(EVENT, new_id(), "S1", "S2")
    assert not meet(one, hold(EVENT, new_id(), "S2", "S3"))
    assert meet(one, hold(EVENT, new_id(), "S3"))
    assert meet(one, hold(ELSEWHERE, new_id(), "S2"))


@pytest.mark.anyio
async def test_a_lane_full_of_holds_of_one_user_gives_one_share(stage: Stage) -> None:
    event_id, user = await stage.event(30), new_id()
    async with stage.writer() as writer:
        asked = (writer.place_hold(hold(event_id, user, f"S{n}")) for n in range(1, 31))
        outcomes = await asyncio.gather(*asked)
    assert Counter(HoldPlaced if isinstance(outcome, HoldPlaced) else outcome for outcome in outcomes) == {
        HoldPlaced: 10,
        HoldRefusal.HOLD_LIMIT: 20,
    }
    await stage.assert_lawful()


@pytest.mark.anyio
async def test_a_lane_full_of_holds_of_one_seat_gives_it_once(stage: Stage) -> None:
    event_id = await stage.event(1)
    async with stage.writer() as writer:
        outcomes = await asyncio.gather(*(writer.place_hold(hold(event_id, new_id(), "S1")) for _ in range(30)))
    assert Counter(type(outcome) for outcome in outcomes) == {HoldPlaced: 1, SeatsTaken: 29}
    await stage.assert_lawful()
