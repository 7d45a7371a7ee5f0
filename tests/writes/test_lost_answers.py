"""A connection lost while committing: the command is asked again and done once, whichever side of it the cut fell."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from overbookr import limits
from overbookr.bookings.model import BookingCancelled, HoldBooked
from overbookr.database.pool import Pool, open_pool
from overbookr.holds.model import HoldPlaced, HoldReleased
from overbookr.ids import new_id
from overbookr.waitlist.model import WaitlistJoined
from overbookr.writes.lane import Command, OutcomeUnknown
from overbookr.writes.outcomes import READERS, read_hold
from tests.house.cutting import Moment, Wire, wire_to
from tests.house.stage import (
    SHARE,
    TIME_TO_LIVE,
    Stage,
    book,
    booked,
    cancel,
    held,
    hold,
    join,
    one_batch,
    release,
)

pytestmark = pytest.mark.anyio

MOMENTS: list[Moment] = ["before the server hears", "before the client hears"]

CALL = (
    "select kind, outcome, id, at, until, seat_nos, statuses from write_batch_v1("
    + ", ".join(f"${number}" for number in range(1, 25))
    + ")"
)


@pytest.fixture
async def wire(database: str) -> AsyncIterator[Wire]:
    async with wire_to(database) as wire:
        yield wire


@pytest.fixture
async def wired(wire: Wire) -> AsyncIterator[Pool]:
    """A pool whose connections lead through the wire."""
    pool = await open_pool(wire.dsn, size=1, application_name="test", write=True)
    yield pool
    pool.terminate()


async def everything(stage: Stage) -> dict[str, Any]:
    """What a command may have changed, as counts and states."""
    row = await stage.pool.fetchrow(
        """select (select count(*) from holds) as holds, (select count(*) from bookings) as bookings,
                  (select count(*) from waitlist_entries) as entries, (select count(*) from seat_changes) as changes,
                  (select count(*) from mails) as mails, (select sum(version) from events) as versions,
                  (select jsonb_agg(status order by seat_no) from seats) as seats,
                  (select jsonb_agg(status order by hold_id) from holds) as states"""
    )
    assert row is not None
    return dict(row)


async def prepared(stage: Stage) -> tuple[UUID, dict[str, Command]]:
    """An event with one command of each kind ready."""
    event_id = await stage.event(6)
    full_event_id = await stage.event(1)
    async with stage.writer() as writer:
        to_book = await held(writer, event_id, new_id(), "S1", "S2")
        to_release = await held(writer, event_id, new_id(), "S3")
        to_cancel = await booked(writer, event_id, new_id(), "S4")
        await held(writer, full_event_id, new_id(), "S1")
    return event_id, {
        "hold": hold(event_id, new_id(), "S5"),
        "hold with a key": hold(event_id, new_id(), "S5", key="key"),
        "book": book(to_book),
        "release": release(to_release),
        "cancel": cancel(to_cancel),
        "join": join(full_event_id, new_id(), 1),
    }


def assert_done(command: Command, outcome: object) -> None:
    """The outcome is that of a command that went well, with the ids it brought."""
    match outcome:
        case HoldPlaced(hold_id, _, seat_nos):
            assert (hold_id, seat_nos) == (command.hold_id, command.seat_nos)  # type: ignore[union-attr]
        case HoldBooked(booking_id, seat_nos):
            assert (booking_id, seat_nos) == (command.booking_id, ("S1", "S2"))  # type: ignore[union-attr]
        case WaitlistJoined(entry_id, position):
            assert (entry_id, position) == (command.entry_id, 1)  # type: ignore[union-attr]
        case HoldReleased() | BookingCancelled():
            pass
        case _:
            raise AssertionError(outcome)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["hold", "hold with a key", "book", "release", "cancel", "join"])
async def test_a_command_whose_answer_is_lost_is_done_once(
    stage: Stage, wired: Pool, wire: Wire, kind: str, moment: Moment
) -> None:
    _, commands = await prepared(stage)
    command = commands[kind]
    before = await everything(stage)
    wire.cuts.append(moment)
    (outcome,) = await one_batch(wired, command)
    assert wire.cut == 1
    assert_done(command, outcome)
    assert not isinstance(outcome, HoldPlaced) or outcome.expires_at == await stage.pool.fetchval(
        "select expires_at from holds where hold_id = $1",
        command.hold_id,  # type: ignore[union-attr]
    )
    after = await everything(stage)
    # One effect, told by what each kind adds.
    added = {name: after[name] - before[name] for name in ("holds", "bookings", "entries", "changes", "mails")}
    assert (
        added
        == {
            "hold": {"holds": 1, "bookings": 0, "entries": 0, "changes": 1, "mails": 0},
            "hold with a key": {"holds": 1, "bookings": 0, "entries": 0, "changes": 1, "mails": 0},
            "book": {"holds": 0, "bookings": 1, "entries": 0, "changes": 2, "mails": 1},
            "release": {"holds": 0, "bookings": 0, "entries": 0, "changes": 1, "mails": 0},
            "cancel": {"holds": 0, "bookings": 0, "entries": 0, "changes": 1, "mails": 1},
            "join": {"holds": 0, "bookings": 0, "entries": 1, "changes": 0, "mails": 0},
        }[kind]
    )
    await stage.assert_lawful()


async def test_a_whole_batch_whose_answer_is_lost_twice_is_done_once(stage: Stage, wired: Pool, wire: Wire) -> None:
    _, commands = await prepared(stage)
    del commands["hold with a key"]
    wire.cuts += ["before the client hears", "before the client hears", "before the server hears"]
    outcomes = await one_batch(wired, *commands.values())
    assert wire.cut == 3
    for command, outcome in zip(commands.values(), outcomes, strict=True):
        assert_done(command, outcome)
    assert await stage.count("select count(*) from holds where user_id = $1", commands["hold"].user_id) == 1
    await stage.assert_lawful()


async def test_when_no_answer_can_be_had_the_outcome_is_unknown_and_asking_again_later_tells(
    stage: Stage, wired: Pool, wire: Wire
) -> None:
    _, commands = await prepared(stage)
    command = commands["hold with a key"]
    wire.cuts += ["before the client hears"] * (limits.RETRIES_MAX + 1)
    (outcome,) = await one_batch(wired, command)
    assert isinstance(outcome, OutcomeUnknown)
    again = hold(command.event_id, command.user_id, "S5", key="key")
    (outcome,) = await one_batch(wired, again)
    assert isinstance(outcome, HoldPlaced)
    assert outcome.hold_id == command.hold_id  # type: ignore[union-attr]
    assert outcome.replayed
    await stage.assert_lawful()


async def test_a_defect_met_while_asking_again_does_not_forget_that_it_is_again(
    stage: Stage, wired: Pool, wire: Wire
) -> None:
    """Committed, answer lost, then an error: the commands that were done must not hear that others were first."""
    event_id = await stage.event(3)
    commands = [hold(event_id, new_id(), f"S{n}") for n in (1, 2, 3)]
    await stage.pool.execute(
        """create sequence calls;
        alter function lock_events rename to lock_events_soundly;
        create function lock_events(p_event_ids uuid[]) returns timestamptz language plpgsql as $$
        begin
          if nextval('calls') = 2 then
            raise exception 'struck' using errcode = 'XX000';
          end if;
          return lock_events_soundly(p_event_ids);
        end $$"""
    )
    wire.cuts.append("before the client hears")
    outcomes = await one_batch(wired, *commands)
    assert [getattr(outcome, "hold_id", outcome) for outcome in outcomes] == [command.hold_id for command in commands]
    assert await stage.count("select count(*) from holds") == 3
    await stage.assert_lawful()


async def test_an_answer_that_cannot_be_read_is_asked_for_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is committed when reading its rows fails; its commands are then recognised, not done again."""
    event_id = await stage.event(3)
    commands = [hold(event_id, new_id(), f"S{n}") for n in (1, 2, 3)]
    reads = 0

    def read(*row: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 2:
            raise ValueError("a row that nobody expected")
        return read_hold(*row)

    monkeypatch.setitem(READERS, "hold", read)
    outcomes = await one_batch(stage.pool, *commands)
    assert [getattr(outcome, "hold_id", outcome) for outcome in outcomes] == [command.hold_id for command in commands]
    assert await stage.count("select count(*) from holds") == 3


async def test_a_killed_backend_is_noticed_and_replaced(
    stage: Stage, pool: Pool, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """The administrator's command ends the session in the middle of a batch, which waits for a lock."""
    event_id = await stage.event(1)
    command = hold(event_id, new_id(), "S1")
    async with connection.transaction():
        await connection.execute("select lock_events(array[$1::uuid])", event_id)
        task = asyncio.create_task(one_batch(pool, command))
        killed = 0
        while not killed:
            assert not task.done()
            killed = await connection.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where wait_event_type = 'Lock'"
                " and datname = current_database()"
            )
    (outcome,) = await task
    assert_done(command, outcome)
    await stage.assert_lawful()


# The arrays of write_batch_v1, in its order.
ARRAYS = """hold_event_ids hold_ids hold_user_ids hold_keys hold_seat_commands hold_seat_nos book_event_ids
book_hold_ids book_user_ids book_booking_ids book_keys release_event_ids release_hold_ids cancel_event_ids
cancel_booking_ids
cancel_exempt join_event_ids join_entry_ids join_user_ids join_seats"""


async def call(stage: Stage, event_id: UUID, arrays: dict[str, list[Any]], *, again: bool) -> asyncpg.Record:
    """The row that write_batch_v1 answers one command with."""
    names = ARRAYS.split()
    assert set(arrays) <= set(names)
    row = await stage.pool.fetchrow(
        CALL, [event_id], SHARE, TIME_TO_LIVE, again, *[arrays.get(name, []) for name in names]
    )
    assert row is not None
    return row


async def test_asking_again_is_not_doing_again_when_the_world_has_moved_on(stage: Stage) -> None:
    """Between the commit and the second question, the hold was released: the answer must not claim that it is there."""
    event_id = await stage.event(2)
    user, hold_id = new_id(), new_id()
    wanted: dict[str, list[Any]] = {
        "hold_event_ids": [event_id],
        "hold_ids": [hold_id],
        "hold_user_ids": [user],
        "hold_keys": [None],
        "hold_seat_commands": [1],
        "hold_seat_nos": ["S1"],
    }
    first = await call(stage, event_id, wanted, again=False)
    second = await call(stage, event_id, wanted, again=True)
    assert first["outcome"] == "hold_placed"
    assert second["outcome"] == "hold_replayed"
    assert (first["id"], first["until"]) == (second["id"], second["until"])
    gone: dict[str, list[Any]] = {"release_event_ids": [event_id], "release_hold_ids": [hold_id]}
    assert (await call(stage, event_id, gone, again=False))["outcome"] == "hold_released"
    assert (await call(stage, event_id, gone, again=True))["outcome"] == "hold_released"
    assert (await call(stage, event_id, gone, again=False))["outcome"] == "hold_over"
    assert (await call(stage, event_id, wanted, again=True))["outcome"] == "hold_expired"
    assert await stage.statuses(event_id) == {"S1": "available", "S2": "available"}
    await stage.assert_lawful()


async def test_a_place_in_the_queue_is_told_again(stage: Stage) -> None:
    event_id = await stage.event(1)
    async with stage.writer() as writer:
        owner = await booked(writer, event_id, new_id(), "S1")
        await writer.join_waitlist(join(event_id, new_id(), 1))
        user, entry_id = new_id(), new_id()
        wanted: dict[str, list[Any]] = {
            "join_event_ids": [event_id],
            "join_entry_ids": [entry_id],
            "join_user_ids": [user],
            "join_seats": [1],
        }
        first = await call(stage, event_id, wanted, again=False)
        assert (first["outcome"], first["statuses"]) == ("waiting", ["2"])
        await writer.cancel_booking(cancel(owner))
        second = await call(stage, event_id, wanted, again=True)
        assert (second["outcome"], second["id"], second["at"]) == ("waiting", entry_id, first["at"])
        assert second["statuses"] == ["1"], "the one in front has been served since"
    assert await stage.count("select count(*) from waitlist_entries where user_id = $1", user) == 1
    await stage.assert_lawful()
