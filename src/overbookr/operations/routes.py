"""Health, readiness, metrics and the description of the API."""

from functools import cache
from importlib import resources
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException

from overbookr.http.description import describe
from overbookr.http.problem import CATALOGUE, problem
from overbookr.telemetry import render_metrics

OPEN = {"policy": "anyone", "reads_principal": False}
# The part of Swagger UI that the page needs, and the media types of its files.
SWAGGER_FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}


class Health(msgspec.Struct):
    status: str


class Readiness(msgspec.Struct):
    status: str
    checks: dict[str, str]


class ProblemKind(msgspec.Struct):
    code: str
    status: int
    title: str


@get(["/healthz", "/livez"], opt=OPEN, tags=["Operations"], summary="The process is alive; the database is not asked")
async def get_health() -> Health:
    return Health("ok")


@get(
    "/readyz",
    opt=OPEN | {"refusals": ("not_ready",)},
    tags=["Operations"],
    summary="Whether requests should be sent here",
)
async def get_readiness(state: State) -> Response[Readiness]:
    checks: dict[str, str] = await state.readiness.check()
    if any(result != "ok" for result in checks.values()):
        return problem("not_ready", checks=checks)
    return Response(Readiness("ok", checks))


@get("/metrics", opt=OPEN, tags=["Operations"], summary="Metrics for Prometheus", media_type=MediaType.TEXT)
async def get_metrics() -> Response[bytes]:
    body, content_type = render_metrics()
    # Litestar names the charset of every text itself.
    return Response(body, media_type=content_type.removesuffix("; charset=utf-8"))


@get("/problems/{code:str}", opt=OPEN, tags=["Operations"], summary="What a problem's code means")
async def get_problem(code: str) -> Response[ProblemKind]:
    kind = CATALOGUE.get(code)
    return problem("not_found") if kind is None else Response(ProblemKind(code, kind.status, kind.title))


@get("/openapi.json", opt=OPEN, include_in_schema=False)
async def get_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    state = request.app.state
    if "openapi_document" not in state:
        state.openapi_document = msgspec.json.encode(describe(request.app))
    return Response(state.openapi_document, media_type="application/json")


@cache
def _swagger_file(name: str) -> bytes:
    return resources.files("swagger_ui").joinpath("static", name).read_bytes()


@get("/docs", opt=OPEN, include_in_schema=False, media_type=MediaType.HTML)
async def get_docs() -> Response[bytes]:
    page = resources.files(__package__).joinpath("docs.html").read_bytes()
    return Response(page, media_type=MediaType.HTML, headers={"Cache-Control": "no-cache"})


@get("/docs/{name:str}", opt=OPEN, include_in_schema=False)
async def get_docs_file(name: str) -> Response[bytes]:
    if name == "start.js":
        body, media_type = resources.files(__package__).joinpath("docs.js").read_bytes(), "text/javascript"
    elif name in SWAGGER_FILES:
        body, media_type = _swagger_file(name), SWAGGER_FILES[name]
    else:
        raise NotFoundException
    return Response(body, media_type=media_type, headers={"Cache-Control": "public, max-age=3600"})


routes = [get_health, get_readiness, get_metrics, get_problem, get_openapi, get_docs, get_docs_file]
