"""OPTIONS: every path says all of its methods.

Litestar answers OPTIONS by itself, but when the handlers of a path are registered one after the other it goes on naming
the methods of the first one only.
"""

from collections.abc import Iterable

from litestar import Response
from litestar.handlers import HTTPRouteHandler


def options_of(handlers: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """A handler of OPTIONS for each path, to be registered before all others."""
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    return [_options(path, ", ".join(sorted(allowed))) for path, allowed in methods.items()]


def _options(path: str, allowed: str) -> HTTPRouteHandler:
    async def answer_options() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    opt = {"policy": "anyone", "reads_principal": False}
    return HTTPRouteHandler(path, http_method=["OPTIONS"], status_code=204, include_in_schema=False, opt=opt)(
        answer_options
    )
