"""Requests made beforehand, as bytes, so that sending them costs the load generator next to nothing."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec


def request(
    method: str, path: str, token: str | None = None, body: Any = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """One HTTP/1.1 request; `body` is sent as JSON."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    content = b""
    if body is not None:
        content = msgspec.json.encode(body)
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """For lua/listed.lua: the length of each request on a line, then the request."""
    with path.open("wb") as file:
        for each in requests:
            file.write(b"%d\n%b" % (len(each), each))
