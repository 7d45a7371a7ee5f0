"""The order in which people expect labels: S2 before S10, row B after row A whatever the case of the letters."""

import re

_DIGITS = re.compile(r"\d+")
_SEPARATOR = "\x01"
# The separator must be smaller than any character of a label, and PostgreSQL stores no NUL, so the three smallest
# characters are written as two, in an order that stays theirs.
_ESCAPES = str.maketrans({0: "\x02@", 1: "\x02A", 2: "\x02B"})


def natural_key(label: str) -> str:
    """A text whose plain byte order is the natural order of the labels; distinct labels have distinct keys.

    Sort by it in Python as it is, in PostgreSQL with collate "C". It contains no NUL, and for a label of 64 characters
    it stays below 1 KiB of UTF-8. Runs of digits (of any script and length) compare as numbers, letters without regard
    to case. What is still equal then is told apart by the label itself: A01 before A1, A1 before a1.
    """
    escaped = label.translate(_ESCAPES)
    return _DIGITS.sub(_number_key, escaped.casefold()) + _SEPARATOR + escaped


def _number_key(digits: re.Match[str]) -> str:
    """The number after its length after the length of its length, so that a longer number is a greater text."""
    number = digits.group()
    if not number.isascii():
        # Digit by digit: int() of the whole takes quadratic time and refuses more than 4,300 digits.
        number = "".join(str(int(digit)) for digit in number)
    number = number.lstrip("0") or "0"
    length = str(len(number))
    return f"{len(length)}{length}{number}"
