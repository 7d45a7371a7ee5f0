"""Handing letters over: to real servers on loopback, with and without TLS and passwords, and to files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from overbookr.mail import delivery
from overbookr.mail.delivery import (
    FilePost,
    Outcome,
    Post,
    SmtpPost,
    SmtpServer,
    StartTls,
    parse_smtp_url,
    post_of,
    sender_of,
)
from overbookr.mail.model import Delivered, Letter, LetterRefused, PostUnreachable
from overbookr.settings import Settings

from .sink import PASSWORD, USER, Sink, running

pytestmark = pytest.mark.anyio

LETTER = Letter(
    sender="box@globe.example",
    recipient="ada@example.org",
    data=b"Subject: hello\r\nMessage-ID: <1@globe.example>\r\n\r\n.a line that begins with a dot\r\n",
    file_name="1-booking_confirmed.eml",
)


async def deliver(post: Post, *letters: Letter) -> list[Outcome]:
    courier = post.courier()
    try:
        return [await courier.deliver(letter) for letter in letters]
    finally:
        await courier.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def guarded(certificate: Path) -> AsyncIterator[Sink]:
    """A server that wants TLS, then a password."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with running(Sink(), tls=tls, auth=True) as sink:
        yield sink


async def test_several_letters_go_over_one_connection(sink: Sink, post: Post) -> None:
    assert await deliver(post, LETTER, LETTER, LETTER) == [Delivered()] * 3
    assert sink.connections == 1
    recipient, message = sink.letters[0]
    assert recipient == "ada@example.org"
    assert message.get_content().strip() == ".a line that begins with a dot"


async def test_a_refused_letter_leaves_the_connection_to_the_next(sink: Sink, post: Post) -> None:
    answers = iter(["550 no such user", None])
    sink.judge = lambda envelope: next(answers)
    refused, taken = await deliver(post, LETTER, LETTER)
    assert refused == LetterRefused("SMTPDataError: 550 no such user")
    assert taken == Delivered()
    assert sink.connections == 1


async def test_an_unknown_recipient_concerns_only_its_letter_and_is_not_named(sink: Sink, post: Post) -> None:
    async def refuse(*arguments: object) -> str:
        return "550 <ada@example.org> is unknown here"

    sink.handle_RCPT = refuse  # type: ignore[attr-defined]
    assert await deliver(post, LETTER) == [LetterRefused("SMTPRecipientRefused: 550 <***> is unknown here")]


async def test_a_lost_connection_is_made_anew_for_the_next_letter(sink: Sink, post: Post) -> None:
    sink.hang_up_after_accepting = True
    courier = post.courier()
    assert isinstance(await courier.deliver(LETTER), PostUnreachable)
    sink.hang_up_after_accepting = False
    assert await courier.deliver(LETTER) == Delivered()
    await courier.close()
    assert sink.connections == 2


async def test_a_letter_that_is_called_off_takes_its_connection_with_it(sink: Sink, post: Post) -> None:
    sink.silent_until = asyncio.Event()
    courier = post.courier()
    called_off = asyncio.create_task(courier.deliver(LETTER))
    async with asyncio.timeout(10):
        await sink.is_reading.wait()
    called_off.cancel()
    with pytest.raises(asyncio.CancelledError):
        await called_off
    sink.silent_until.set()
    assert await courier.deliver(LETTER) == Delivered()
    await courier.close()
    assert sink.connections == 2


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        post = SmtpPost(SmtpServer("127.0.0.1", unused.getsockname()[1], start_tls=StartTls.NEVER))
        (outcome,) = await deliver(post, LETTER)
    assert isinstance(outcome, PostUnreachable)
    assert "SMTPConnectError" in outcome.reason


async def test_a_server_that_says_nothing_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert delivery.LETTER_SECONDS_MAX == 10.0
    monkeypatch.setattr(delivery, "LETTER_SECONDS_MAX", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        post = SmtpPost(SmtpServer("127.0.0.1", silent.getsockname()[1], start_tls=StartTls.NEVER))
        async with asyncio.timeout(3):
            (outcome,) = await deliver(post, LETTER)
    assert isinstance(outcome, PostUnreachable)
    assert "Timeout" in outcome.reason


async def test_a_server_that_is_slow_at_each_step_is_left_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LETTER_SECONDS_MAX", 0.5)

    is_over = asyncio.Event()

    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = b"220 at your service\r\n"
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                await asyncio.sleep(0.2)
                writer.write(answer)
                line = await reader.readline()
                answer = b"354 go on\r\n" if line.upper() == b"DATA\r\n" else b"250 well\r\n"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        is_over.set()

    async with await asyncio.start_server(dawdle, "127.0.0.1", 0) as server, asyncio.timeout(10):
        post = SmtpPost(SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], start_tls=StartTls.NEVER))
        assert await deliver(post, LETTER) == [PostUnreachable("TimeoutError: no answer within 0.5 s")]
        await is_over.wait()


async def test_tls_and_a_password(guarded: Sink, certificate: Path) -> None:
    url = f"smtp://{quote(USER)}:{quote(PASSWORD, safe='')}@127.0.0.1:{guarded.port}?starttls=require"
    trusting = ssl.create_default_context(cafile=certificate)
    assert await deliver(SmtpPost(parse_smtp_url(url), trust=trusting), LETTER) == [Delivered()]
    assert len(guarded.letters) == 1


