"""The problems of a seating plan, each with its place in the file as a path and in words."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

ERRORS_MAX = 100

Path = tuple[str | int, ...]

# Control characters, line separators and lone surrogates: PostgreSQL or UTF-8 refuses some, no screen shows any.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_NOUNS = {"categories": "category", "zones": "zone", "rows": "row", "seats": "seat", "areas": "area"}
_LABELS = {"categories": "name", "zones": "name", "rows": "row_number", "seats": "seat_number"}
_QUOTED_CHARACTERS_MAX = 48


class PlanError(msgspec.Struct, frozen=True):
    """path: zones[3].rows[2].seats[7].category, or $ for the whole file; message: the place in words, what is wrong."""

    path: str
    message: str


class PlanRefused(msgspec.Struct, frozen=True):
    """errors: never empty, at most ERRORS_MAX; more: there were more than these."""

    errors: list[PlanError]
    more: bool = False


class Problems:
    """Collects what is wrong with one decoded plan; a place is reported once, and nothing inside a reported place."""

    def __init__(self, document: object) -> None:
        self._document = document
        self._errors: list[PlanError] = []
        self._places: set[Path] = set()
        self._more = False

    @property
    def full(self) -> bool:
        """Whether further problems would be thrown away: time to stop looking."""
        return self._more

    def __bool__(self) -> bool:
        return bool(self._errors)

    def knows(self, path: Path) -> bool:
        """Whether this place, or one around it, has been reported."""
        return any(path[:length] in self._places for length in range(len(path) + 1))

    def add(self, path: Path, what: str) -> None:
        if self.knows(path):
            return
        if len(self._errors) == ERRORS_MAX:
            self._more = True
            return
        self._places.add(path)
        self._errors.append(PlanError(path_text(path), f"{self.words(path)}: {what}"))

    def words(self, path: Path) -> str:
        """The place in words, as in: zone "Block A", row "12", seat "7"."""
        named: list[str] = []
        value: Any = self._document
        for outer, token in zip(("", *path), path, strict=False):
            value = _step(value, token)
            if isinstance(token, int) and outer in _NOUNS:
                noun = _NOUNS[str(outer)]
                label = value.get(_LABELS.get(str(outer), "")) if isinstance(value, dict) else None
                if isinstance(label, str) and label.strip():
                    named.append(f"{noun} {quoted(label)}")
                else:
                    named.append(f"{noun} no. {token + 1} of its list")
        return ", ".join(named) or "the plan"

    def refusal(self) -> PlanRefused:
        return PlanRefused(self._errors, self._more)


def refused(what: str) -> PlanRefused:
    """The refusal of a file in which no place can be named."""
    return PlanRefused([PlanError("$", what)])


def path_text(path: Sequence[str | int]) -> str:
    text = "".join(f"[{token}]" if isinstance(token, int) else f".{token}" for token in path)
    return text.removeprefix(".") or "$"


def member_text(path: Path) -> str:
    """The last member of the path, as in name or position.x; "it" for an element of a list."""
    return ".".join(token for token in path[-2:] if isinstance(token, str)) if isinstance(path[-1], str) else "it"


def quoted(label: str) -> str:
    """The label in quotes, safe to print and not too long."""
    shown = label.strip() if len(label) <= _QUOTED_CHARACTERS_MAX else label[:_QUOTED_CHARACTERS_MAX] + "…"
    return '"' + UNPRINTABLE.sub("\ufffd", shown) + '"'


def _step(value: Any, token: str | int) -> Any:
    if isinstance(token, int):
        return value[token] if isinstance(value, list) and token < len(value) else None
    return value.get(token) if isinstance(value, dict) else None
