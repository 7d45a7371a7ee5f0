"""The outermost layer: what every request and response has in common, on raw ASGI.

Refusals under overload, request ids, body limits, media types, security headers, CORS, HEAD, and counting.
"""

import asyncio
import os
import random
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, cast

import structlog
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from overbookr import limits
from overbookr.http.admission import Admission, Kind, kind_of, pause_seconds
from overbookr.http.arriving import CLOSE, Arrivals, in_time, is_gathered
from overbookr.http.body_bounds import BODY_LIMIT, body_limit, drain, limited, refuse_body, too_large
from overbookr.http.cors import Origins, RawHeaders, expose, preflight_headers
from overbookr.http.long_answers import LongAnswers, is_long
from overbookr.http.problem import MEDIA_TYPE, Problem, build_problem
from overbookr.telemetry import current_request_id, observe_request

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS_READ = frozenset(
    {b"x-request-id", b"origin", b"access-control-request-method", b"content-length", b"content-type"}
)
_METHODS_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_SECURITY_HEADERS: Final[RawHeaders] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_TRANSPORT_SECURITY = (b"strict-transport-security", b"max-age=31536000")
_CLOSE = (b"connection", b"close")
_REQUEST_ID_LENGTH = 24
# A Content-Length of so many digits is read to its end before the request is refused.
_SMALL_LENGTH = 5

_log = structlog.get_logger("overbookr.http")


class ReadyAnswer(NamedTuple):
    """An answer that lies ready. `path` is the route's template, for the metrics."""

    status: int
    headers: RawHeaders
    body: bytes
    path: str


# What a request is answered with at once, if it is. Asked for GET and HEAD only.
Ready = Callable[[HTTPScope], ReadyAnswer | None]


class _Exchange:
    """One request and what became of its answer."""

    __slots__ = (
        "done", "is_head", "is_unread", "long_body", "may_close", "origin", "request_id", "started", "status"
    )  # fmt: skip

    def __init__(self, request_id: bytes, origin: bytes | None, is_head: bool, may_close: bool) -> None:
        self.request_id = request_id
        self.origin = origin
        self.is_head = is_head
        # HTTP/2 has no such header.
        self.may_close = may_close
        self.status = 0
        self.started = time.perf_counter()
        self.done = False
        # What is left to do when the request has given its room back: to read the rest of a refused body, or to send a
        # long answer.
        self.is_unread = False
        self.long_body: bytes | None = None


