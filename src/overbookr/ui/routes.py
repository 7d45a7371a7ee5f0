"""The page at the root."""

from importlib import resources

from litestar import MediaType, Response, get


@get("/", opt={"policy": "anyone", "reads_principal": False}, include_in_schema=False, media_type=MediaType.HTML)
async def get_index() -> Response[bytes]:
    page = resources.files(__package__).joinpath("index.html").read_bytes()
    return Response(
        page,
        media_type=MediaType.HTML,
        headers={
            "Cache-Control": "no-cache",
            "Content-Security-Policy": (
                "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
            ),
        },
    )


routes = [get_index]
