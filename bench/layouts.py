"""What is on sale on the stage: how each layout's template is made."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from bench.requests import request, write_requests
from bench.stage import GRIDS, QUERIES, Builder, Stage, seats_of
from overbookr.bookings.model import BookHold, HoldBooked
from overbookr.database.pool import open_pool
from overbookr.holds.model import HoldPlaced, PlaceHold
from overbookr.ids import new_id
from overbookr.seats.model import PlanReplaced
from overbookr.seats.natural_order import natural_key
from overbookr.seats.plan import PlanRefused, parse_plan
from overbookr.stores import open_seats
from overbookr.waitlist.model import JoinWaitlist, WaitlistJoined
from overbookr.writes.writer import Writer

# Of each hall, this part is sold, scattered.
SOLD_PERCENT: Final = 30
REPLAYED: Final = 1_000
FULL_EVENTS: Final = 4
_SEATS_PER_HOLD: Final = 10
_SEATS_OF_ROW: Final = 50
_ROWS_OF_BLOCK: Final = 20
_SEATS_PER_CALL: Final = 5_000
_LANES: Final = 4
_AT_ONCE: Final = 500
_PAST_EVENTS: Final = 1_000
_SOAK_EVENTS: Final = 40
_BOOKINGS_PER_CALL: Final = 250_000


async def build_grid(stage: Stage, template: str) -> list[UUID]:
    """Pairs of seats, dealt to the layout's events in turn."""
    count = GRIDS[template.rpartition("_")[2]]
    event_ids = [new_id() for _ in range(count)]
    async with stage.connect(template) as connection:
        for place, event_id in enumerate(event_ids):
            labels = [label for pair in range(place, stage.turnout.pairs, count) for label in seats_of(pair)]
            await _add_event(connection, event_id, labels)
    return event_ids


async def build_booked(stage: Stage, template: str) -> list[UUID]:
    """One event with bookings, and the requests that ask for each of them once more."""
    event_id = await _single_event(stage, template, 2 * REPLAYED)
    async with _open_writer(stage, template) as writer:
        sold = await _sell(stage, writer, event_id, [(pair, seats_of(pair)) for pair in range(REPLAYED)])
    write_requests(
        stage.folder / "requests-booked",
        (
            request(
                "POST", "/bookings", stage.tokens[user],
                {"event_id": event_id, "hold_token": hold_id}, {"Idempotency-Key": f"key-{user}"},
            )
            for user, hold_id, _ in sold
        ),
    )  # fmt: skip
    return [event_id]


async def build_full(stage: Stage, template: str) -> list[UUID]:
    """Events without a free seat, and the requests by which every user joins the queue of each."""
    event_ids = [await _single_event(stage, template, 2) for _ in range(FULL_EVENTS)]
    async with _open_writer(stage, template) as writer:
        for event_id in event_ids:
            await _sell(stage, writer, event_id, [(0, seats_of(0))])
    write_requests(
        stage.folder / "requests-full",
        (
            request("POST", f"/events/{event_id}/waitlist", stage.tokens[user], {"requested_seats": 2})
            for event_id in event_ids
            for user in range(1, stage.turnout.users)
        ),
    )
    return event_ids


async def build_churn(stage: Stage, template: str) -> list[UUID]:
    """A sold out event whose every buyer waits for two more, and the requests by which they give back what they had."""
    buyers = stage.turnout.users
    event_id = await _single_event(stage, template, 2 * buyers)
    async with _open_writer(stage, template) as writer:
        sold = await _sell(stage, writer, event_id, [(pair, seats_of(pair)) for pair in range(buyers)])

        async def join(user: int) -> None:
            outcome = await writer.join_waitlist(JoinWaitlist(event_id, new_id(), stage.users[user].user_id, 2))
            if not isinstance(outcome, WaitlistJoined):
                raise RuntimeError(f"a layout could not be made: {outcome}")

        for start in range(0, buyers, _AT_ONCE):
            await asyncio.gather(*(join(user) for user in range(start, min(buyers, start + _AT_ONCE))))
    write_requests(
        stage.folder / "requests-churn",
        (request("DELETE", f"/bookings/{booking_id}", stage.tokens[user]) for user, _, booking_id in sold),
    )
    return [event_id]


def build_soak(pairs: int) -> Builder:
    """A few events with as many pairs of seats each, of which everybody wants some for a long time."""

    async def build(stage: Stage, template: str) -> list[UUID]:
        return [await _single_event(stage, template, 2 * pairs) for _ in range(_SOAK_EVENTS)]

    return build


def build_halls(halls: Sequence[int]) -> Builder:
    """An event a hall, with its chart, and some of its seats sold; `halls` are their seats."""

    async def build(stage: Stage, template: str) -> list[UUID]:
        return [await _build_hall(stage, template, seats) for seats in halls]

    return build


async def open_hall(stage: Stage, template: str, seats: int) -> tuple[UUID, list[str]]:
    """An event with a chart of as many seats, all of them free, and their labels."""
    plan = parse_plan(_plan(seats))
    if isinstance(plan, PlanRefused):
        raise RuntimeError(f"the plan of {seats} seats was refused: {plan}")
    event_id = new_id()
    async with stage.connect(template) as connection:
        await connection.execute(QUERIES.insert_event, event_id, f"Hall of {seats}")
    async with open_seats(stage.dsn(template), stage.settings) as store:
        outcome = await store.replace_plan(event_id, plan)
    if not isinstance(outcome, PlanReplaced) or outcome.seats != seats:
        raise RuntimeError(f"the plan of {seats} seats was not taken as it is: {outcome}")
    return event_id, [seat.seat_no for seat in plan.seats]


