"""How old a map may be: what a process asks the database, and when it must not do without."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from overbookr import limits
from overbookr.batching import QueueFull
from overbookr.database.pool import Pool
from overbookr.ids import new_id
from overbookr.maps.boards import Boards, Kept, MapKind
from overbookr.maps.store import MapStore, Sight
from tests.house.stage import Stage, hold, submit

pytestmark = pytest.mark.anyio

AGE = limits.MAP_AGE_SECONDS_MAX


class Meddler(MapStore):
    """A store in front of the database in whose answers something happens before they arrive."""

    def __init__(self, reads: Pool) -> None:
        super().__init__(reads)
        self.looks = 0
        self.set_ups = 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.while_reading: Callable[[], Awaitable[None]] | None = None
        self.while_listing: Callable[[], Awaitable[object]] | None = None

    async def see(self, event_ids: Collection[UUID]) -> dict[UUID, Sight]:
        self.looks += 1
        found = await super().see(event_ids)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return found

    async def places(self, event_id: UUID) -> Any:
        self.set_ups += 1
        found = await super().places(event_id)
        if self.while_reading is not None:
            while_reading, self.while_reading = self.while_reading, None
            await while_reading()
        return found

    async def listed(self, event_id: UUID) -> Any:
        found = await super().listed(event_id)
        if self.while_listing is not None:
            await self.while_listing()
        return found


class Show:
    """Boards with a clock that stands still, and an event that somebody else changes."""

    def __init__(self, stage: Stage, event_id: UUID, boards: Boards, store: Meddler) -> None:
        self.stage, self.event_id, self.boards, self.store = stage, event_id, boards, store
        self.now = 1_000.0

    async def hold(self, *seat_nos: str) -> UUID:
        """By another process, as far as these boards know."""
        async with self.stage.writer() as writer:
            command = hold(self.event_id, new_id(), *seat_nos)
            await submit(writer, command)
        return command.hold_id

    async def look(self, *, anew: bool = False) -> Kept:
        kept = await self.boards.look(self.event_id, anew=anew)
        assert kept is not None
        return kept

    async def comparison(self) -> None:
        """Until the comparison that the last look began, if it did, is over."""
        if self.boards._comparing is not None:
            await self.boards._comparing

    async def held(self, *, anew: bool = False) -> list[str]:
        document = await self.boards.document(await self.look(anew=anew), MapKind.AVAILABILITY)
        assert document is not None
        held: list[str] = msgspec.json.decode((await document.rendition("identity")).body)["held"]
        return held


@asynccontextmanager
async def a_show(stage: Stage, seats: int = 3) -> AsyncIterator[Show]:
    store = Meddler(stage.pool)
    boards = Boards(store, clock=lambda: show.now)
    show = Show(stage, await stage.event(seats), boards, store)
    boards.start()
    try:
        yield show
    finally:
        await boards.stop()


async def test_a_crowd_costs_one_look_for_each_tenth_of_a_second(stage: Stage) -> None:
    async with a_show(stage) as show:
        for _ in range(5):
            await asyncio.gather(*(show.look() for _ in range(200)))
            show.now += AGE * 0.9
            await show.look()
            show.now += AGE * 0.2
        assert show.store.looks == 5 + 1, "the very first finds that nothing is known"
        assert show.store.set_ups == 1


async def test_what_others_changed_is_seen_after_a_tenth_of_a_second_at_most(stage: Stage) -> None:
    async with a_show(stage) as show:
        assert await show.held() == []
        await show.hold("S2")
        show.now += AGE * 0.99
        assert await show.held() == [], "served from memory; if not, this test shows nothing"
        show.now += AGE * 0.02
        assert await show.held() == ["S2"]


async def test_whoever_asks_anew_sees_the_present(stage: Stage) -> None:
    async with a_show(stage) as show:
        assert await show.held() == []
        await show.hold("S2")
        assert await show.held(anew=True) == ["S2"]


async def test_what_this_process_changed_is_seen_at_once(stage: Stage) -> None:
    async with a_show(stage) as show, stage.writer(changed=show.boards.doubt) as writer:
        for seat_no in ("S1", "S2", "S3"):
            before = await show.held()
            await submit(writer, hold(show.event_id, new_id(), seat_no))
            assert await show.held() == [*before, seat_no]


async def test_a_change_during_a_look_is_not_taken_for_seen(stage: Stage) -> None:
    """The look has its answer already when this process changes the event: nobody else may be served by it."""
    async with a_show(stage) as show:
        await show.look()
        show.now += AGE

        async def change() -> None:
            show.now += 0.001
            await show.hold("S1")
            show.boards.doubt([show.event_id])

        show.store.meanwhile = change
        await show.look()
        assert await show.held() == ["S1"]


async def test_a_look_from_before_a_house_was_read_says_nothing_of_it(stage: Stage) -> None:
    """What this process changes while nothing is known of the event is found by a look that begins later."""
    async with a_show(stage) as show:
        late: list[asyncio.Task[Kept]] = []
        has_looked, may_answer = asyncio.Event(), asyncio.Event()
        fresh: list[Kept | None] = []

        async def answer_late() -> None:
            has_looked.set()
            await may_answer.wait()
            show.store.meanwhile = before_the_next

        async def before_the_next() -> None:
            fresh.append(show.boards.fresh(show.event_id))

        async def look_and_change() -> None:
            show.store.meanwhile = answer_late
            late.append(asyncio.create_task(show.look()))
            await has_looked.wait()
            await show.hold("S1")
            show.boards.doubt([show.event_id])
            asyncio.get_running_loop().call_later(0.05, may_answer.set)

        show.store.while_reading = look_and_change
        await show.look()
        await late[0]
        assert fresh == [None], "what the late answer confirms is from before the change"
        assert await show.held() == ["S1"]


async def test_a_house_that_takes_long_to_read_delays_no_other(stage: Stage) -> None:
    async with a_show(stage) as show:
        await show.look()
        large = await stage.event(3)
        is_reading, may_go_on = asyncio.Event(), asyncio.Event()

        async def read_long() -> None:
            is_reading.set()
            await may_go_on.wait()

        show.store.while_reading = read_long
        waiting = [asyncio.create_task(show.boards.look(large)) for _ in range(3)]
        await is_reading.wait()
        async with asyncio.timeout(10):
            await show.hold("S1")
            assert await show.held(anew=True) == ["S1"]
        may_go_on.set()
        assert len({id(kept) for kept in await asyncio.gather(*waiting)}) == 1
        assert show.store.set_ups == 2, "one reading for all three"


async def test_a_house_that_cannot_be_read_fails_for_those_who_ask_for_it(stage: Stage) -> None:
    """And only until it can be read again, also when the board was half way to the present."""
    async with a_show(stage) as show:
        other = await stage.event(2)
        await show.boards.look(other)
        early = await show.hold("S1")
        await show.look()
        await show.hold("S2")
        # A hold that is over before its time, which no feed tells: the house has to be read anew.
        await stage.lapse(early)

        async def fail() -> None:
            raise ConnectionError

        for _ in range(2):
            show.store.while_reading = fail
            answers = await asyncio.gather(
                show.boards.look(show.event_id, anew=True), show.boards.look(other, anew=True), return_exceptions=True
            )
            assert isinstance(answers[0], ConnectionError)
            assert isinstance(answers[1], Kept)
        assert await show.held(anew=True) == ["S2"]


async def test_a_lapse_is_never_shown_late(stage: Stage) -> None:
    """What was found true is good until the time of a hold is over by the database's clock, if that is sooner."""
    async with a_show(stage) as show:
        hold_id = await show.hold("S1", "S2")
        ends = await stage.pool.fetchval("select expires_at from holds where hold_id = $1", hold_id)
        kept = await show.look()
        assert kept.board.next_lapse == ends
        for left, served in ((AGE * 2, AGE), (AGE / 2, AGE / 2), (0.0, 0.0)):
            kept.confirm(ends - timedelta(seconds=left), show.now)
            assert kept.fresh_until == pytest.approx(show.now + served)


