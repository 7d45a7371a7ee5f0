"""Entity tags (RFC 9110 section 8.8), If-None-Match, and how fresh an answer a client wants."""

import re
from collections.abc import Iterable

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(rf"\s*(?:{_TAG.pattern}\s*)?(?:,\s*(?:{_TAG.pattern}\s*)?)*")


def make_etag(value: object) -> str:
    """A strong entity tag, quotes included. Raises ValueError for a value that no header can carry."""
    tag = f'"{value}"'
    if _TAG.fullmatch(tag) is None:
        raise ValueError(f"{value!r} cannot be an entity tag")
    return tag


def if_none_match(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The If-None-Match of a request's raw headers; several lines are one list."""
    lines = [value.decode("latin-1") for name, value in headers if name == b"if-none-match"]
    return ", ".join(lines) if lines else None


def wants_present(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request says `Cache-Control: no-cache`: nothing that was found true before it was sent will do.

    So does `max-age=0`, which browsers send in its place when a page is loaded again.
    """
    return any(
        directive.strip().lower() in (b"no-cache", b"max-age=0")
        for name, value in headers
        if name == b"cache-control"
        for directive in value.split(b",")
    )


def is_match(etag: str, candidates: str | None) -> bool:
    """Whether `candidates` (an If-None-Match) names this tag, by weak comparison; `*` names any.

    A list that is malformed matches nothing, so the client gets the whole answer.
    """
    if candidates is None:
        return False
    # Nearly always it is the very tag we sent.
    if candidates in (etag, "*"):
        return True
    if candidates.strip() == "*":
        return True
    if _LIST.fullmatch(candidates) is None:
        return False
    return etag.removeprefix("W/").strip('"') in _TAG.findall(candidates)
