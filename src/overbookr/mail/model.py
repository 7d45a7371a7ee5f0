"""What a mail says, what became of it, and when it is tried again."""

from __future__ import annotations

import enum
import re
import unicodedata
from datetime import datetime
from uuid import UUID

import msgspec

ATTEMPTS_MAX = 15
FIRST_DELAY_SECONDS = 60.0
DELAY_SECONDS_MAX = 3600.0
REASON_CHARACTERS_MAX = 200

# The characters that RFC 5321 allows in a mailbox without quotes. Quoted local parts exist on paper only.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
# Marks that turn the direction of the text around them, and with it what a reader believes an address to be.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class MailKind(enum.StrEnum):
    BOOKING_CONFIRMED = "booking_confirmed"
    WAITLIST_PROMOTED = "waitlist_promoted"
    BOOKING_CANCELLED = "booking_cancelled"


class MailContent(msgspec.Struct, frozen=True):
    """What the database knew when the mail was claimed; the seats are in natural order."""

    user_name: str
    user_email: str
    event_name: str
    venue: str
    start_time: datetime
    seat_nos: tuple[str, ...]
    is_cancelled: bool


class DueMail(msgspec.Struct, frozen=True):
    """A claimed row of the outbox. `attempts` counts this claim too; `content` is None when `missing` names why.
    `overdue_seconds` is how long it had been due when it was claimed."""

    booking_id: UUID
    event_id: UUID
    kind: MailKind
    attempts: int
    content: MailContent | None
    missing: str | None = None
    overdue_seconds: float = 0.0


class Letter(msgspec.Struct, frozen=True):
    """A finished message: the envelope, the bytes (ASCII, CRLF) and the name of its file when it is kept as one."""

    sender: str
    recipient: str
    data: bytes
    file_name: str


class Unsendable(msgspec.Struct, frozen=True):
    """No attempt can ever succeed."""

    reason: str


class Delivered(msgspec.Struct, frozen=True):
    """The next server, or the disk, has taken the letter over."""


class LetterRefused(msgspec.Struct, frozen=True):
    """This letter was not taken; others may be."""

    reason: str


class PostUnreachable(msgspec.Struct, frozen=True):
    """No letter can be handed over at present."""

    reason: str


class Backlog(msgspec.Struct, frozen=True):
    """How many mails wait, how many were given up, and how long the oldest waiting one has been owed."""

    waiting: int
    failed: int
    oldest_seconds: float


def retry_delay_seconds(attempts: int, chance: float) -> float | None:
    """The wait after failure number `attempts` (1 is the first), or None to give up; `chance` is in [0, 1).

    The jitter keeps mails that failed together from coming back together.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    whole = min(FIRST_DELAY_SECONDS * 2.0 ** (attempts - 1), DELAY_SECONDS_MAX)
    return whole * (0.5 + 0.5 * chance)


def one_line(text: str, characters_max: int) -> str:
    """Printable text without line breaks, controls or direction overrides, for headers and lists of facts."""
    kept = (" " if _is_unprintable(character) else character for character in text)
    line = " ".join("".join(kept).split())
    return line if len(line) <= characters_max else line[: characters_max - 1].rstrip() + "\u2026"


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTION_MARKS


def reason_of(text: str, secrets: tuple[str, ...] = ()) -> str:
    """A reason that can be stored and logged: short, one line, with every secret in it blacked out."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return one_line(text, REASON_CHARACTERS_MAX)


def mailbox_of(email: str) -> tuple[str, str] | None:
    """Local part and domain in ASCII, or None when the address cannot be written in an envelope."""
    local_part, _, domain = email.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if _LOCAL_PART.fullmatch(local_part) is None or _DOMAIN.fullmatch(ascii_domain) is None:
        return None
    return local_part, ascii_domain