async def _build_hall(stage: Stage, template: str, seats: int) -> UUID:
    event_id, labels = await open_hall(stage, template, seats)
    # Every third seat or so, by tens, a buyer each.
    wanted = [label for place, label in enumerate(labels) if place * 37 % 100 < SOLD_PERCENT]
    tens = [tuple(wanted[start : start + _SEATS_PER_HOLD]) for start in range(0, len(wanted), _SEATS_PER_HOLD)]
    async with _open_writer(stage, template) as writer:
        await _sell(stage, writer, event_id, list(enumerate(tens)))
    return event_id


def build_season(bookings: int) -> Builder:
    """A year of bookings, by SQL. Only what reports read is there, so no law of the house is asked of it."""

    async def build(stage: Stage, template: str) -> list[UUID]:
        event_ids = [new_id() for _ in range(_PAST_EVENTS)]
        user_ids = [user.user_id for user in stage.users]
        async with stage.connect(template) as connection:
            await connection.execute("set session_replication_role = replica")
            await connection.execute("set synchronous_commit = off")
            await connection.execute(QUERIES.insert_past_events, event_ids)
            for first in range(1, bookings + 1, _BOOKINGS_PER_CALL):
                last = min(bookings, first + _BOOKINGS_PER_CALL - 1)
                await connection.execute(QUERIES.insert_past_bookings, event_ids, user_ids, bookings, first, last)
            await connection.execute(QUERIES.count_past_bookings)
            await connection.execute(QUERIES.count_past_sales)
        return event_ids

    return build


async def _single_event(stage: Stage, template: str, seats: int) -> UUID:
    event_id = new_id()
    async with stage.connect(template) as connection:
        await _add_event(connection, event_id, [label for pair in range(seats // 2) for label in seats_of(pair)])
    return event_id


async def _add_event(connection: Any, event_id: UUID, labels: Sequence[str]) -> None:
    await connection.execute(QUERIES.insert_event, event_id, "A show of the bench")
    for start in range(0, len(labels), _SEATS_PER_CALL):
        part = labels[start : start + _SEATS_PER_CALL]
        keys = [natural_key(label) for label in part]
        await connection.execute(QUERIES.add_seats, event_id, [new_id() for _ in part], list(part), keys)


@asynccontextmanager
async def _open_writer(stage: Stage, template: str) -> AsyncIterator[Writer]:
    """The product's own write path on a template, so that what it makes is as sales make it."""
    pool = await open_pool(stage.dsn(template), size=_LANES, application_name="bench layouts", write=True)
    writer = Writer(pool, lanes=_LANES, time_to_live=timedelta(seconds=300), user_seats_max=10)
    writer.start()
    try:
        yield writer
    finally:
        await writer.stop()
        await pool.close()


async def _sell(
    stage: Stage, writer: Writer, event_id: UUID, wanted: Sequence[tuple[int, tuple[str, ...]]]
) -> list[tuple[int, UUID, UUID]]:
    """Sell seats to users, by their places: each one's place, hold and booking."""

    async def buy(user: int, seat_nos: tuple[str, ...]) -> tuple[int, UUID, UUID]:
        user_id = stage.users[user].user_id
        held = await writer.place_hold(PlaceHold(event_id, new_id(), user_id, seat_nos))
        if not isinstance(held, HoldPlaced):
            raise RuntimeError(f"a layout could not be made: {held}")
        booked = await writer.book_hold(BookHold(event_id, held.hold_id, user_id, new_id(), f"key-{user}"))
        if not isinstance(booked, HoldBooked):
            raise RuntimeError(f"a layout could not be made: {booked}")
        return user, held.hold_id, booked.booking_id

    sold: list[tuple[int, UUID, UUID]] = []
    for start in range(0, len(wanted), _AT_ONCE):
        sold += await asyncio.gather(*(buy(*one) for one in wanted[start : start + _AT_ONCE]))
    return sold


def _plan(seats: int) -> bytes:
    """A plan in pretix's format: blocks of twenty rows with fifty seats each, the last of them not full."""
    rows = [range(start, min(seats, start + _SEATS_OF_ROW)) for start in range(0, seats, _SEATS_OF_ROW)]
    blocks = [rows[start : start + _ROWS_OF_BLOCK] for start in range(0, len(rows), _ROWS_OF_BLOCK)]
    plan = {
        "name": f"Hall of {seats}",
        "categories": [{"name": "Seat", "color": "#3F7377"}],
        "size": {"width": 6_000, "height": 3_000},
        "zones": [_block(place, block) for place, block in enumerate(blocks)],
    }
    return json.dumps(plan).encode()


def _block(place: int, rows: Sequence[range]) -> dict[str, Any]:
    return {
        "name": f"Block {place + 1}",
        "zone_id": f"block-{place + 1}",
        "position": {"x": 600.0 * (place % 10), "y": 300.0 * (place // 10)},
        "rows": [
            {
                "row_number": str(number + 1),
                "position": {"x": 0.0, "y": 12.0 * number},
                "seats": [
                    {
                        "seat_number": str(seat - row.start + 1),
                        "seat_guid": str(seat),
                        "position": {"x": 11.0 * (seat - row.start), "y": 0.0},
                        "category": "Seat",
                    }
                    for seat in row
                ],
            }
            for number, row in enumerate(rows)
        ],
    }