async def test_a_wrong_password_is_told_without_it(guarded: Sink, certificate: Path) -> None:
    server = SmtpServer("127.0.0.1", guarded.port, USER, "wrong-password-here")
    trusting = ssl.create_default_context(cafile=certificate)
    (outcome,) = await deliver(SmtpPost(server, trust=trusting), LETTER)
    assert isinstance(outcome, PostUnreachable)
    assert outcome.reason == "SMTPAuthenticationError: 535 *** may not enter with ***"
    assert guarded.letters == []
    assert "wrong-password-here" not in repr(server)


async def test_required_tls_is_refused_from_a_stranger(guarded: Sink) -> None:
    (outcome,) = await deliver(SmtpPost(SmtpServer("127.0.0.1", guarded.port, USER, PASSWORD)), LETTER)
    assert isinstance(outcome, PostUnreachable)
    assert guarded.letters == []


async def test_required_tls_sends_nothing_where_there_is_none(sink: Sink) -> None:
    (outcome,) = await deliver(SmtpPost(SmtpServer("127.0.0.1", sink.port)), LETTER)
    assert isinstance(outcome, PostUnreachable)
    assert sink.letters == []


async def test_opportunistic_tls_takes_what_there_is(guarded: Sink, sink: Sink) -> None:
    stranger = SmtpServer("127.0.0.1", guarded.port, USER, PASSWORD, start_tls=StartTls.AUTO)
    assert await deliver(SmtpPost(stranger), LETTER) == [Delivered()]
    without = SmtpServer("127.0.0.1", sink.port, start_tls=StartTls.AUTO)
    assert await deliver(SmtpPost(without), LETTER) == [Delivered()]


async def test_files(tmp_path: Path) -> None:
    post = FilePost(tmp_path / "data" / "mail")
    assert await deliver(post, LETTER, LETTER) == [Delivered(), Delivered()]
    (path,) = (tmp_path / "data" / "mail").iterdir()
    assert path.name == LETTER.file_name
    assert path.read_bytes() == LETTER.data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mail" / LETTER.file_name).mkdir(parents=True)
    (outcome,) = await deliver(FilePost(tmp_path / "mail"), LETTER)
    assert isinstance(outcome, PostUnreachable)
    assert os.listdir(tmp_path / "mail") == [LETTER.file_name]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://localhost", SmtpServer("localhost", 25, start_tls=StartTls.NEVER)),
        ("smtp://127.0.0.2:2525/", SmtpServer("127.0.0.2", 2525, start_tls=StartTls.NEVER)),
        ("smtp://[::1]", SmtpServer("::1", 25, start_tls=StartTls.NEVER)),
        ("smtp://localhost?starttls=require", SmtpServer("localhost", 25)),
        ("smtp://relay.example", SmtpServer("relay.example", 25, start_tls=StartTls.AUTO)),
        ("smtp://u%40x:p%3Aw%2F@mx.example", SmtpServer("mx.example", 587, "u@x", "p:w/")),
        ("smtp://u:p@mx.example:26?starttls=auto", SmtpServer("mx.example", 26, "u", "p", start_tls=StartTls.AUTO)),
        ("smtps://u:p@mx.example", SmtpServer("mx.example", 465, "u", "p", True, StartTls.NEVER)),
    ],
)
def test_urls(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "http://u:hunter2@mx.example",
        "smtp://",
        "smtp://u:hunter2@",
        "smtp://u:hunter2@mx.example:port",
        "smtp://u:hunter2@mx.example:99999",
        "smtp://u@mx.example",
        "smtp://u:hunter2@mx.example/path",
        "smtp://u:hunter2@mx.example?tls=1",
        "smtp://u:hunter2@mx.example?starttls=hunter2",
        "smtp://u:hunter2@mx.example?starttls",
        "smtps://u:hunter2@mx.example?starttls=never",
        "smtp://[hunter2",
    ],
)
def test_wrong_urls_are_refused_without_their_text(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP URL") as caught:
        parse_smtp_url(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_what_the_settings_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OVERBOOKR_SMTP_URL", "OVERBOOKR_MAIL_FROM", "GMAIL_USER", "GMAIL_PASS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OVERBOOKR_DATA_DIR", str(tmp_path))
    plain = Settings.model_validate({})
    assert post_of(plain).name == f"files in {tmp_path}/mail"
    assert sender_of(plain) == plain.mail_from

    monkeypatch.setenv("GMAIL_USER", "me@gmail.com")
    monkeypatch.setenv("GMAIL_PASS", "abcd efgh")
    gmail = Settings.model_validate({})
    assert post_of(gmail).name == "smtp smtp.gmail.com:587"
    assert sender_of(gmail) == "me@gmail.com"

    monkeypatch.setenv("OVERBOOKR_MAIL_FROM", "Box <b@x.example>")
    assert sender_of(Settings.model_validate({})) == "Box <b@x.example>"

    monkeypatch.setenv("OVERBOOKR_SMTP_URL", "smtp://mx.example")
    assert post_of(Settings.model_validate({})).name == "smtp mx.example:25"
    monkeypatch.delenv("OVERBOOKR_MAIL_FROM")
    both = Settings.model_validate({})
    assert sender_of(both) == both.mail_from
