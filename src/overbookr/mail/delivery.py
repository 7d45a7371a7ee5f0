"""Where letters go: to an SMTP server, or to files when none is set.

An SMTP server is named by a URL, `smtp://user:password@host:port?starttls=...` or `smtps://...`; user and password are
percent-encoded. `smtps` speaks TLS from the first byte (port 465 unless given). For `smtp` (port 587 with a user, else
25) `starttls` is one of

- `require`: TLS with a verified certificate, or nothing is sent. The default with a user, so that a password never
  travels in the clear.
- `auto`: TLS if the server offers it, whatever its certificate; better than nothing against listeners only. The
  default without a user.
- `never`: no TLS. The default for this machine (localhost, 127.x.x.x, ::1), which nothing leaves.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import enum
import ipaddress
import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import msgspec

from overbookr.mail.model import Delivered, Letter, LetterRefused, PostUnreachable, reason_of
from overbookr.settings import Settings

Outcome = Delivered | LetterRefused | PostUnreachable

# For one letter, connecting included: whoever waits for the mails behind it waits no longer.
LETTER_SECONDS_MAX = 10.0
_FAREWELL_SECONDS_MAX = 2.0
_SERVICE_NOT_AVAILABLE = 421


class StartTls(enum.StrEnum):
    REQUIRE = "require"
    AUTO = "auto"
    NEVER = "never"


class SmtpServer(msgspec.Struct, frozen=True):
    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls_from_start: bool = False
    start_tls: StartTls = StartTls.REQUIRE

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port})"


class Courier(Protocol):
    """Delivers letters one after the other, over one connection if it can. Not to be shared between tasks."""

    async def deliver(self, letter: Letter) -> Outcome: ...

    async def close(self) -> None: ...


class Post(Protocol):
    name: str

    def courier(self) -> Courier: ...


def post_of(settings: Settings) -> Post:
    """The SMTP server of the settings, else Gmail's with their account, else files under the data folder.

    Raises ValueError, without the URL in its text, when the URL is wrong.
    """
    if settings.smtp_url is not None:
        return SmtpPost(parse_smtp_url(settings.smtp_url.get_secret_value()))
    if settings.gmail_user and settings.gmail_pass is not None:
        password = settings.gmail_pass.get_secret_value()
        return SmtpPost(SmtpServer("smtp.gmail.com", 587, user=settings.gmail_user, password=password))
    return FilePost(settings.data_dir / "mail")


def sender_of(settings: Settings) -> str:
    """MAIL_FROM; where that is unset and mails go through Gmail, its account, which Gmail would put there anyway."""
    goes_through_gmail = settings.smtp_url is None and settings.gmail_pass is not None
    if goes_through_gmail and settings.gmail_user and "mail_from" not in settings.model_fields_set:
        return settings.gmail_user
    return settings.mail_from


def parse_smtp_url(url: str) -> SmtpServer:
    """Raises ValueError with a text that repeats nothing of the URL, as that may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
        options = parse_qs(parts.query, strict_parsing=bool(parts.query), max_num_fields=1)
    except ValueError:
        raise ValueError("the SMTP URL cannot be read; write smtp://user:password@host:port") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("the SMTP URL must start with smtp:// or smtps:// and name a host")
    if parts.path not in ("", "/") or parts.fragment or set(options) - {"starttls"}:
        raise ValueError("after host and port the SMTP URL may only have ?starttls=require, auto or never")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("the SMTP URL must have both user and password, or neither")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    if parts.scheme == "smtps":
        if options:
            raise ValueError("an SMTP URL with smtps:// is TLS from the start, so starttls= has no place in it")
        return SmtpServer(parts.hostname, port or 465, user, password, tls_from_start=True, start_tls=StartTls.NEVER)
    try:
        start_tls = StartTls(options["starttls"][0]) if options else _default_start_tls(parts.hostname, user)
    except ValueError:
        raise ValueError("starttls= in the SMTP URL must be require, auto or never") from None
    return SmtpServer(parts.hostname, port or (25 if user is None else 587), user, password, start_tls=start_tls)


