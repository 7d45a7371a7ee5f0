"""Pages of a list: limit and offset in, X-Total-Count and Link (RFC 8288) out."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from litestar.di import Provide
from litestar.params import QueryParameter

DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 100
LARGEST_OFFSET: Final = 1_000_000_000

# Out of range is refused with 400 by Litestar before any handler runs.
Limit = Annotated[int, QueryParameter(ge=1, le=LARGEST_LIMIT, description="How many to return.")]
Offset = Annotated[int, QueryParameter(ge=0, le=LARGEST_OFFSET, description="How many to skip.")]


class Page(msgspec.Struct, frozen=True):
    limit: int = DEFAULT_LIMIT
    offset: int = 0


def _read_page(limit: Limit = DEFAULT_LIMIT, offset: Offset = 0) -> Page:
    return Page(limit, offset)


# `@get("/events", dependencies=PAGE)` gives the handler's parameter `page: NamedDependency[Page]`.
PAGE: Final[dict[str, Provide]] = {"page": Provide(_read_page, sync_to_thread=False)}


def page_headers(page: Page, total: int, path: str, query: Mapping[str, Any] | None = None) -> dict[str, str]:
    """X-Total-Count, and Link with first, prev, next and last where they exist.

    `query` holds the other parameters of the request that a link must keep; a None in it is left out.
    """
    kept = {name: value for name, value in (query or {}).items() if value is not None}

    def link(relation: str, offset: int) -> str:
        parameters = urlencode({**kept, "limit": page.limit, "offset": offset})
        return f'<{path}?{parameters}>; rel="{relation}"'

    # Pages keep the phase of this one, so that prev of next is here again.
    first = page.offset % page.limit
    last = max(first, first + (total - 1 - first) // page.limit * page.limit) if total else 0
    links = [link("first", 0)]
    if page.offset > 0:
        links.append(link("prev", max(0, min(page.offset - page.limit, last))))
    if page.offset + page.limit < total:
        links.append(link("next", page.offset + page.limit))
    links.append(link("last", last))
    return {"X-Total-Count": str(total), "Link": ", ".join(links)}
