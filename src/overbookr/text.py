"""Text that people type: what is accepted of it, in one place."""

from typing import Annotated

import msgspec

# Control characters have no place in names and labels, and NUL cannot be stored by PostgreSQL at all.
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Reason = Annotated[str, msgspec.Meta(max_length=500, pattern=PRINTABLE)]
# Labels are trimmed before they are measured, so some room is left here for the blanks.
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=PRINTABLE)]


def has_null_character(value: object) -> bool:
    """Whether a decoded JSON value holds a NUL anywhere, in a key or a text."""
    match value:
        case str():
            return "\x00" in value
        case dict():
            return any(has_null_character(key) or has_null_character(member) for key, member in value.items())
        case list():
            return any(has_null_character(member) for member in value)
        case _:
            return False
