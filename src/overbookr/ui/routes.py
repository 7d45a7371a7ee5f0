"""The pages: one document for every path of theirs, and the files it loads.

Paths of pages are none of the API's, which speaks of events and bookings in the plural: `/event/<id>` is a page,
`/events/<id>` its data. What the page shows at a path is decided in the page.

Below `/embed` is the seat map for pages elsewhere: a script at an address that never changes, and an example.
"""

from functools import cache
from importlib import resources
from typing import Any, Final

from litestar import MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.types import Scope

from overbookr.http.etag import if_none_match, is_match
from overbookr.ui.files import BuiltFile, read_built_files

OPEN: Final = {"policy": "anyone", "reads_principal": False}
PAGES: Final = (
    "/",
    "/event/{name:str}",
    "/booking/{name:str}",
    "/my-bookings",
    "/log-in",
    "/register",
    "/panel",
    "/panel/{rest:path}",
)
# Everything comes from here, nothing is written into the page, and nobody may put it into a frame.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_ASKED_ANEW: Final = "no-cache"
_PAGE_HEADERS: Final = {"Cache-Control": _ASKED_ANEW, "Content-Security-Policy": _POLICY}
# The name of such a file has a hash of its content in it.
_FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def _built() -> dict[str, BuiltFile]:
    return read_built_files()


@get(list(PAGES), opt=OPEN, include_in_schema=False, media_type=MediaType.HTML)
async def get_page(scope: Scope) -> Response[Any]:
    return _document("index.html", scope)


@get("/embed/example", opt=OPEN, include_in_schema=False, media_type=MediaType.HTML)
async def get_example(scope: Scope) -> Response[Any]:
    return _document("embed/example.html", scope)


@get("/embed/seat-map.js", opt=OPEN, include_in_schema=False)
async def get_seat_map(scope: Scope) -> Response[Any]:
    return _file("embed/seat-map.js", scope, _ASKED_ANEW)


@get("/embed/assets/{name:str}", opt=OPEN, include_in_schema=False)
async def get_embedded_asset(name: str, scope: Scope) -> Response[Any]:
    return _file(f"embed/assets/{name}", scope, _FOREVER)


@get("/assets/{name:str}", opt=OPEN, include_in_schema=False)
async def get_asset(name: str, scope: Scope) -> Response[Any]:
    return _file(f"assets/{name}", scope, _FOREVER)


def _document(path: str, scope: Scope) -> Response[Any]:
    document = _built().get(path)
    if document is None:
        missing = resources.files(__package__).joinpath("not_built.html").read_bytes()
        return Response(missing, media_type=MediaType.HTML, headers=_PAGE_HEADERS)
    return _answer(document, scope, _PAGE_HEADERS)


def _file(path: str, scope: Scope, cache_control: str) -> Response[Any]:
    found = _built().get(path)
    if found is None:
        raise NotFoundException
    return _answer(found, scope, {"Cache-Control": cache_control})


def _answer(file: BuiltFile, scope: Scope, headers: dict[str, str]) -> Response[Any]:
    accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), None)
    body, own = file.rendition(accepted)
    known = if_none_match(scope["headers"])
    # Compressed or not, it is the same page; a weak tag says so.
    headers = headers | own | {"ETag": f"W/{file.etag}"}
    if known is not None and is_match(file.etag, known):
        headers.pop("Content-Encoding", None)
        return Response(None, status_code=304, headers=headers)
    return Response(body, media_type=file.media_type, headers=headers)


routes = [get_page, get_example, get_seat_map, get_embedded_asset, get_asset]
