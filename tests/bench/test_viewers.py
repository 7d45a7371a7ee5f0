"""A viewer puts a map together from what it is told, however that comes in pieces."""

import asyncio
import json
from base64 import b64encode
from typing import Any
from uuid import UUID

import pytest

from bench.viewers import Buyer, Orders, Show, Viewer, latencies_of, map_of

pytestmark = pytest.mark.anyio

LABELS = ["A-1", "A-2", "A-3", "A-4", "A-5"]
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
# Available, held, booked, blocked, available.
RESET = json.dumps({"states": b64encode(bytes([0b11_10_01_00, 0])).decode()}).encode()
AS_TOLD = dict(zip(LABELS, ["available", "held", "booked", "blocked", "available"], strict=True))


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.is_closed = True

    abort = close


def _orders() -> Orders:
    return Orders(1, "", UUID(int=1), 1, 1.0, 1.0, [], [])


def _message(kind: str, tag: str, data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (tag.encode(), kind.encode(), data)


def _chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


def _hear(viewer: Viewer, text: bytes, piece: int) -> Wire:
    wire = Wire()
    viewer.connection_made(wire)
    for start in range(0, len(text), piece):
        viewer.data_received(text[start : start + piece])
    return wire


@pytest.mark.parametrize("piece", [1, 7, 10_000])
async def test_a_map_is_what_was_told(piece: int) -> None:
    show = Show(_orders())
    viewer = Viewer(show)
    seats = _message("seats", "8-1-0", b'{"seats":{"A-1":"held","A-5":"booked"}}')
    told = b"retry: 700\n\n" + _message("reset", "7-1-0", RESET)
    text = HEAD + _chunk(told) + _chunk(b": ping\n\n") + _chunk(seats[:9]) + _chunk(seats[9:])
    wire = _hear(viewer, text, piece)
    assert b"Last-Event-ID" not in wire.sent
    assert map_of(viewer, LABELS) == AS_TOLD | {"A-1": "held", "A-5": "booked"}
    assert (show.settled, len(show.told_at), show.resumed, show.reset) == (1, 1, 0, 0)


async def test_who_comes_back_names_the_last_id_and_is_not_timed() -> None:
    show = Show(_orders())
    viewer = Viewer(show)
    wire = _hear(viewer, HEAD + _chunk(_message("reset", "7-1-0", RESET)) + b"0\r\n\r\n", 10_000)
    assert wire.is_closed
    missed = _message("seats", "9-1-0", b'{"seats":{"A-1":"held"}}')
    wire = _hear(viewer, HEAD + _chunk(missed), 10_000)
    assert b"\r\nLast-Event-ID: 7-1-0\r\n" in wire.sent
    assert (show.resumed, show.reset, len(show.told_at)) == (1, 0, 0)
    assert map_of(viewer, LABELS) == AS_TOLD | {"A-1": "held"}


async def test_another_status_is_a_failure() -> None:
    show = Show(_orders())
    _hear(Viewer(show), b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 10_000)
    assert show.broken == ["HTTP/1.1 503 Service Unavailable"]


async def test_latency_counts_from_the_answer_to_each_seat_that_was_held() -> None:
    show, buyer = Show(_orders()), Buyer(_orders())
    buyer.answered_at = {"A-1": 10.0, "A-2": 10.5}
    show.told_at.append(11.0)
    show.told_what.append(show.place_of(b'{"seats":{"A-1":"held","A-2":"held","A-3":"available"}}'))
    assert latencies_of(show, buyer) == [1000.0, 500.0]
