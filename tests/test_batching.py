"""The micro-batcher: what meets in a batch, in what order, and who gets which answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from overbookr import batching
from overbookr.batching import DeadlinePassed, MicroBatcher, QueueFull

pytestmark = pytest.mark.anyio

Item = tuple[str, str]  # the key that the item needs to itself, and a name


class Slate:
    """A flush that waits for `gate` each time and remembers the batches it was given."""

    def __init__(self, *, closed: bool = True) -> None:
        self.batches: list[list[Item]] = []
        self.gate = asyncio.Semaphore(0)
        self.closed = closed
        self.begun = asyncio.Event()

    async def flush(self, items: list[Item]) -> list[str | Exception]:
        self.batches.append(items)
        self.begun.set()
        if self.closed:
            await self.gate.acquire()
        return [f"done {name}" for _, name in items]

    @property
    def names(self) -> list[list[str]]:
        return [[name for _, name in batch] for batch in self.batches]


def keys_of(item: Item) -> Iterable[Hashable]:
    return item[0].split()


@asynccontextmanager
async def running(
    flush: Callable[[list[Item]], Awaitable[list[str | Exception]]],
    *,
    batch_max: int = 100,
    queue_max: int = 1000,
    wait_seconds_max: float = 60.0,
    keys: Callable[[Item], Iterable[Hashable]] | None = keys_of,
    observe: Callable[[int], None] | None = None,
) -> AsyncIterator[MicroBatcher[Item, str | Exception]]:
    batcher: MicroBatcher[Item, str | Exception] = MicroBatcher(
        flush,
        name="test",
        batch_max=batch_max,
        queue_max=queue_max,
        wait_seconds_max=wait_seconds_max,
        keys=keys,
        observe=observe,
    )
    batcher.start()
    yield batcher
    await asyncio.wait_for(batcher.stop(), 5)


async def queued(batcher: MicroBatcher[Item, str | Exception], *items: Item) -> list["asyncio.Task[str | Exception]"]:
    """Submit one after the other, so that the order of arrival is certain."""
    tasks = []
    for item in items:
        tasks.append(asyncio.create_task(batcher.submit(item)))
        await asyncio.sleep(0)
    return tasks


async def test_a_lone_item_is_a_batch_of_one_and_waits_for_nobody() -> None:
    slate = Slate(closed=False)
    async with running(slate.flush) as batcher:
        task = (await queued(batcher, ("a", "1")))[0]
        # No clock runs here: a few turns of the loop are all it takes.
        for _ in range(5):
            await asyncio.sleep(0)
        assert task.done()
        assert await task == "done 1"
    assert slate.names == [["1"]]


async def test_what_arrives_while_a_batch_is_away_makes_the_next_one() -> None:
    slate = Slate()
    sizes: list[int] = []
    async with running(slate.flush, observe=sizes.append) as batcher:
        first = await queued(batcher, ("a", "1"))
        await slate.begun.wait()
        rest = await queued(batcher, *((f"k{number}", str(number)) for number in range(2, 7)))
        assert batcher.depth == 5
        slate.gate.release()
        slate.gate.release()
        assert await asyncio.gather(*first, *rest) == [f"done {number}" for number in range(1, 7)]
    assert slate.names == [["1"], ["2", "3", "4", "5", "6"]]
    assert sizes == [1, 5]


async def test_a_batch_has_a_largest_size() -> None:
    slate = Slate()
    async with running(slate.flush, batch_max=2) as batcher:
        tasks = await queued(batcher, *((f"k{number}", str(number)) for number in range(6)))
        for _ in range(4):
            slate.gate.release()
        await asyncio.gather(*tasks)
    assert slate.names == [["0"], ["1", "2"], ["3", "4"], ["5"]]


async def test_items_that_share_a_key_never_meet_and_keep_their_order() -> None:
    slate = Slate()
    async with running(slate.flush) as batcher:
        first = await queued(batcher, ("x", "0"))
        await slate.begun.wait()
        rest = await queued(
            batcher, ("a", "1"), ("a b", "2"), ("b", "3"), ("c", "4"), ("a", "5"), ("d", "6"), ("c b", "7")
        )
        for _ in range(10):
            slate.gate.release()
        await asyncio.gather(*first, *rest)
    # 3 could run with 1, but 2 came before it and shares b with it: nobody is overtaken where it matters.
    assert slate.names == [["0"], ["1", "4", "6"], ["2"], ["3", "5"], ["7"]]


async def test_every_key_sees_its_items_in_the_order_of_arrival() -> None:
    slate = Slate()
    items = [(" ".join({f"k{n * 7 % 11}", f"k{n * 3 % 8}"}), str(n)) for n in range(400)]
    async with running(slate.flush, batch_max=7) as batcher:
        first = await queued(batcher, *items[:1])
        await slate.begun.wait()
        rest = await queued(batcher, *items[1:])
        slate.closed = False
        slate.gate.release()
        await asyncio.gather(*first, *rest)
    assert sum(len(batch) > 1 for batch in slate.batches) > 50, "had all been alone, this would show nothing"
    for batch in slate.batches:
        taken = [key for item in batch for key in keys_of(item)]
        assert len(taken) == len(set(taken)), "two items of a batch share a key"
    for key in {key for item in items for key in keys_of(item)}:
        order = [int(name) for batch in slate.batches for wanted, name in batch if key in wanted.split()]
        assert order == sorted(order)
    assert sum(len(batch) for batch in slate.batches) == 400


async def test_a_contested_key_does_not_empty_the_batches_of_the_others() -> None:
    slate = Slate()
    async with running(slate.flush, batch_max=8) as batcher:
        first = await queued(batcher, ("x", "x"))
        await slate.begun.wait()
        rest = await queued(batcher, *((("hot", f"hot{n}")) for n in range(4)), *((f"k{n}", f"{n}") for n in range(6)))
        for _ in range(9):
            slate.gate.release()
        await asyncio.gather(*first, *rest)
    assert slate.names[1] == ["hot0", "0", "1", "2", "3", "4", "5"]


async def test_without_keys_everything_meets() -> None:
    slate = Slate()
    async with running(slate.flush, keys=None) as batcher:
        tasks = await queued(batcher, ("a", "1"), ("a", "2"), ("a", "3"))
        slate.gate.release()
        slate.gate.release()
        await asyncio.gather(*tasks)
    assert slate.names == [["1"], ["2", "3"]]


async def test_a_full_queue_refuses_at_once() -> None:
    slate = Slate()
    async with running(slate.flush, queue_max=2) as batcher:
        away = await queued(batcher, ("x", "0"))
        await slate.begun.wait()
        waiting = await queued(batcher, ("a", "1"), ("b", "2"))
        with pytest.raises(QueueFull):
            await asyncio.wait_for(batcher.submit(("c", "3")), 5)
        for _ in range(3):
            slate.gate.release()
        await asyncio.gather(*away, *waiting)
        assert await batcher.submit(("c", "4")) == "done 4"


async def test_what_waited_too_long_is_refused_and_never_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    slate, now = Slate(), 0.0
    monkeypatch.setattr(batching, "time", SimpleNamespace(monotonic=lambda: now))
    async with running(slate.flush, wait_seconds_max=3.0) as batcher:
        away = await queued(batcher, ("x", "0"))
        await slate.begun.wait()
        late = await queued(batcher, ("a", "1"))
        now = 3.1
        fresh = await queued(batcher, ("b", "2"))
        slate.gate.release()
        slate.gate.release()
        with pytest.raises(DeadlinePassed):
            await late[0]
        assert await asyncio.gather(*away, *fresh) == ["done 0", "done 2"]
    assert slate.names == [["0"], ["2"]]


async def test_who_has_gone_is_skipped() -> None:
    slate = Slate()
    async with running(slate.flush) as batcher:
        away = await queued(batcher, ("x", "0"))
        await slate.begun.wait()
        gone, stays = await queued(batcher, ("a", "1"), ("a", "2"))
        gone.cancel()
        away[0].cancel()
        await asyncio.sleep(0)
        slate.gate.release()
        slate.gate.release()
        assert await stays == "done 2"
    assert slate.names == [["0"], ["2"]]
    assert away[0].cancelled()


async def test_stopping_answers_everything_that_is_queued_and_takes_nothing_new() -> None:
    slate = Slate()
    async with running(slate.flush, batch_max=1) as batcher:
        tasks = await queued(batcher, ("a", "1"), ("b", "2"), ("c", "3"))
        stopping = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await batcher.submit(("d", "4"))
        for _ in range(3):
            slate.gate.release()
        await stopping
        assert [task.result() for task in tasks] == ["done 1", "done 2", "done 3"]


async def test_an_idle_batcher_stops_at_once() -> None:
    async with running(Slate().flush) as batcher:
        await asyncio.wait_for(batcher.stop(), 1)


class Troubled(Slate):
    """Answers the first batch, and whatever `answer` makes of the second."""

    def __init__(self, answer: Callable[[list[Item]], list[str | Exception]]) -> None:
        super().__init__()
        self._answer = answer

    async def flush(self, items: list[Item]) -> list[str | Exception]:
        results = await super().flush(items)
        return self._answer(items) if len(self.batches) == 2 else results


async def answers_of(slate: Slate, *items: Item) -> list[str | Exception | BaseException]:
    """What the items of a second batch are answered with; a third batch must be answered as ever."""
    async with running(slate.flush) as batcher:
        first = await queued(batcher, ("x", "0"))
        await slate.begun.wait()
        second = await queued(batcher, *items)
        for _ in range(3):
            slate.gate.release()
        assert await first[0] == "done 0"
        async with asyncio.timeout(10):
            answers = list(await asyncio.gather(*second, return_exceptions=True))
        assert await asyncio.wait_for(batcher.submit(("z", "last")), 2) == "done last"
        return answers


async def test_a_result_that_is_an_exception_reaches_its_own_waiter_only() -> None:
    slate = Troubled(lambda items: [ValueError(name) if name == "bad" else name for _, name in items])
    one, bad, two = await answers_of(slate, ("a", "1"), ("b", "bad"), ("c", "2"))
    assert (one, two) == ("1", "2")
    assert isinstance(bad, ValueError)


async def test_a_flush_that_fails_fails_its_batch_and_not_the_next_one() -> None:
    def fail(items: list[Item]) -> list[str | Exception]:
        raise RuntimeError("away")

    answers = await answers_of(Troubled(fail), ("a", "1"), ("b", "2"))
    assert [type(answer) for answer in answers] == [RuntimeError, RuntimeError]


@pytest.mark.parametrize("results", [0, 1, 3])
async def test_a_flush_with_the_wrong_number_of_results_leaves_nobody_waiting(results: int) -> None:
    # Which result is whose cannot be known, so nobody is given another's.
    answers = await answers_of(Troubled(lambda items: ["?"] * results), ("a", "1"), ("b", "2"))
    assert [type(answer) for answer in answers] == [ValueError, ValueError]


async def test_a_failing_observer_stops_nothing() -> None:
    def observe(size: int) -> None:
        raise OSError("no space for metrics")

    slate = Slate(closed=False)
    async with running(slate.flush, observe=observe) as batcher:
        for name in ("1", "2"):
            with pytest.raises(OSError, match="no space"):
                await asyncio.wait_for(batcher.submit(("a", name)), 2)
