"""One buyer: looks, picks, holds, changes their mind, books, repeats, waits in line, leaves."""

import asyncio
import random
from enum import Enum, auto
from typing import Final
from uuid import UUID

import msgspec

from overbookr.demo.client import Answer
from overbookr.demo.ledger import Belief
from overbookr.demo.model import Ending, Intent, Operation, Repeat
from overbookr.demo.people import Person
from overbookr.demo.picking import HouseView
from overbookr.demo.scene import Scene

LOOKS_MAX: Final = 8
ROUNDS_MAX: Final = 3
REACH_GROWTH: Final = 1.7
WATCH_SECONDS_MIN: Final = 0.4
WATCH_SECONDS_MAX: Final = 4.0
_REPEATS_AT_ONCE: Final = 3

_encode = msgspec.json.Encoder().encode


class HoldAnswer(msgspec.Struct):
    hold_token: UUID
    seat_nos: tuple[str, ...]


class BookingAnswer(msgspec.Struct):
    id: UUID
    event_id: UUID
    seat_numbers: tuple[str, ...]
    status: str


class _ListedSeat(msgspec.Struct):
    seat_no: str
    status: str


_hold = msgspec.json.Decoder(HoldAnswer)
_booking = msgspec.json.Decoder(BookingAnswer)
_bookings = msgspec.json.Decoder(list[BookingAnswer])
_seat_list = msgspec.json.Decoder(list[_ListedSeat])


class _Search(Enum):
    """How looking for seats ended without any."""

    TOO_FEW_SEATS = auto()
    NOTHING_SUITABLE = auto()
    REFUSED = auto()


