"""A thin HTTP client: what a buyer sends, how long the answer took, and the patience that a full house asks for."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from overbookr.demo.model import DemoRefused, Operation
from overbookr.demo.recorder import NO_ANSWER, Recorder

ATTEMPTS_MAX: Final = 8
ANSWER_SECONDS_MAX: Final = 30.0
_RETRY_SECONDS_MAX: Final = 10.0
_RETRIED_STATUSES: Final = frozenset({429, 503})

Content = TypeVar("Content")


class _Problem(msgspec.Struct):
    code: str = ""
    detail: str = ""


_read_problem = msgspec.json.Decoder(_Problem).decode


class Answer:
    """`status` 0 says that there was none. `code` is the problem's, "" for a success."""

    __slots__ = ("body", "code", "etag", "replayed", "retry_after", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Any = None, code: str = "") -> None:
        self.status = status
        self.body = body
        self.code = code
        self.etag: str | None = headers.get("ETag") if headers is not None else None
        self.replayed = headers is not None and headers.get("Idempotency-Replayed") == "true"
        self.retry_after: str | None = headers.get("Retry-After") if headers is not None else None

    @property
    def is_unknown(self) -> bool:
        """Whether the request may or may not have taken effect."""
        return self.status == NO_ANSWER or self.code == "outcome_unknown"

    def content(self, decoder: msgspec.json.Decoder[Content]) -> Content:
        return decoder.decode(self.body)


class Client:
    """Sends requests over at most `connections` at once; whoever finds none free waits outside of the measured time."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, connections: int, recorder: Recorder) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._room = asyncio.Semaphore(connections)
        self._recorder = recorder
        # Not the buyers' own chance: how often the server is busy must not change what they decide.
        self._jitter = random.Random(0)

    def url(self, path: str) -> URL:
        return URL(self._base_url + path, encoded=True)

    async def send(
        self,
        operation: Operation,
        method: str,
        url: URL,
        *,
        headers: dict[str, str],
        body: bytes | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """The answer, after as many attempts as Retry-After and a bounded patience allow.

        What is not `repeatable` is not sent again when it is unknown what became of it.
        """
        in_doubt = False
        for attempt in range(ATTEMPTS_MAX):
            answer = await self._send_once(operation, method, url, headers, body, in_doubt=in_doubt)
            in_doubt = in_doubt or answer.is_unknown
            if not _is_worth_another(answer, repeatable) or attempt == ATTEMPTS_MAX - 1:
                return answer
            await asyncio.sleep(self._patience(answer, attempt))
        raise AssertionError("the last attempt returns")

    async def _send_once(
        self,
        operation: Operation,
        method: str,
        url: URL,
        headers: dict[str, str],
        body: bytes | None,
        *,
        in_doubt: bool,
    ) -> Answer:
        """One attempt. `in_doubt` when an earlier one may have taken effect, which makes other refusals right."""
        async with self._room:
            started = time.perf_counter()
            try:
                async with self._session.request(method, url, data=body, headers=headers) as response:
                    content = await response.read()
                    seconds = time.perf_counter() - started
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._recorder.record(operation, NO_ANSWER, type(error).__name__, time.perf_counter() - started)
                return Answer(NO_ANSWER)
        problem = _problem_of(response.status, content)
        answer = Answer(response.status, content, response.headers, problem.code)
        if answer.replayed and operation is Operation.BOOK:
            operation = Operation.REPLAY
        self._recorder.record(operation, answer.status, problem.code, seconds, problem.detail, in_doubt=in_doubt)
        return answer

    def _patience(self, answer: Answer, attempt: int) -> float:
        asked = answer.retry_after
        seconds = float(asked) if asked is not None and asked.isdigit() else 0.1 * 2**attempt
        return min(seconds, _RETRY_SECONDS_MAX) * self._jitter.uniform(1.0, 1.5)


def _is_worth_another(answer: Answer, repeatable: bool) -> bool:
    if answer.is_unknown:
        return repeatable
    return answer.status in _RETRIED_STATUSES or answer.code == "idempotency_in_flight"


def _problem_of(status: int, content: bytes) -> _Problem:
    if status < 400:
        return _Problem()
    try:
        return _read_problem(content)
    except msgspec.DecodeError:
        return _Problem("not_a_problem_document")


@asynccontextmanager
async def open_client(base_url: str, connections: int, recorder: Recorder) -> AsyncIterator[Client]:
    """Raises DemoRefused when no server answers."""
    # The client bounds the connections itself, so that waiting for one is not measured as the server's time.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX),
        skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        auto_decompress=False,
    ) as session:
        client = Client(session, base_url, connections, recorder)
        try:
            async with session.get(client.url("/healthz")) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DemoRefused(f"No server answers at {base_url}; start one with `overbookr serve`.") from error
        yield client