async def test_a_house_that_was_rebuilt_is_read_anew(stage: Stage) -> None:
    async with a_show(stage) as show:
        await show.look()
        await stage.add_seats(show.event_id, "S4", "S10")
        show.boards.doubt([show.event_id])
        kept = await show.look()
        listed = await show.boards.document(kept, MapKind.SEATS)
        assert listed is not None
        seats = msgspec.json.decode((await listed.rendition("identity")).body)
        assert [seat["seat_no"] for seat in seats] == ["S1", "S2", "S3", "S4", "S10"]
        assert show.store.set_ups == 2


async def test_a_board_that_is_far_behind_is_read_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHANGES_READ_MAX", 2)
    async with a_show(stage, 5) as show:
        await show.look()
        await show.hold("S1", "S2")
        assert await show.held(anew=True) == ["S1", "S2"]
        assert show.store.set_ups == 1
        await show.hold("S3", "S4", "S5")
        assert await show.held(anew=True) == ["S1", "S2", "S3", "S4", "S5"]
        assert show.store.set_ups == 2


async def test_a_board_that_differs_is_mended(stage: Stage) -> None:
    """It cannot differ; should it do so after all, that lasts no longer than until the next comparison."""
    async with a_show(stage) as show:
        kept = await show.look()
        kept.board._statuses[1] = 2
        show.now += limits.BOARD_SECONDS_MAX * 0.49
        assert (await show.look()) is kept
        await show.comparison()
        assert (await show.look()) is kept, "it was not time yet"
        show.now += limits.BOARD_SECONDS_MAX
        await show.look()
        await show.comparison()
        mended = await show.look()
        assert mended is not kept
        assert list(mended.board.shown) == [0, 0, 0]
        assert show.store.set_ups == 3


