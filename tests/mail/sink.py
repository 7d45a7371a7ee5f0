"""A real SMTP server on loopback that keeps what it is sent and misbehaves on request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "postmaster@example.org", "p@ss/wörd:1"

Judge = Callable[[Envelope], str | None]


class Sink:
    """`judge` may return an SMTP answer other than 250; the letter is then not kept."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, EmailMessage]] = []
        self.connections = 0
        self.judge: Judge = lambda envelope: None
        self.hang_up_after_accepting = False
        self.before_taking: Callable[[], Awaitable[object]] | None = None
        self.silent_until: asyncio.Event | None = None
        self.is_reading = asyncio.Event()
        self.port = 0

    def message_ids(self) -> list[str]:
        return [str(message["Message-ID"]) for _, message in self.letters]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.is_reading.set()
        if self.silent_until is not None:
            await self.silent_until.wait()
        if self.before_taking is not None:
            await self.before_taking()
        answer = self.judge(envelope)
        if answer is not None:
            return answer
        content = envelope.content
        assert isinstance(content, bytes)
        assert envelope.rcpt_tos[0] is not None
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.letters.append((envelope.rcpt_tos[0], message))
        if self.hang_up_after_accepting:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "250 taken"


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    if (data.login, data.password) == (USER.encode(), PASSWORD.encode()):
        return AuthResult(success=True, handled=False)
    # As talkative as a server can be.
    answer = f"535 {data.login.decode()} may not enter with {data.password.decode()}"
    return AuthResult(success=False, handled=False, message=answer)


@asynccontextmanager
async def running(sink: Sink, *, tls: ssl.SSLContext | None = None, auth: bool = False) -> AsyncIterator[Sink]:
    def protocol() -> SMTP:
        sink.connections += 1
        return SMTP(
            sink,
            hostname="sink.example.org",
            tls_context=tls,
            authenticator=authenticate if auth else None,
            auth_required=auth,
            auth_require_tls=tls is not None,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        await server.wait_closed()