class Buyer:
    """Acts on its `intent`; `chance` decides which seats. `name` is in its idempotency keys."""

    def __init__(self, scene: Scene, person: Person, *, name: str, intent: Intent, chance: random.Random) -> None:
        self.user_id = person.user_id
        self.is_waiting = False
        self._scene = scene
        self._name = name
        self._intent = intent
        self._chance = chance
        self._headers = {"Authorization": f"Bearer {person.token}"}
        self._etag: str | None = None
        self._keys = 0

    async def attend(self) -> None:
        """The whole visit, from the opening of the doors."""
        self._scene.crowd.start_shopping()
        try:
            await self._scene.doors.wait()
            await self._shop()
        except msgspec.DecodeError as error:
            self._scene.recorder.note_unexpected(f"an answer cannot be understood: {error!r}")
        finally:
            self._scene.crowd.stop_shopping()

    async def come_back(self, seat_nos: list[str]) -> None:
        """A late visit, to take seats that nobody else wants."""
        self._scene.crowd.start_shopping()
        try:
            hold = await self._place_hold(seat_nos)
            if isinstance(hold, HoldAnswer):
                self._scene.recorder.tallies["late buyers"] += 1
                await self._book(hold)
        except msgspec.DecodeError as error:
            self._scene.recorder.note_unexpected(f"an answer cannot be understood: {error!r}")
        finally:
            self._scene.crowd.stop_shopping()

    async def _shop(self) -> None:
        if self._intent.reads_whole_list:
            await self._read_list()
        for _ in range(ROUNDS_MAX):
            found = await self._search()
            if isinstance(found, HoldAnswer):
                await self._deal_with(found)
                return
            if found is not _Search.TOO_FEW_SEATS or not self._intent.waits:
                break
            # Seats may have come free since the look, and then the queue turns people away: look again.
            if await self._wait_in_line():
                return
        self._scene.recorder.tallies["left without seats"] += 1

    # ------------------------------------------------------------ looking and holding

    async def _read_list(self) -> None:
        """Read every seat by the long list, and once more by its ETag."""
        url = self._scene.client.url(f"/events/{self._scene.event_id}/seats")
        answer = await self._scene.client.send(Operation.LIST, "GET", url, headers=self._headers)
        if answer.status == 200:
            if len(answer.content(_seat_list)) != len(self._scene.house.seat_nos):
                self._scene.recorder.note_unexpected("seats read: the list does not have every seat of the plan")
            again = {**self._headers, "If-None-Match": answer.etag or ""}
            await self._scene.client.send(Operation.LIST, "GET", url, headers=again)

    async def _look(self) -> HouseView | None:
        seen = await self._scene.seat_map.look(Operation.LOOK, self._headers, self._etag)
        if seen is None:
            return None
        self._etag = seen[0]
        return seen[1]

    async def _search(self) -> HoldAnswer | _Search:
        reach = self._intent.reach
        for _ in range(LOOKS_MAX):
            view = await self._look()
            if view is None:
                return _Search.REFUSED
            if view.free < self._intent.seats:
                return _Search.TOO_FEW_SEATS
            choice = self._scene.house.choose(
                view, self._intent.seats, reach, self._chance, apart=self._intent.sits_apart
            )
            if choice is None:
                return _Search.NOTHING_SUITABLE
            hold = await self._place_hold(choice)
            if hold is not None:
                return hold
            reach *= REACH_GROWTH
            await asyncio.sleep(self._chance.uniform(0.01, 0.1))
        return _Search.NOTHING_SUITABLE

    async def _place_hold(self, seat_nos: list[str]) -> HoldAnswer | _Search | None:
        """None when somebody was faster."""
        scene = self._scene
        headers = self._new_key() if self._intent.holds_with_key else dict(self._headers)
        headers["Content-Type"] = "application/json"
        body = _encode({"event_id": scene.event_id, "seat_nos": seat_nos})
        url = scene.client.url("/holds")
        with_key = self._intent.holds_with_key
        answer = await scene.client.send(Operation.HOLD, "POST", url, headers=headers, body=body, repeatable=with_key)
        if answer.is_unknown:
            scene.ledger.unsure.add(self.user_id)
        if answer.status != 201:
            return None if answer.code == "seats_unavailable" else _Search.REFUSED
        hold = answer.content(_hold)
        if list(hold.seat_nos) != seat_nos:
            scene.recorder.note_unexpected(f"hold: asked for {seat_nos}, was given {list(hold.seat_nos)}")
        if self._intent.repeats_hold:
            again = await scene.client.send(Operation.REPEAT_HOLD, "POST", url, headers=headers, body=body)
            self._compare(answer, again)
        return hold

    # ------------------------------------------------------------ what becomes of a hold

    async def _deal_with(self, hold: HoldAnswer) -> None:
        scene = self._scene
        await asyncio.sleep(self._intent.pause)
        match self._intent.ending:
            case Ending.ABANDON:
                scene.ledger.abandoned.append(hold.hold_token)
                scene.recorder.tallies["abandoned"] += 1
            case Ending.RELEASE:
                url = scene.client.url(f"/holds/{hold.hold_token}")
                answer = await scene.client.send(Operation.RELEASE, "DELETE", url, headers=self._headers)
                if answer.status == 204:
                    scene.recorder.tallies["released"] += 1
                elif answer.is_unknown:
                    scene.ledger.unsure.add(self.user_id)
            case Ending.BOOK:
                await self._book(hold)

    async def _book(self, hold: HoldAnswer) -> None:
        scene = self._scene
        headers = {**self._new_key(), "Content-Type": "application/json"}
        body = _encode({"event_id": scene.event_id, "hold_token": hold.hold_token})
        at_once = self._intent.repeat is Repeat.AT_ONCE
        answers = await asyncio.gather(
            *[self._send_booking(headers, body) for _ in range(_REPEATS_AT_ONCE if at_once else 1)]
        )
        booked = [answer for answer in answers if answer.status == 201]
        if any(answer.is_unknown for answer in answers):
            scene.ledger.unsure.add(self.user_id)
        if not booked:
            scene.recorder.tallies["left without seats"] += 1
            return
        booking = booked[0].content(_booking)
        scene.ledger.acknowledge(booking.id, self.user_id, booking.seat_numbers, promoted=False)
        if set(booking.seat_numbers) != set(hold.seat_nos):
            scene.recorder.note_unexpected(f"book: held {hold.seat_nos}, was given {booking.seat_numbers}")
        if sum(not answer.replayed for answer in booked) > 1:
            scene.recorder.altered_replays.append(f"{booking.id}: booked more than once under one key")
        for answer in booked[1:]:
            self._compare(booked[0], answer, needs_mark=False)
        if self._intent.books_twice:
            another = {**self._new_key(), "Content-Type": "application/json"}
            await self._send_booking(another, body, Operation.BOOK_TWICE)
        if self._intent.cancels:
            await self._think_again(booking.id)
        if self._intent.repeat is Repeat.LATER:
            await asyncio.sleep(self._intent.pause)
            self._compare(booked[0], await self._send_booking(headers, body, Operation.REPLAY))

    async def _send_booking(
        self, headers: dict[str, str], body: bytes, operation: Operation = Operation.BOOK
    ) -> Answer:
        client = self._scene.client
        return await client.send(operation, "POST", client.url("/bookings"), headers=headers, body=body)

    def _compare(self, first: Answer, again: Answer, *, needs_mark: bool = True) -> None:
        """A repeated request must be answered like the first one, to the byte, and say that it is a repetition."""
        recorder = self._scene.recorder
        if again.status != 201:
            return
        recorder.tallies["replayed"] += 1
        if again.body != first.body:
            recorder.altered_replays.append(f"{self._name}: {first.body!r} became {again.body!r}")
        elif needs_mark and not again.replayed:
            recorder.altered_replays.append(f"{self._name}: the repetition is not marked as one")

    async def _think_again(self, booking_id: UUID) -> None:
        """Cancel a booking after a while, and ask for it once more: the answer must be the same."""
        scene = self._scene
        await scene.wait_for_bell(self._intent.second_thoughts)
        if scene.bell.is_set():
            return
        url = scene.client.url(f"/bookings/{booking_id}")
        answer = await scene.client.send(Operation.CANCEL, "DELETE", url, headers=self._headers)
        if answer.status != 200:
            scene.ledger.cancel(booking_id, Belief.UNSURE)
            return
        scene.ledger.cancel(booking_id)
        scene.recorder.tallies["cancelled"] += 1
        if self._intent.repeat is not Repeat.NEVER:
            again = await scene.client.send(Operation.CANCEL, "DELETE", url, headers=self._headers)
            if again.status == 200 and again.body != answer.body:
                scene.recorder.altered_replays.append(f"{booking_id}: cancelling again was answered differently")

    # ------------------------------------------------------------ the queue

    async def _wait_in_line(self) -> bool:
        """Join the queue and watch the place in it. False when the queue turned the buyer away."""
        scene = self._scene
        url = scene.client.url(f"/events/{scene.event_id}/waitlist")
        body = _encode({"requested_seats": self._intent.seats})
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = await scene.client.send(Operation.JOIN, "POST", url, headers=headers, body=body)
        if answer.status != 202 and answer.code != "already_waiting":
            return False
        scene.recorder.tallies["joined waitlist"] += 1
        scene.crowd.start_waiting()
        self.is_waiting = True
        try:
            still_waits = await self._watch_place()
        finally:
            scene.crowd.stop_waiting()
        if not still_waits:
            self.is_waiting = False
            await self._see_promotion()
        return True

    async def _watch_place(self) -> bool:
        """Whether the buyer still waits, or has left the queue, at the end; False when the place is gone."""
        scene = self._scene
        url = scene.client.url(f"/events/{scene.event_id}/waitlist/me")
        pause = WATCH_SECONDS_MIN
        watches = 0
        while True:
            await scene.wait_for_bell(pause * self._chance.uniform(0.75, 1.25))
            pause = min(pause * 1.6, WATCH_SECONDS_MAX)
            # Whoever hears the bell looks once more, so that nobody goes home without knowing of their seats.
            is_last = scene.bell.is_set()
            answer = await scene.client.send(Operation.WATCH, "GET", url, headers=self._headers)
            if answer.code == "waitlist_entry_not_found":
                return False
            if is_last:
                scene.recorder.tallies["still waiting"] += 1
                return True
            watches += 1
            if watches == self._intent.watches:
                answer = await scene.client.send(Operation.LEAVE, "DELETE", url, headers=self._headers)
                if answer.code == "waitlist_entry_not_found":
                    return False
                if answer.status == 204:
                    scene.recorder.tallies["left waitlist"] += 1
                    self.is_waiting = False
                    return True

    async def _see_promotion(self) -> None:
        """The place in the queue is gone, so there must be a booking."""
        scene = self._scene
        url = scene.client.url("/bookings")
        answer = await scene.client.send(Operation.OWN, "GET", url, headers=self._headers)
        if answer.status != 200:
            scene.ledger.unsure.add(self.user_id)
            return
        for booking in answer.content(_bookings):
            if booking.event_id == scene.event_id and scene.ledger.acknowledge(
                booking.id, self.user_id, booking.seat_numbers, promoted=True
            ):
                scene.recorder.tallies["promoted"] += 1
                if self._intent.cancels:
                    await self._think_again(booking.id)
                return
        if not scene.recorder.without_answer:
            scene.recorder.note_unexpected("watch place: the place in the queue is gone and no booking came of it")

    def _new_key(self) -> dict[str, str]:
        self._keys += 1
        return {**self._headers, "Idempotency-Key": f"{self._name}-{self._keys}"}