def _default_start_tls(host: str, user: str | None) -> StartTls:
    if host == "localhost":
        return StartTls.NEVER
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return StartTls.NEVER
    return StartTls.AUTO if user is None else StartTls.REQUIRE


class SmtpPost:
    """`trust` replaces the system's certificate authorities where certificates are verified."""

    def __init__(self, server: SmtpServer, *, trust: ssl.SSLContext | None = None) -> None:
        self.name = f"smtp {server.host}:{server.port}"
        self._server = server
        # Reading the authorities takes tens of milliseconds, hence once.
        self._tls = trust or ssl.create_default_context()
        if server.start_tls is StartTls.AUTO:
            self._tls = ssl.create_default_context()
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    def courier(self) -> SmtpCourier:
        return SmtpCourier(self._server, self._tls)


class SmtpCourier:
    """Connects at the first letter, and again at the next one after the connection broke."""

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext) -> None:
        self._server = server
        self._tls = tls
        self._connection: aiosmtplib.SMTP | None = None

    async def deliver(self, letter: Letter) -> Outcome:
        try:
            async with asyncio.timeout(LETTER_SECONDS_MAX):
                connection = await self._connected()
                await connection.sendmail(letter.sender, [letter.recipient], letter.data)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return self._judged(error, letter)
        except BaseException:
            # Cancelled amid a command: what the server says next would be taken for the answer to another one.
            self._drop()
            raise
        return Delivered()

    async def close(self) -> None:
        if self._connection is not None and self._connection.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(_FAREWELL_SECONDS_MAX):
                    await self._connection.quit()
        self._drop()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        self._drop()
        server = self._server
        self._connection = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls_from_start,
            start_tls={StartTls.REQUIRE: True, StartTls.AUTO: None, StartTls.NEVER: False}[server.start_tls],
            tls_context=self._tls,
            local_hostname=_own_name(),
            timeout=LETTER_SECONDS_MAX,
        )
        await self._connection.connect()
        return self._connection

    def _judged(self, error: Exception, letter: Letter) -> Outcome:
        """The server's word on one recipient or one content concerns that letter; everything else concerns all."""
        answer = error.recipients[0] if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else error
        reason = reason_of(_text_of(answer), (*self._secrets(), letter.recipient))
        match answer:
            case ValueError() if not isinstance(answer, OSError):
                # An address the client would not put on the wire. (A certificate's error is both kinds.)
                return LetterRefused(reason)
            case aiosmtplib.SMTPRecipientRefused(code=code) | aiosmtplib.SMTPDataError(code=code):
                if code != _SERVICE_NOT_AVAILABLE:
                    return LetterRefused(reason)
        self._drop()
        return PostUnreachable(reason)

    def _secrets(self) -> tuple[str, ...]:
        user, password = self._server.user or "", self._server.password or ""
        forms = (password, f"\0{user}\0{password}", user)
        return forms + tuple(base64.b64encode(form.encode()).decode() for form in forms if form)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class FilePost:
    """Keeps letters as `<booking id>-<kind>.eml` in a folder that only its owner may enter."""

    def __init__(self, folder: Path) -> None:
        self.name = f"files in {folder}"
        self._folder = folder

    def courier(self) -> FileCourier:
        return FileCourier(self._folder)


class FileCourier:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, letter: Letter) -> Outcome:
        try:
            await asyncio.to_thread(self._write, letter)
        except OSError as error:
            return PostUnreachable(reason_of(_text_of(error), (letter.recipient,)))
        return Delivered()

    async def close(self) -> None:
        """There is nothing to close."""

    def _write(self, letter: Letter) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(letter.data)
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(self._folder / letter.file_name)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        # The rename too must outlive a power cut, as the mail is marked sent next.
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _text_of(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{type(error).__name__}: {error.code} {error.message}"
    if isinstance(error, TimeoutError) and not str(error):
        return f"{type(error).__name__}: no answer within {LETTER_SECONDS_MAX:g} s"
    return f"{type(error).__name__}: {error}"


def _own_name() -> str:
    # Asking the resolver for the full name can take longer than the mail itself.
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"
