"""The Idempotency-Key header."""

from litestar.types import Scope

from overbookr import limits
from overbookr.http.problem import Refused


def idempotency_key_of(scope: Scope) -> str | None:
    """The key, with or without the quotes of a structured field; None when absent. Refuses what is no key."""
    values = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not values:
        return None
    text = values[0].decode("latin-1").strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if len(values) > 1:
        raise Refused("idempotency_key_invalid", "Send one Idempotency-Key.")
    if not 1 <= len(text) <= limits.IDEMPOTENCY_KEY_LENGTH_MAX or not (text.isascii() and text.isprintable()):
        raise Refused(
            "idempotency_key_invalid",
            f"An Idempotency-Key has 1 to {limits.IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters.",
        )
    return text


def required_idempotency_key_of(scope: Scope) -> str:
    key = idempotency_key_of(scope)
    if key is None:
        raise Refused("idempotency_key_required", "Send an Idempotency-Key, new for each booking you mean to make.")
    return key
