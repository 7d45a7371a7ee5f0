"""HTTP as the machine speaks it: one request after the other, over a few connections that stay open."""

import http.client
import json
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

# The processes share the port, and a connection belongs to one of them: requests in turn over several reach both.
CONNECTIONS: Final = 6
KEPT: Final = ("location", "idempotency-replayed", "content-type")


class Reply(msgspec.Struct, frozen=True):
    """`body` is the JSON, None when there is none; `headers` are those of KEPT that were there."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str | None:
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return str(self.body["code"]) if is_problem else None


class Wire:
    """`requests` counts what was asked; `journal` has a line for each request since `begin`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connections = [
            http.client.HTTPConnection(parts.hostname, parts.port, timeout=30) for _ in range(CONNECTIONS)
        ]
        self.requests = 0
        self.journal: list[str] = []

    def begin(self) -> None:
        """A new example: the same requests then go to the same processes when it is repeated."""
        self.journal.clear()

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None, key: str | None = None) -> Reply:
        connection = self._connections[len(self.journal) % CONNECTIONS]
        self.requests += 1
        # The model knows the present only.
        headers = {"Cache-Control": "no-cache"} | ({"Authorization": f"Bearer {token}"} if token else {})
        if key is not None:
            headers["Idempotency-Key"] = key
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        kept = {name: value for name in KEPT if (value := answer.getheader(name)) is not None}
        asked = (
            f"{method} {path}" + (f" {json.dumps(body)}" if body is not None else "") + (f" key {key}" if key else "")
        )
        self.journal.append(f"{asked} -> {answer.status} {text[:600].decode(errors='replace')}")
        return Reply(answer.status, json.loads(text) if text else None, kept)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