async def test_a_board_that_agrees_is_kept(stage: Stage) -> None:
    """Also when it moves on while it is compared."""
    async with a_show(stage) as show:
        kept = await show.look()
        show.now += limits.BOARD_SECONDS_MAX

        async def change() -> None:
            await show.hold("S1")
            assert await show.held(anew=True) == ["S1"]
            await show.hold("S2")

        show.store.while_reading = change
        await show.look()
        await show.comparison()
        assert show.store.set_ups == 2
        assert (await show.look()) is kept
        assert await show.held(anew=True) == ["S1", "S2"]


async def test_an_event_that_is_gone_is_forgotten(stage: Stage) -> None:
    async with a_show(stage) as show:
        await show.look()
        await stage.pool.execute("update events set deleted_at = now() where event_id = $1", show.event_id)
        assert await show.boards.look(show.event_id, anew=True) is None
        assert show.boards.fresh(show.event_id) is None
        assert await show.boards.look(new_id()) is None


async def test_memory_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BOARD_SEATS_MAX", 8)
    monkeypatch.setattr(limits, "BOARD_SEATS_AT_LEAST", 1)
    monkeypatch.setattr(limits, "LISTED_SEATS_MAX", 5)
    async with a_show(stage) as show:
        events = [show.event_id, *[await stage.event(3) for _ in range(4)]]
        for event_id in events:
            kept = await show.boards.look(event_id)
            assert kept is not None
            assert await show.boards.document(kept, MapKind.SEATS) is not None
        assert [show.boards.fresh(event_id) is not None for event_id in events] == [False] * 3 + [True] * 2
        await show.boards.look(events[-1], anew=True)
        lists = [kept.listing is not None for event_id in events if (kept := show.boards.fresh(event_id))]
        assert lists == [False, True], "of two boards, six seats, one is within the bound of five"


async def test_events_without_seats_count_as_well(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BOARD_SEATS_MAX", 8)
    monkeypatch.setattr(limits, "BOARD_SEATS_AT_LEAST", 3)
    async with a_show(stage, 0) as show:
        for _ in range(5):
            await show.boards.look(await stage.event(0))
        assert len(show.boards._kept) == 2


async def test_a_list_is_of_the_plan_that_is_in_force(stage: Stage) -> None:
    """A plan of the same labels changes no seat, so the feed does not tell of it."""
    async with a_show(stage) as show:

        async def import_plan() -> None:
            show.store.while_listing = None
            await stage.pool.execute("update seats set section = 'Stalls' where event_id = $1", show.event_id)
            await stage.pool.execute("update events set chart_version = 2 where event_id = $1", show.event_id)

        show.store.while_listing = import_plan
        listed = await show.boards.document(await show.look(), MapKind.SEATS)
        assert listed is not None
        seats = msgspec.json.decode((await listed.rendition("identity")).body)
        assert {seat["section"] for seat in seats} == {"Stalls"}


async def test_a_house_that_is_rebuilt_faster_than_it_is_listed_is_busy(stage: Stage) -> None:
    async with a_show(stage) as show:
        numbers = itertools.count(10)
        show.store.while_listing = lambda: stage.add_seats(show.event_id, f"S{next(numbers)}")
        with pytest.raises(QueueFull):
            await show.boards.document(await show.look(), MapKind.SEATS)
        show.store.while_listing = None
        assert await show.boards.document(await show.look(anew=True), MapKind.SEATS) is not None
