"""Text that people type: what is accepted of it, in one place."""

from typing import Annotated

import msgspec

from overbookr import limits

# Control characters have no place in names and labels, and NUL cannot be stored by PostgreSQL at all. Not `$`, which in
# Python lets a line feed pass at the end.
PRINTABLE = r"^[^\x00-\x1f\x7f]*\Z"

# What trimming takes away; a text of nothing else is empty. (Most control characters are not allowed at all.)
_BLANK = r" \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def visible(never: str = r"\x00-\x1f\x7f") -> str:
    """A pattern for text without the characters of the class `never` in which something can be seen."""
    return rf"^[^{never}]*[^{never}{_BLANK}][^{never}]*$"


def described(**schema: object) -> dict[str, object]:
    """For `Meta(extra_json_schema=...)`: what the description of the interface says instead of the type's own bounds,
    where a text is trimmed before it is judged."""
    return {"x-described": schema}


Name = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=200, pattern=PRINTABLE, extra_json_schema=described(pattern=visible())),
]
Reason = Annotated[
    str,
    msgspec.Meta(max_length=500, pattern=PRINTABLE, extra_json_schema=described(pattern=PRINTABLE.replace(r"\Z", "$"))),
]
# Labels are trimmed before they are measured, so some room is left here for the blanks.
Label = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=256,
        pattern=PRINTABLE,
        extra_json_schema=described(maxLength=limits.LABEL_LENGTH_MAX, pattern=visible()),
    ),
]


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
