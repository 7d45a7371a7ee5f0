"""How large a body may be, of what type, and how the rest of a refused one is got rid of."""

import asyncio
import re
from typing import Any, Final, cast

from litestar.types import HTTPReceiveMessage, Receive

from overbookr.http.problem import Problem, Refused, build_problem

BODY_LIMIT: Final = 64 * 1024
# A thousand of the longest labels, even when a client escapes every character.
LABELS_BODY_LIMIT: Final = 1024 * 1024
PLAN_BODY_LIMIT: Final = 16 * 1024 * 1024
_LONGEST_LENGTH = 18
_DRAIN_SECONDS = 3.0

_PLAN_PATH = re.compile(r"/+events/+[^/]+/+seating-plan/*")
_PREVIEW_PATH = re.compile(r"/+seating-plans/+preview/*")
_LABELS_PATH = re.compile(r"/+events/+[^/]+/+seats(?:/+(?:un)?block)?/*")
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def body_limit(method: str, path: str) -> int:
    if method == "PUT" and _PLAN_PATH.fullmatch(path):
        return PLAN_BODY_LIMIT
    if method == "POST" and _LABELS_PATH.fullmatch(path):
        return LABELS_BODY_LIMIT
    if method == "POST" and _PREVIEW_PATH.fullmatch(path):
        return PLAN_BODY_LIMIT
    return BODY_LIMIT


def refuse_body(method: str, length: bytes | None, media_type: bytes | None, limit: int) -> Problem | None:
    if length is not None:
        if not length.isdigit():
            return build_problem("invalid_request", "Content-Length is not a number")
        # Python refuses to read numbers of thousands of digits.
        size = int(length) if len(length) <= _LONGEST_LENGTH else limit + 1
        if size > limit:
            return build_problem("payload_too_large", too_large(limit))
        if size == 0:
            return None
    if media_type is not None and method in _METHODS_WITH_BODY and not _is_json(media_type):
        return build_problem("unsupported_media_type")
    return None


def _is_json(media_type: bytes) -> bool:
    if media_type == b"application/json":
        return True
    essence = media_type.split(b";", 1)[0].strip().lower()
    return essence == b"application/json" or (essence.startswith(b"application/") and essence.endswith(b"+json"))


def too_large(limit: int) -> str:
    return f"the body may have {limit} bytes at most"


def limited(receive: Receive, limit: int) -> Receive:
    """Count a body that did not announce its length; reading past the limit raises Refused."""
    size = 0

    async def receive_counted() -> Any:
        nonlocal size
        message = cast("HTTPReceiveMessage", await receive())
        if message["type"] == "http.request":
            size += len(message["body"])
            if size > limit:
                await drain(receive)
                raise Refused("payload_too_large", too_large(limit))
        return message

    return receive_counted


async def drain(receive: Receive) -> None:
    """Throw away the rest of a refused body, within bounds. Its request has given its room back, or is an organiser's.

    A server that closes a connection with bytes unread resets it, and the client may then never see the answer.
    """
    left = PLAN_BODY_LIMIT + BODY_LIMIT
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message = cast("dict[str, Any]", await receive())
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                left -= len(message["body"])
    except TimeoutError:
        return
