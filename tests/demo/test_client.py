"""The client honours Retry-After within bounds, measures every attempt, and never repeats what may have happened."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from overbookr.demo.client import ATTEMPTS_MAX, Client, open_client
from overbookr.demo.model import DemoRefused, Operation
from overbookr.demo.recorder import Recorder
from tests.house.serving import free_port

pytestmark = pytest.mark.anyio

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Desk:
    """A server on loopback that answers /desk as the test says; `asked` are the times at which it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[float] = []
        self.handler: Handler | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(time.monotonic())
        assert self.handler is not None
        return await self.handler(request)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    port = free_port()
    desk = Desk(f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_route("*", "/desk", desk.answer)
    app.router.add_get("/healthz", _healthz)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield desk
    await runner.cleanup()


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({})


def answering(*answers: tuple[int, dict[str, str], dict[str, str]]) -> Handler:
    """The answers one after the other, the last one again and again."""
    left = list(answers)

    async def handler(_: web.Request) -> web.StreamResponse:
        status, content, headers = left.pop(0) if len(left) > 1 else left[0]
        return web.json_response(content, status=status, headers=headers)

    return handler


async def ask(client: Client, operation: Operation = Operation.HOLD, *, repeatable: bool = True) -> tuple[int, str]:
    answer = await client.send(operation, "POST", client.url("/desk"), headers={}, body=b"{}", repeatable=repeatable)
    return answer.status, answer.code


async def test_a_busy_server_is_asked_again_when_it_says(desk: Desk) -> None:
    desk.handler = answering((503, {"code": "busy"}, {"Retry-After": "1"}), (201, {}, {}))
    recorder = Recorder()
    async with open_client(desk.url, 4, recorder) as client:
        assert await ask(client) == (201, "")
    assert 1.0 <= desk.asked[1] - desk.asked[0] < 2.5
    assert recorder.statuses() == {"201": 1, "503": 1}
    assert recorder.unexpected_count == 0


async def test_patience_is_bounded(desk: Desk) -> None:
    desk.handler = answering((429, {"code": "rate_limited"}, {"Retry-After": "0"}))
    async with open_client(desk.url, 4, Recorder()) as client:
        assert await ask(client) == (429, "rate_limited")
    assert len(desk.asked) == ATTEMPTS_MAX


async def test_a_refusal_is_final(desk: Desk) -> None:
    desk.handler = answering((409, {"code": "seats_unavailable"}, {}), (201, {}, {}))
    async with open_client(desk.url, 4, Recorder()) as client:
        assert await ask(client) == (409, "seats_unavailable")
    assert len(desk.asked) == 1


async def test_a_request_in_flight_is_asked_for_again(desk: Desk) -> None:
    desk.handler = answering((409, {"code": "idempotency_in_flight"}, {"Retry-After": "0"}), (201, {}, {}))
    async with open_client(desk.url, 4, Recorder()) as client:
        assert await ask(client, Operation.REPLAY) == (201, "")


async def test_what_may_have_happened_is_repeated_only_where_that_is_safe(desk: Desk) -> None:
    recorder = Recorder()

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    desk.handler = hang_up
    async with open_client(desk.url, 4, recorder) as client:
        assert (await ask(client, repeatable=False))[0] == 0
        assert len(desk.asked) == 1
        assert recorder.without_answer == 1
        desk.handler = answering((503, {"code": "outcome_unknown"}, {"Retry-After": "0"}), (201, {}, {}))
        assert await ask(client, repeatable=False) == (503, "outcome_unknown")
        assert await ask(client, repeatable=True) == (201, "")


async def test_a_repeated_booking_is_counted_as_a_replay(desk: Desk) -> None:
    desk.handler = answering((201, {}, {}), (201, {}, {"Idempotency-Replayed": "true"}))
    recorder = Recorder()
    async with open_client(desk.url, 4, recorder) as client:
        await ask(client, Operation.BOOK)
        await ask(client, Operation.BOOK)
    assert recorder.answered(Operation.BOOK, 201) == recorder.answered(Operation.REPLAY, 201) == 1


async def test_a_refusal_that_is_no_problem_document_is_outside_of_the_contract(desk: Desk) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(status=409, text="<html>")

    desk.handler = page
    recorder = Recorder()
    async with open_client(desk.url, 4, recorder) as client:
        await ask(client)
    assert recorder.unexpected == ["hold: 409 not_a_problem_document"]


async def test_connections_are_bounded_and_the_wait_for_one_is_not_measured(desk: Desk) -> None:
    at_work, most = 0, 0

    async def work(_: web.Request) -> web.StreamResponse:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.05)
        at_work -= 1
        return web.json_response({}, status=201)

    desk.handler = work
    recorder = Recorder()
    async with open_client(desk.url, 3, recorder) as client:
        started = time.monotonic()
        await asyncio.gather(*(ask(client) for _ in range(30)))
        total = time.monotonic() - started
    assert most == 3
    assert recorder.figures()[0].p50 < total * 1000 / 2


async def test_where_nobody_answers_there_is_no_demonstration() -> None:
    with pytest.raises(DemoRefused, match="overbookr serve"):
        async with open_client(f"http://127.0.0.1:{free_port()}", 4, Recorder()):
            pass
