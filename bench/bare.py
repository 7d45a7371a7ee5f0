"""The least that a Python server can do with a hold: read the same JSON, answer with as much. It decides nothing.

`GET /static/<n>` is answered with n bytes, all that a server can do with a map that never changes.
"""

from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

_STATIC = "/static/"


class HoldRequest(msgspec.Struct, forbid_unknown_fields=True):
    event_id: UUID
    seat_nos: list[str]


class HoldAnswer(msgspec.Struct):
    hold_token: UUID
    event_id: UUID
    seat_nos: list[str]
    expires_at: str


_decode = msgspec.json.Decoder(HoldRequest).decode
_encode = msgspec.json.Encoder().encode


@lru_cache
def _static(size: int) -> bytes:
    return b"x" * size


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"].startswith(_STATIC):
        answer = _static(int(scope["path"].removeprefix(_STATIC)))
    else:
        wanted = _decode(body) if body else HoldRequest(UUID(int=0), [])
        answer = _encode(HoldAnswer(wanted.event_id, wanted.event_id, wanted.seat_nos, "2030-01-01T00:00:00.000000Z"))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 201 if body else 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
