"""Natural micro-batching: while one batch is at work the next one gathers.

There is no timer: a lone item is a batch of one and waits for nobody; under load a batch is whatever arrived while
the one before it was away. The queue is bounded, and full means an immediate refusal, never a longer wait.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueueFull(Exception):
    """The bounded queue has no room; try again shortly."""


class DeadlinePassed(Exception):
    """The item waited longer than anyone would listen for the answer; it was not begun."""


class _Waiting(Generic[Item, Result]):
    __slots__ = ("answer", "arrived", "item", "keys")

    def __init__(self, item: Item, keys: tuple[Hashable, ...], answer: "asyncio.Future[Result]") -> None:
        self.item = item
        self.keys = keys
        self.answer = answer
        self.arrived = time.monotonic()


class MicroBatcher(Generic[Item, Result]):
    """Gathers items and hands them to `flush`, which returns one result per item in the same order.

    `keys` names what an item needs to itself: two items that share a key never meet in one batch, and the later one
    keeps its place before everything that came after it and shares a key with it. An exception that `flush` raises
    reaches every waiter of that batch; a result that is an exception instance is raised to its own waiter only.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Result]]],
        *,
        name: str,
        batch_max: int,
        queue_max: int,
        wait_seconds_max: float = 3.0,
        keys: Callable[[Item], Iterable[Hashable]] | None = None,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._flush = flush
        self._name = name
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._wait_seconds_max = wait_seconds_max
        self._keys = keys
        self._observe = observe
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._arrival = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"batcher {self._name}")

    async def stop(self) -> None:
        """Answer everything that is queued, then return."""
        self._stopping = True
        self._arrival.set()
        if self._task is not None:
            await self._task

    @property
    def depth(self) -> int:
        return len(self._queue)

    async def submit(self, item: Item) -> Result:
        if self._stopping or len(self._queue) >= self._queue_max:
            raise QueueFull(self._name)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        keys = tuple(self._keys(item)) if self._keys is not None else ()
        self._queue.append(_Waiting(item, keys, answer))
        self._arrival.set()
        return await answer

    async def _run(self) -> None:
        while True:
            while self._queue:
                batch = self._gather()
                if batch:
                    await self._answer(batch)
            if self._stopping:
                return
            self._arrival.clear()
            await self._arrival.wait()

    def _gather(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        taken: set[Hashable] = set()
        passed_over: list[_Waiting[Item, Result]] = []
        too_late = time.monotonic() - self._wait_seconds_max
        # Looking a bounded way past blocked items keeps one contested seat from emptying the batches of others.
        looks = self._batch_max * 4
        while self._queue and len(batch) < self._batch_max and looks > 0:
            looks -= 1
            waiting = self._queue.popleft()
            if waiting.answer.done():
                continue  # Whoever asked has gone, and nothing was begun.
            if waiting.arrived < too_late:
                waiting.answer.set_exception(DeadlinePassed(self._name))
                continue
            free = taken.isdisjoint(waiting.keys)
            taken.update(waiting.keys)
            (batch if free else passed_over).append(waiting)
        self._queue.extendleft(reversed(passed_over))
        return batch

    async def _answer(self, batch: list[_Waiting[Item, Result]]) -> None:
        # Whatever goes wrong here, the waiters hear of it and the next batch runs.
        try:
            if self._observe is not None:
                self._observe(len(batch))
            results = await self._flush([waiting.item for waiting in batch])
            if len(results) != len(batch):
                raise ValueError(f"{self._name} answered {len(batch)} items with {len(results)} results")
        except Exception as error:
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, result in zip(batch, results, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(result, BaseException):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)
