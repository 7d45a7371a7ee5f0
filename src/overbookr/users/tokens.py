"""Access tokens (JWT), refresh tokens (opaque), and the secret that signs the former."""

import hashlib
import os
import re
import secrets
import time
import uuid
from pathlib import Path
from typing import Final

import jwt

from overbookr.http.auth import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE, TOKEN_USE
from overbookr.settings import Settings

SECRET_BYTES_MIN: Final = 32
SECRET_FILE: Final = "jwt_secret"
# What is longer than this was not made by us.
REFRESH_TOKEN_LENGTH_MAX: Final = 128
_DISTINCT_BYTES_MIN = 8

# Values that tutorials and example files show, in lower case without punctuation; padding does not make them secret.
_EXAMPLE = re.compile(
    r"(?:my|super|top|jwt|secret|key|token|auth|password|default|development|dev|testing|test|example|admin)*"
)
_PLACEHOLDER = re.compile(
    r"change(?:me|this|it)|replace(?:me|this)|insertsecret|your(?:super)?(?:jwt)?(?:secret|key)|secrethere|keyhere"
    r"|jwtsecretkey|your256bitsecret|astringsecretatleast256bitslong"
)


class SecretRefused(Exception):
    """The signing secret is too weak to start with. The text says why and never shows the secret."""


def load_secret(settings: Settings) -> bytes:
    """The secret that signs access tokens: from the settings, else from the data folder, where it is made once.

    Processes that start together agree on one. Raises SecretRefused for a weak one, OSError if it cannot be kept.
    """
    if settings.jwt_secret is not None:
        secret = settings.jwt_secret.get_secret_value().encode()
        _check_strength(secret, "JWT_SECRET")
        return secret
    path = settings.data_dir / SECRET_FILE
    if not path.exists():
        _create_secret(path)
    secret = path.read_bytes().strip()
    _check_strength(secret, str(path))
    return secret


def issue_access(secret: bytes, user_id: uuid.UUID, token_version: int, ttl_seconds: int) -> str:
    """A signed access token. It carries no role: that is read anew at each request."""
    now = int(time.time())
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "jti": uuid.uuid4().hex,
        "typ": TOKEN_USE,
        "iat": now,
        "exp": now + ttl_seconds,
        "ver": token_version,
    }
    return jwt.encode(payload, secret, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE})


class TokenIssuer:
    """Issues both kinds of token, with their times to live in seconds."""

    def __init__(self, secret: bytes, *, access_ttl_seconds: int, refresh_ttl_seconds: int) -> None:
        self._secret = secret
        self.access_ttl_seconds = access_ttl_seconds
        self.refresh_ttl_seconds = refresh_ttl_seconds

    def access_token(self, user_id: uuid.UUID, token_version: int) -> str:
        return issue_access(self._secret, user_id, token_version, self.access_ttl_seconds)


def new_refresh_token() -> str:
    """256 random bits that say nothing."""
    return secrets.token_urlsafe(32)


def hash_refresh_token(token: str) -> bytes:
    """What is stored of a refresh token. It is random, so it needs neither salt nor a slow hash."""
    return hashlib.sha256(token.encode()).digest()


def _create_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            # Linking fails if the name exists, so the first process wins and none ever reads a half-written file.
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _check_strength(secret: bytes, origin: str) -> None:
    reason = _weakness(secret)
    if reason is not None:
        raise SecretRefused(
            f"{origin} {reason}; set it to at least {SECRET_BYTES_MIN} random bytes, for example from "
            "`openssl rand -base64 48`, or leave it unset and one is made"
        )


def _weakness(secret: bytes) -> str | None:
    if len(secret) < SECRET_BYTES_MIN:
        return f"has only {len(secret)} bytes"
    if len(set(secret)) < _DISTINCT_BYTES_MIN or _is_repetition(secret):
        return "is a repetition of a few characters"
    letters = re.sub(r"[^a-z0-9]", "", secret.decode("utf-8", "ignore").lower())
    if _PLACEHOLDER.search(letters):
        return "is a known example value"
    # Counting digits up and repeating a character are how short values are brought to length.
    core = re.sub(r"(.)\1{2,}|[0-9]+", "", letters)
    if _EXAMPLE.fullmatch(core):
        return "is a known example value"
    return None


def _is_repetition(secret: bytes) -> bool:
    """Whether the secret is a shorter piece written again and again, the last time perhaps not to its end."""
    return any(secret[length:] == secret[:-length] for length in range(1, len(secret) // 2 + 1))
