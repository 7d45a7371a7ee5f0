"""The way of the hottest routes through the framework: the same handler, without what it has no use for.

Litestar builds a request, resolves each argument and builds a response object anew for every call, which for a hold
costs nearly as much Python as everything else together. A handler `(data: Struct, state: State, scope: Scope)` with
`middleware=[ShortCut]` is called straight from the bytes of its body instead. Routing, authentication, policies,
exceptions and the description in OpenAPI stay Litestar's, and the handler cannot tell the difference.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar, cast

import msgspec
from litestar.enums import MediaType
from litestar.response import Response
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send

from overbookr.http.failures import body_fault
from overbookr.http.problem import Problem, ProblemResponse, invalid_fields, problem

Content = TypeVar("Content")
Handler = Callable[..., Awaitable[Response[Any]]]

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


class Answer(Response[Content], Generic[Content]):
    """A response that is cheap to make and carries JSON; handlers that are taken by the short cut return this."""

    def __init__(self, content: Content, *, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        # The parent's attributes without the parent's work, for when Litestar sends it after all.
        self.content = content
        self.status_code = status_code
        self.headers = dict(headers) if headers else {}
        self.media_type = MediaType.JSON
        self.background = None
        self.cookies = []
        self.encoding = "utf-8"
        self.response_type_encoders = {}


class ShortCut:
    """A middleware that answers itself, by the handler of its route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._prepared: tuple[Handler, Callable[[bytes], Any], Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call, decode, state = self._prepared or self._prepare(scope)
        body = await _read(receive)
        if body is None:
            return
        try:
            data = decode(body)
        except msgspec.ValidationError as error:
            response = invalid_fields([body_fault(str(error))])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            response = problem("malformed_json") if body else invalid_fields([("$", "a JSON body is required")])
        else:
            response = await call(data=data, state=state, scope=scope)
        await _send(response, send)

    def _prepare(self, scope: Scope) -> tuple[Handler, Callable[[bytes], Any], Any]:
        handler = cast("Any", scope["route_handler"])
        function = cast("Handler", handler.fn)
        decoder = msgspec.json.Decoder(function.__annotations__["data"])
        self._prepared = function, decoder.decode, scope["litestar_app"].state
        return self._prepared


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when the client left before its end. How much there may be is the front's to bound."""
    message = cast("HTTPReceiveMessage", await receive())
    if message["type"] == "http.request" and not message.get("more_body"):
        return message["body"]
    parts: list[bytes] = []
    while message["type"] == "http.request":
        parts.append(message["body"])
        if not message.get("more_body"):
            return b"".join(parts)
        message = cast("HTTPReceiveMessage", await receive())
    return None


async def _send(response: Response[Any], send: Send) -> None:
    if isinstance(response, ProblemResponse):
        refusal: Problem = response.problem
        status, body = refusal.status, refusal.body
        headers = [(b"content-type", b"application/problem+json")]
    else:
        status, body = response.status_code or 200, _encode(response.content)
        headers = [_JSON]
    headers.append((b"content-length", str(len(body)).encode()))
    headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
