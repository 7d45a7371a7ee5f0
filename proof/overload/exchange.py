"""A connection of the crowd: one request at a time, an answer read with as little work as possible."""

import asyncio
import re
from collections.abc import Callable
from typing import Final, NamedTuple

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY: Final = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"


class Answer(NamedTuple):
    """`retry_after` is in seconds, None without the header; `closes`: the server wants no other request here."""

    status: int
    retry_after: int | None
    closes: bool
    body: bytes


def read_answer(data: bytes) -> Answer | None:
    """The answer that these bytes are, or None while they are not all of it. Raises ValueError for no HTTP/1.1."""
    if data[:9] != b"HTTP/1.1 "[: len(data)]:
        raise ValueError(f"no HTTP/1.1: {data[:40]!r}")
    end = data.find(_HEAD_END)
    if end < 0:
        return None
    head = data[:end]
    length = _LENGTH.search(head)
    start = end + len(_HEAD_END)
    size = int(length[1]) if length is not None else 0
    if len(data) < start + size:
        return None
    status = int(head[9:12])
    retry = _RETRY.search(head) if status >= 400 else None
    return Answer(
        status,
        int(retry[1]) if retry is not None else None,
        _CLOSE.search(head) is not None,
        data[start : start + size],
    )


class Connection(asyncio.Protocol):
    """`on_free` is called when it may be given a request; `on_lost` when it has closed without an answer being due."""

    def __init__(self, on_free: "Callable[[Connection], None]", on_lost: "Callable[[Connection], None]") -> None:
        self._on_free = on_free
        self._on_lost = on_lost
        self._received = b""
        self._on_answer: Callable[[Answer | None], None] | None = None
        self._transport: asyncio.Transport | None = None
        self._closes = False

    def ask(self, request: bytes, on_answer: Callable[[Answer | None], None]) -> None:
        """Send a request. `on_answer` hears None when the connection is lost before the answer is whole."""
        assert self._transport is not None
        self._on_answer = on_answer
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._on_free(self)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        try:
            answer = read_answer(data)
        except ValueError:
            self.close()
            return
        if answer is None:
            self._received = data
            return
        self._received = b""
        on_answer, self._on_answer = self._on_answer, None
        self._closes = answer.closes
        if on_answer is not None:
            on_answer(answer)
        if self._closes:
            self.close()
        elif self._on_answer is None:
            self._on_free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        on_answer, self._on_answer = self._on_answer, None
        self._on_lost(self)
        if on_answer is not None:
            on_answer(None)
