"""Long answers, given to the server in parts, as fast as their clients read them.

A server keeps what it was given until the client has read it. Given whole, a list of a megabyte that changes ten times
a second would lie there in as many versions as there are clients that do not read. In parts, the server has a few of
them for each client, and the rest is here, where it can be counted: the same body once, however many read it. When all
bodies together are too long, whoever has taken nothing for the longest is let go.
"""

import asyncio
from collections import Counter, OrderedDict
from typing import Any, cast

from litestar.types import Receive, Send

from overbookr import limits


class LongAnswers:
    """The long answers that a process is sending. `bytes` is how much the bodies take, each counted once."""

    def __init__(self) -> None:
        self.bytes = 0
        # Whoever has taken nothing for the longest comes first.
        self._bodies: OrderedDict[asyncio.Task[Any], bytes] = OrderedDict()
        # By identity: looking whether two megabytes are equal costs as much as sending them.
        self._readers: Counter[int] = Counter()
        self._let_go: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._bodies)

    async def send(self, body: bytes, receive: Receive, send: Send) -> None:
        """Send the body of an answer whose headers are out, until it is whole, its client leaves or is let go."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        leaving = asyncio.create_task(_left(receive))
        self._begin(task, body)
        try:
            await self._send_parts(task, body, leaving, send)
        except asyncio.CancelledError:
            if task not in self._let_go:
                raise
            # An answer that is shorter than announced ends the connection.
            task.uncancel()
        finally:
            leaving.cancel()
            self._let_go.discard(task)
            self._forget(task)

    async def _send_parts(self, task: asyncio.Task[Any], body: bytes, leaving: asyncio.Task[None], send: Send) -> None:
        whole, size = memoryview(body), limits.LONG_ANSWER_PART_BYTES
        for start in range(0, len(body), size):
            # The server takes whatever is sent to somebody who has left, at once and without a word.
            if leaving.done():
                return
            part = bytes(whole[start : start + size])
            await send({"type": "http.response.body", "body": part, "more_body": start + size < len(body)})
            self._bodies.move_to_end(task)
            # Everybody else has their turn, and whoever has left is noticed.
            await asyncio.sleep(0)

    def _begin(self, task: asyncio.Task[Any], body: bytes) -> None:
        self._bodies[task] = body
        self._readers[id(body)] += 1
        if self._readers[id(body)] > 1:
            return
        self.bytes += len(body)
        while self.bytes > limits.LONG_ANSWERS_BYTES_MAX:
            slowest = next(iter(self._bodies))
            if slowest is task:
                # It is alone, and longer than all may be together.
                break
            self._let_go.add(slowest)
            slowest.cancel()
            self._forget(slowest)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        body = self._bodies.pop(task, None)
        if body is None:
            return
        self._readers[id(body)] -= 1
        if not self._readers[id(body)]:
            del self._readers[id(body)]
            self.bytes -= len(body)


def is_long(body: bytes) -> bool:
    return len(body) > limits.LONG_ANSWER_BYTES_MIN


async def _left(receive: Receive) -> None:
    """Until the client has left."""
    while cast("dict[str, Any]", await receive())["type"] != "http.disconnect":
        pass
