"""Users: what can be asked, what can come of it, and what names, e-mails and passwords must be like. No I/O."""

import re
import unicodedata
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

ROLES: Final = ("user", "admin")
NAME_LENGTH_MAX: Final = 200
EMAIL_LENGTH_MAX: Final = 254
LOCAL_PART_LENGTH_MAX: Final = 64
PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 1024

# ASCII only: an address that mail can reach everywhere, and no two that merely look alike.
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:localhost|(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
)
# The same before its letters are made small, for the description of the interface.
EMAIL_PATTERN: Final = f"^{_EMAIL.pattern.replace('a-z', 'a-zA-Z').replace('(?:', '(')}$"
# Control characters, line and paragraph separators, surrogates: what can break a mail header, a log or a table.
_UNPRINTABLE = frozenset({"Cc", "Zl", "Zp", "Cs"})


class User(msgspec.Struct, frozen=True):
    user_id: UUID
    name: str
    email: str
    role: str
    token_version: int
    created_at: datetime
    updated_at: datetime


class Session(msgspec.Struct, frozen=True):
    """What a client needs to act for a user. The refresh token is kept nowhere else; the database has its hash."""

    user: User
    access_token: str
    refresh_token: str


class Register(msgspec.Struct, frozen=True):
    user_id: UUID
    name: str
    email: str
    password: str
    role: str = "user"


class LogIn(msgspec.Struct, frozen=True):
    email: str
    password: str


class ChangePassword(msgspec.Struct, frozen=True):
    """`token_version` is that of the session which asks; `name` None leaves the name alone."""

    user_id: UUID
    token_version: int
    current_password: str
    password: str
    name: str | None = None


class BulkUser(msgspec.Struct, frozen=True):
    user_id: UUID
    email: str
    token_version: int


class Registered(msgspec.Struct, frozen=True):
    session: Session


class EmailTaken(msgspec.Struct, frozen=True):
    pass


class LoggedIn(msgspec.Struct, frozen=True):
    session: Session


class BadCredentials(msgspec.Struct, frozen=True):
    """The e-mail is unknown or the password is wrong; which of them is told to nobody."""


class Refreshed(msgspec.Struct, frozen=True):
    session: Session


class RefreshRefused(msgspec.Struct, frozen=True):
    """The token is unknown, expired, revoked, or was used before, which has ended its whole family."""


class PasswordChanged(msgspec.Struct, frozen=True):
    session: Session


class WrongPassword(msgspec.Struct, frozen=True):
    pass


class SessionOver(msgspec.Struct, frozen=True):
    """The session was ended by another request while this one was at work."""


class AdminEnsured(msgspec.Struct, frozen=True):
    """`changed` is False when the admin existed with this very password."""

    user_id: UUID
    created: bool
    changed: bool


class AccountInvalid(msgspec.Struct, frozen=True):
    """What is wrong, as pairs of a field's name and a message."""

    faults: tuple[tuple[str, str], ...]


RegisterOutcome = Registered | EmailTaken
LogInOutcome = LoggedIn | BadCredentials
RefreshOutcome = Refreshed | RefreshRefused
ChangePasswordOutcome = PasswordChanged | WrongPassword | SessionOver
EnsureAdminOutcome = AdminEnsured | AccountInvalid


def clean_name(name: str) -> str:
    return name.strip()


def clean_email(email: str) -> str:
    """The one spelling of an e-mail under which it is stored and looked up."""
    email = email.strip()
    # Lowering maps some letters of other scripts to ASCII; such an address must stay invalid.
    return email.lower() if email.isascii() else email


def name_fault(name: str) -> str | None:
    """What is wrong with a cleaned name, or None."""
    if not name:
        return "must not be empty"
    if len(name) > NAME_LENGTH_MAX:
        return f"must have at most {NAME_LENGTH_MAX} characters"
    if any(unicodedata.category(character) in _UNPRINTABLE for character in name):
        return "must not have control characters"
    return None


def email_fault(email: str) -> str | None:
    """What is wrong with a cleaned e-mail, or None."""
    if len(email) > EMAIL_LENGTH_MAX:
        return f"must have at most {EMAIL_LENGTH_MAX} characters"
    if _EMAIL.fullmatch(email) is None or email.index("@") > LOCAL_PART_LENGTH_MAX:
        return "is not an e-mail address"
    return None


def password_fault(password: str) -> str | None:
    """What is wrong with a new password, or None. It is taken as it is: nothing trimmed, nothing cut off."""
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"must have at least {PASSWORD_LENGTH_MIN} characters"
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"must have at most {PASSWORD_LENGTH_MAX} characters"
    return None


def account_faults(name: str, email: str, password: str) -> list[tuple[str, str]]:
    """Everything that is wrong with a new account, as pairs of a field's name and a message."""
    found = (("name", name_fault(name)), ("email", email_fault(email)), ("password", password_fault(password)))
    return [(field, fault) for field, fault in found if fault is not None]
