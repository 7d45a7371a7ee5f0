"""SQL kept in `.sql` files inside packages, read once and addressed by name.

A file of named statements looks like this; the comment below the name says what the statement is for:

    -- name: find_event
    -- One event by id.
    select id, name from events where id = $1;
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources

_NAME_LINE = re.compile(r"^--\s*name\s*:\s*(?P<name>.*?)\s*$")
_VALID_NAME = re.compile(r"[a-z][a-z0-9_]*")


class BadQueryFile(Exception):
    """A `.sql` file is missing or does not follow the format. The text names the file and the line."""


class UnknownQuery(AttributeError, KeyError):
    """No statement has this name. The text names the file and the names it does have."""

    def __str__(self) -> str:
        # KeyError would show the repr of its argument, quotes and all.
        return str(self.args[0]) if self.args else ""


class Queries(Mapping[str, str]):
    """Statements by name: `queries.find_event` and `queries["find_event"]` give the same text, without `;`.

    Prefer the brackets for a name that is also a method of a mapping (`items`, `keys`, `values`, `get`);
    such names are refused when the file is read.
    """

    def __init__(self, origin: str, statements: Mapping[str, str]) -> None:
        self._origin = origin
        self._statements = dict(statements)

    def __getitem__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            known = ", ".join(sorted(self._statements)) or "nothing"
            raise UnknownQuery(f"{self._origin} has no query named {name!r}; it has: {known}") from None

    def __getattr__(self, name: str) -> str:
        # Without this guard, copying or unpickling would recurse before __init__ has run.
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return name in self._statements

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def __repr__(self) -> str:
        return f"Queries({self._origin!r}, {sorted(self._statements)})"


def load_text(package: str, name: str) -> str:
    """The text of a file inside a package, from a checkout or a zipped wheel alike. Raises BadQueryFile if absent."""
    try:
        return resources.files(package).joinpath(name).read_text(encoding="utf-8")
    except (FileNotFoundError, ModuleNotFoundError, IsADirectoryError) as error:
        raise BadQueryFile(f"there is no SQL file {name} in package {package}: {error}") from error


def load_queries(package: str, name: str = "queries.sql") -> Queries:
    """The named statements of a file. Raises BadQueryFile for doubled, empty, badly named or unnamed statements."""
    origin = f"{package}/{name}"
    return parse_queries(load_text(package, name), origin)


def parse_queries(text: str, origin: str) -> Queries:
    """What load_queries does, on text already read; `origin` is how messages call the file."""
    statements: dict[str, str] = {}
    current: str | None = None
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        header = _NAME_LINE.match(line)
        if header is None:
            if current is None and not _says_nothing(line):
                raise BadQueryFile(f"{origin}:{number}: a statement before the first `-- name:` line")
            body.append(line)
            continue
        if current is not None:
            statements[current] = _statement(body, current, origin)
        current = _checked_name(header["name"], statements, f"{origin}:{number}")
        body = []
    if current is not None:
        statements[current] = _statement(body, current, origin)
    return Queries(origin, statements)


def _says_nothing(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith("--")


def _checked_name(name: str, taken: Mapping[str, str], place: str) -> str:
    if not _VALID_NAME.fullmatch(name) or hasattr(Mapping, name):
        raise BadQueryFile(f"{place}: {name!r} is no usable query name; write snake_case")
    if name in taken:
        raise BadQueryFile(f"{place}: the query {name!r} is defined twice")
    return name


def _statement(lines: list[str], name: str, origin: str) -> str:
    while lines and _says_nothing(lines[0]):
        lines = lines[1:]
    statement = "\n".join(lines)
    # Comments that trail the statement belong to whatever follows it in the file.
    statement = re.sub(r"(?:\n[ \t]*(?:--[^\n]*)?)+\Z", "", statement).rstrip().removesuffix(";").rstrip()
    if not statement:
        raise BadQueryFile(f"{origin}: the query {name!r} is empty")
    return statement
