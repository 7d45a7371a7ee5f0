"""HTTP for what the audits found; an audit itself is a duty's or an operator's."""

from litestar import Response, get
from litestar.datastructures import State
from litestar.types import Scope

from overbookr.audit.model import Finding
from overbookr.http.pagination import PAGE, Page, page_headers


@get(
    "/audits",
    dependencies=PAGE,
    opt={"policy": "admin"},
    tags=["Operations"],
    summary="What the audits found, newest first",
    description="Every minute all laws are asked of the data. Audits in a row that found the same are one finding.",
)
async def list_findings(state: State, scope: Scope, page: Page) -> Response[list[Finding]]:
    findings, total = await state.audits.page(limit=page.limit, offset=page.offset)
    return Response(findings, headers=page_headers(page, total, scope["path"]))


routes = [list_findings]