class Front:
    """The ASGI application that a server is given; wraps the Litestar application.

    `cors_origins` are exact origins. `transport_security` adds HSTS and belongs behind TLS only.
    `admission` decides which requests are let in when there are too many; what is `ready` is answered in any case.
    A body has to be there `idle_seconds` after it began to come; large ones have longer.
    While `draining`, every answer closes its connection, so that clients come back elsewhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cors_origins: Iterable[str] = (),
        transport_security: bool = False,
        admission: Admission | None = None,
        ready: Ready | None = None,
        idle_seconds: float = 20.0,
    ) -> None:
        self._app = app
        self._arrivals = Arrivals(idle_seconds)
        self._ready = ready
        self._admission = Admission() if admission is None else admission
        self.draining = False
        self._origins = Origins(cors_origins)
        self._common = _SECURITY_HEADERS + ([_TRANSPORT_SECURITY] if transport_security else []) + self._origins.vary
        self._long_answers = LongAnswers()
        self._idle = asyncio.Event()
        self._idle.set()
        self._refusals = _prepare_refusals(self._common)
        self._paused = 0
        self._drains = 0

    @property
    def in_flight(self) -> int:
        """The number of requests being answered, streams included."""
        return self._admission.in_flight

    async def wait_until_idle(self, seconds: float) -> bool:
        """Whether every request has been answered before `seconds` were over."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http":
            await self._app(scope, receive, send)
            return
        fields = cast("HTTPScope", scope)
        if self._ready is not None and fields["method"] in ("GET", "HEAD"):
            answer = self._ready(fields)
            if answer is not None:
                await self._send_ready(fields, answer, receive, send)
                return
        elif fields["method"] not in _METHODS_WITHOUT_BODY:
            arrived = await self._take_body(fields, receive, send)
            if arrived is None:
                return
            receive = arrived
        kind = kind_of(cast("str", fields["method"]), fields["path"])
        if not self._admission.admit(kind):
            await self._turn_away(fields, receive, send)
            return
        self._idle.clear()
        exchange = await self._serve(fields, kind, receive, send)
        if exchange.long_body is not None:
            await self._long_answers.send(exchange.long_body, receive, send)
        elif exchange.is_unread:
            await self._end_unread(send, receive)

    async def _take_body(self, scope: HTTPScope, receive: Receive, send: Send) -> Receive | None:
        """How to receive a body that is there, or None when its request is done with."""
        length: bytes | None = None
        is_chunked = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                is_chunked = True
        if not is_gathered(scope, length, is_chunked):
            return receive
        arrived = await self._arrivals.gather(receive)
        if arrived is not None and not isinstance(arrived, str):
            return arrived
        await self._refuse_body(scope, arrived, receive, send)
        return None

    async def _refuse_body(self, scope: HTTPScope, code: str | None, receive: Receive, send: Send) -> None:
        """Answer a request whose body was not taken; with None its client has left."""
        headers = dict(scope["headers"])
        request_id, origin = _request_id_of(headers.get(b"x-request-id")), headers.get(b"origin")
        current_request_id.set(request_id.decode())
        exchange = _Exchange(request_id, self._origins.known(origin), False, False)
        if code == "payload_too_large":
            await _send_problem(
                self._sender(exchange, send), build_problem(code, too_large(BODY_LIMIT)), is_unread=True
            )
            await self._end_unread(send, receive)
        elif code is not None:
            # Nobody waits here for the rest, so the server closes the connection when the answer is out.
            await _send_problem(self._sender(exchange, send), build_problem(code, headers=CLOSE))
        label = _label_of(cast("str", scope["method"]))
        observe_request(label, "unmatched", exchange.status or 499, time.perf_counter() - exchange.started)

    async def _end_unread(self, send: Send, receive: Receive) -> None:
        """Read what is left of a refused body, and end the answer. Not for everybody at once: reading costs time."""
        if self._drains < limits.DRAINS_MAX:
            self._drains += 1
            try:
                await drain(receive)
            finally:
                self._drains -= 1
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_ready(self, scope: HTTPScope, answer: ReadyAnswer, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        given: bytes | None = None
        origin: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"origin":
                origin = value
        headers = [*answer.headers, (b"x-request-id", _request_id_of(given)), *self._common]
        self._add_circumstances(headers, origin, scope)
        method = cast("str", scope["method"])
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = answer.body if method == "GET" else b""
        if not (is_in_parts := is_long(body)):
            await send({"type": "http.response.body", "body": body, "more_body": False})
        observe_request(method, answer.path, answer.status, time.perf_counter() - started)
        if is_in_parts:
            await self._long_answers.send(body, receive, send)

    def _add_circumstances(self, headers: RawHeaders, origin: bytes | None, scope: HTTPScope) -> None:
        """What depends on who asks, and on whether this process is about to stop."""
        if (known := self._origins.known(origin)) is not None:
            expose(headers, known)
        if self.draining and scope["http_version"] < "2":
            headers.append(_CLOSE)

    async def _turn_away(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """503 for what there is no room for, as cheap as an answer can be: see `admission`."""
        given: bytes | None = None
        origin: bytes | None = None
        length: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"origin":
                origin = value
            elif name == b"content-length":
                length = value
        is_small = length is not None and len(length) <= _SMALL_LENGTH
        if is_small:
            # Answered before its body came, a connection would be reset under the client that sends it.
            await drain(receive)
        if self._paused < limits.REFUSALS_PAUSED_MAX and not self.draining:
            self._paused += 1
            try:
                await asyncio.sleep(pause_seconds(self._paused))
            finally:
                self._paused -= 1
        request_id = _request_id_of(given)
        headers, before, after = random.choice(self._refusals)
        headers = [*headers, (b"x-request-id", request_id)]
        if len(request_id) != _REQUEST_ID_LENGTH:
            headers[0] = (b"content-length", str(len(before) + len(request_id) + len(after)).encode())
        self._add_circumstances(headers, origin, scope)
        body = before + request_id + after
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        is_unread = not is_small and (length is not None or scope["method"] not in _METHODS_WITHOUT_BODY)
        await send({"type": "http.response.body", "body": body, "more_body": is_unread})
        if is_unread:
            await self._end_unread(send, receive)

    async def _serve(self, scope: HTTPScope, kind: Kind, receive: Receive, send: Send) -> _Exchange:
        """What became of a request that was let in, and has given its room back."""
        method = cast("str", scope["method"])
        seen = {name: value for name, value in scope["headers"] if name in _HEADERS_READ}
        request_id, origin, length = seen.get(b"x-request-id"), seen.get(b"origin"), seen.get(b"content-length")
        request_id = _request_id_of(request_id)
        text_id = request_id.decode()
        current_request_id.set(text_id)
        fields = cast("dict[str, Any]", scope)
        fields["state"] = {**(fields.get("state") or {}), "request_id": text_id}
        exchange = _Exchange(request_id, self._origins.known(origin), method == "HEAD", scope["http_version"] < "2")
        if exchange.is_head:
            # Routes know GET only; the answer is the same without its body.
            fields["method"] = "GET"
        send = self._sender(exchange, send)
        try:
            if method == "OPTIONS" and exchange.origin is not None and b"access-control-request-method" in seen:
                await send({"type": "http.response.start", "status": 204, "headers": preflight_headers()})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return exchange
            refusal = None
            if length is not None or method not in _METHODS_WITHOUT_BODY:
                limit = body_limit(method, scope["path"])
                refusal = refuse_body(method, length, seen.get(b"content-type"), limit)
                if length is None:
                    receive = limited(receive, limit)
                if limit > BODY_LIMIT:
                    seconds = self._arrivals.seconds + limit / limits.BODY_BYTES_PER_SECOND_MIN
                    receive = in_time(receive, seconds)
            if refusal is not None:
                await _send_problem(send, refusal, is_unread=True)
                exchange.is_unread = not exchange.done
            else:
                await self._app(scope, _ending(receive, exchange) if exchange.is_head else receive, send)
        except Exception as error:
            await self._answer_escaped(exchange, send, error)
        finally:
            self._count(exchange, kind, method, scope)
        return exchange

    async def _answer_escaped(self, exchange: _Exchange, send: Send, error: Exception) -> None:
        """Litestar answers exceptions itself; what comes out here failed in the middle of an answer, or in Litestar."""
        if exchange.is_head and exchange.done:
            return
        _log.error("request failed outside of its handler", exc_info=error)
        if exchange.status:
            raise error
        await _send_problem(send, build_problem("internal_error"))

    def _sender(self, exchange: _Exchange, send: Send) -> Send:
        common = self._common

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = [*message["headers"], (b"x-request-id", exchange.request_id), *common]
                if exchange.origin is not None:
                    expose(headers, exchange.origin)
                if self.draining and exchange.may_close:
                    headers.append(_CLOSE)
                message["headers"] = headers
                await send(message)
                if exchange.is_head:
                    exchange.done = True
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif not exchange.done:
                fields = cast("dict[str, Any]", message)
                if fields.get("more_body") or not is_long(fields.get("body", b"")):
                    await send(message)
                else:
                    exchange.long_body = fields["body"]

        return send_with_headers

    def _count(self, exchange: _Exchange, kind: Kind, method: str, scope: HTTPScope) -> None:
        # A status of 0 means the client left before an answer; nginx's 499 is what dashboards know for that.
        path = cast("dict[str, Any]", scope).get("path_template") or "unmatched"
        seconds, status = time.perf_counter() - exchange.started, exchange.status or 499
        self._admission.leave(kind, status, seconds)
        if self._admission.in_flight == 0:
            self._idle.set()
        observe_request(_label_of(method), path, status, seconds)


def _label_of(method: str) -> str:
    return method if method in _KNOWN_METHODS else "other"


def _request_id_of(given: bytes | None) -> bytes:
    if given is None or _SANE_REQUEST_ID.fullmatch(given) is None:
        return os.urandom(_REQUEST_ID_LENGTH // 2).hex().encode()
    return given


def _prepare_refusals(common: RawHeaders) -> list[tuple[RawHeaders, bytes, bytes]]:
    """Headers, and the body before and after the request's id, for each Retry-After that one may be given.

    They differ so that those who were refused together do not come back together.
    """
    placeholder = "0" * _REQUEST_ID_LENGTH
    token = current_request_id.set(placeholder)
    problem = build_problem("busy")
    current_request_id.reset(token)
    before, _, after = problem.body.partition(placeholder.encode())
    length = (b"content-length", str(len(problem.body)).encode())
    return [
        (
            [length, (b"retry-after", str(seconds).encode()), (b"content-type", MEDIA_TYPE.encode()), *common],
            before,
            after,
        )
        for seconds in range(1, limits.RETRY_AFTER_SECONDS_MAX + 1)
    ]


def _ending(receive: Receive, exchange: _Exchange) -> Receive:
    """Tell a stream that its listener has left as soon as the headers of a HEAD are out."""

    async def receive_or_end() -> Any:
        return {"type": "http.disconnect"} if exchange.done else await receive()

    return receive_or_end


async def _send_problem(send: Send, problem: Problem, *, is_unread: bool = False) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in problem.headers.items()]
    headers.append((b"content-type", MEDIA_TYPE.encode()))
    headers.append((b"content-length", str(len(problem.body)).encode()))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.body, "more_body": is_unread})
