"""What a mail says and how it is built."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overbookr.mail.model import DueMail, Letter, MailKind, Unsendable
from overbookr.mail.render import MailComposer
from overbookr.mail.ticket import derive_ticket_key, qr_png, sign_reference

from .world import due_mail

KEY = derive_ticket_key(b"s" * 32)
COMPOSER = MailComposer(base_url="https://tickets.example", mail_from="Box <box@globe.example>", ticket_key=KEY)


def read(mail: DueMail) -> tuple[EmailMessage, str]:
    """The message as another mail program reads it, and its text."""
    letter = COMPOSER.compose(mail)
    assert isinstance(letter, Letter), letter
    assert letter.data.isascii()
    assert b"\n" not in letter.data.replace(b"\r\n", b"")
    message = message_from_bytes(letter.data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    assert body is not None
    return message, body.get_content()


@pytest.mark.parametrize("kind", [MailKind.BOOKING_CONFIRMED, MailKind.WAITLIST_PROMOTED])
def test_a_ticket_mail_says_all_there_is_to_know(kind: MailKind) -> None:
    mail = due_mail(kind, user_name="Zoë", event_name="Hamlet & <Söhne>")
    message, text = read(mail)
    assert "Hamlet & <Söhne>" in message["Subject"]
    for line in (
        "Hello Zoë,",
        "Event:    Hamlet & <Söhne>",
        "Venue:    Globe",
        "Starts:   Saturday, 3 May 2031, 19:30 UTC",
        "Seats:    A1, A2, A10",
        f"Booking:  {mail.booking_id}",
        f"https://tickets.example/booking/{mail.booking_id}",
    ):
        assert line in text.splitlines()
    assert "cancel it until the event starts" in text
    assert "\n\n\n" not in text
    (image,) = message.iter_attachments()
    assert image.get_content_type() == "image/png"
    assert image.get_content_disposition() == "inline"
    assert image.get_filename() == f"ticket-{mail.booking_id}.png"
    assert image["Content-ID"] == f"<ticket.{mail.booking_id}@globe.example>"
    assert image.get_content() == qr_png(sign_reference(KEY, mail.booking_id, mail.event_id))


def test_a_cancellation_has_no_ticket() -> None:
    message, text = read(due_mail(MailKind.BOOKING_CANCELLED))
    assert message.get_content_type() == "text/plain"
    assert "your booking is cancelled" in text
    assert message["Subject"] == "Booking cancelled: Hamlet"


def test_a_late_confirmation_of_a_cancelled_booking_has_no_ticket() -> None:
    message, text = read(due_mail(is_cancelled=True))
    assert list(message.iter_attachments()) == []
    assert "has been cancelled since" in text


def test_one_seat_is_not_called_seats() -> None:
    _, text = read(due_mail(seat_nos=("B7",)))
    assert "Seat:     B7" in text.splitlines()


def test_headers() -> None:
    mail = due_mail()
    message, _ = read(mail)
    again, _ = read(mail)
    assert message["Message-ID"] == again["Message-ID"] == f"<{mail.booking_id}.booking_confirmed@globe.example>"
    assert message["From"].addresses[0].addr_spec == "box@globe.example"
    assert message["To"].addresses[0].addr_spec == "ada@example.org"
    assert message["Date"].datetime.tzinfo is not None
    assert message["Auto-Submitted"] == "auto-generated"


def test_controls_and_direction_overrides_reach_no_terminal() -> None:
    _, text = read(due_mail(user_name="A\x1b[31mda\x07", event_name="Ham\u202elet\u2028x", venue="G\x7flobe\x85"))
    lines = text.splitlines()
    assert {"Hello A [31mda,", "Event:    Ham let x", "Venue:    G lobe"} <= set(lines)


NASTY = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.sampled_from(
        [
            "Eve\r\nBcc: victim@example.org",
            "Eve\n\nInjected body",
            '"Eve" <eve@evil.example>, Mallory',
            "Zoë <eve@evil.example>, " + "ö" * 80,
            "=?utf-8?q?Eve=0ABcc:_victim=40example.org?=",
            "\u202eevil\u2028Bcc: x@y.example",
            "a" * 5000,
            "\\\"'(),:;<>@[]",
        ]
    ),
)


@settings(deadline=None)
@given(name=NASTY, event_name=NASTY)
def test_no_name_breaks_out_of_its_header(name: str, event_name: str) -> None:
    message, _ = read(due_mail(user_name=name, event_name=event_name))
    assert [address.addr_spec for address in message["To"].addresses] == ["ada@example.org"]
    assert sorted(message.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    assert all("\n" not in value and "\r" not in value for value in message.values())
    assert b"\nBcc" not in letter_head(name, event_name)


def letter_head(name: str, event_name: str) -> bytes:
    letter = COMPOSER.compose(due_mail(user_name=name, event_name=event_name))
    assert isinstance(letter, Letter)
    head = letter.data.partition(b"\r\n\r\n")[0]
    assert max(len(line) for line in head.split(b"\r\n")) <= 120
    return head


@settings(deadline=None)
@given(name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=60))
def test_names_arrive_as_they_were(name: str) -> None:
    mail = due_mail(user_name=name, event_name=name)
    assert read(mail)[1].startswith(f"Hello {name},")
    # Python's newer parser puts blanks between encoded words of a name, so its older one reads the headers here.
    letter = COMPOSER.compose(mail)
    assert isinstance(letter, Letter)
    message = message_from_bytes(letter.data)
    ((display_name, address),) = getaddresses([message["To"]])
    assert (str(make_header(decode_header(display_name))), address) == (name, "ada@example.org")
    assert str(make_header(decode_header(message["Subject"]))) == f"Your booking: {name}"


@pytest.mark.parametrize(
    ("email", "sent_to"),
    [
        ("o'hara+x@example.org", "o'hara+x@example.org"),
        ("eve@müller.example", "eve@xn--mller-kva.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_addresses_that_can_be_written(email: str, sent_to: str) -> None:
    letter = COMPOSER.compose(due_mail(user_email=email))
    assert isinstance(letter, Letter)
    assert letter.recipient == sent_to


@pytest.mark.parametrize(
    "email",
    ["", "eve", "@", "eve@", "zoë@example.org", "eve@a b", "eve@x\r\nBcc: y@z", "a,b@x.example", "<eve@x.example>"],
)
def test_addresses_that_cannot_be_written_are_given_up(email: str) -> None:
    assert isinstance(COMPOSER.compose(due_mail(user_email=email)), Unsendable)


@pytest.mark.parametrize("mail_from", ["", "nobody", "Box <box>", "Box\r\nBcc: x@y.example"])
def test_a_wrong_sender_is_refused_at_the_start(mail_from: str) -> None:
    with pytest.raises(ValueError, match="no sender"):
        MailComposer(base_url="https://tickets.example", mail_from=mail_from, ticket_key=KEY)
