"""Bodies on their way: nobody has room in the house before their body is there, and it has to come in time.

A body that stops halfway would otherwise keep its place among the requests in hand for ever, and a few hundred of them
all places there are.
"""

import asyncio
import time
from typing import Any, Final, cast

from litestar.types import HTTPScope, Receive

from overbookr import limits
from overbookr.http.body_bounds import BODY_LIMIT, body_limit
from overbookr.http.problem import Refused

CLOSE: Final = {"Connection": "close"}


class Arrivals:
    """Gathers small bodies, within `seconds` each. What all of them may take of memory together is bounded.

    Nearly every body is there at once. A timer for each would cost more than the rest of this, so there is one for all
    that wait, and it finds those who are late up to a quarter too late.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._bytes = 0
        # By when it began, the oldest first.
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._looks = False

    async def gather(self, receive: Receive) -> Receive | str | None:
        """A way to receive the whole body again, the code of a refusal, or None when the client has left."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._waiting[task] = time.monotonic()
        if not self._looks:
            self._look_later()
        try:
            message = cast("dict[str, Any]", await receive())
            if message["type"] != "http.request":
                return None
            return await self._rest(message, receive) if message.get("more_body") else _again(message, receive)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            return "request_timeout"
        finally:
            del self._waiting[task]
            self._late.discard(task)

    async def _rest(self, first: dict[str, Any], receive: Receive) -> Receive | str | None:
        # Not a list of parts: each of them takes tens of bytes more, however small it is.
        whole, message = bytearray(), first
        try:
            while True:
                if message["type"] != "http.request":
                    return None
                part: bytes = message["body"]
                whole += part
                self._bytes += len(part)
                if len(whole) > BODY_LIMIT:
                    return "payload_too_large"
                if not message.get("more_body"):
                    return _again({"type": "http.request", "body": bytes(whole), "more_body": False}, receive)
                if len(whole) > limits.BODY_PART_BYTES_MAX and self._bytes > limits.BODIES_ARRIVING_BYTES_MAX:
                    return "busy"
                message = cast("dict[str, Any]", await receive())
        finally:
            self._bytes -= len(whole)

    def _look_later(self) -> None:
        self._looks = True
        asyncio.get_running_loop().call_later(self.seconds / 4, self._look)

    def _look(self) -> None:
        """Interrupt those who are late."""
        self._looks = False
        latest = time.monotonic() - self.seconds
        for task, began in self._waiting.items():
            if began > latest:
                break
            self._late.add(task)
            task.cancel()
        if self._waiting:
            self._look_later()


def is_gathered(scope: HTTPScope, length: bytes | None, is_chunked: bool) -> bool:
    """Whether a request has a body that is small by its route, and not known to be too large."""
    if length is None and not is_chunked:
        return False
    path = scope["path"]
    if ("/events" in path or "/seating-plans" in path) and body_limit(cast("str", scope["method"]), path) > BODY_LIMIT:
        return False
    return length is None or (length.isdigit() and len(length) <= len(str(BODY_LIMIT)) and int(length) <= BODY_LIMIT)


def in_time(receive: Receive, seconds: float) -> Receive:
    """Give up a body that is not whole after so many seconds, by raising Refused."""
    is_whole = False
    ends_at: float | None = None

    async def receive_in_time() -> Any:
        nonlocal is_whole, ends_at
        if is_whole:
            return await receive()
        if ends_at is None:
            ends_at = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(ends_at):
                message = cast("dict[str, Any]", await receive())
        except TimeoutError:
            raise Refused("request_timeout", headers=CLOSE) from None
        is_whole = not message.get("more_body")
        return message

    return receive_in_time


def _again(message: dict[str, Any], receive: Receive) -> Receive:
    """What was received, and then whatever comes after it."""
    told = False

    async def receive_again() -> Any:
        nonlocal told
        if told:
            return await receive()
        told = True
        return message

    return receive_again
