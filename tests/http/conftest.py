"""A small application with a route for each thing the outer layers do, on a real server."""

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from granian.server.embed import Server
from litestar import Litestar, Response, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.middleware import DefineMiddleware
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream
from litestar.types import ASGIApp, Scope

from overbookr.batching import DeadlinePassed, QueueFull
from overbookr.http.auth import (
    ASKED_BY_COMMAND,
    PrincipalMiddleware,
    TokenVerifier,
    optional_principal_of,
    principal_of,
    refuse_token,
)
from overbookr.http.failures import EXCEPTION_HANDLERS
from overbookr.http.front import Front
from overbookr.http.pagination import PAGE, Page, page_headers
from overbookr.http.problem import Refused, problem

SECRET = b"0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566778"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def secret() -> bytes:
    return SECRET


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    seat_nos: list[Annotated[str, msgspec.Meta(min_length=1)]]
    data: dict[str, int] = {}


@post("/things", opt={"policy": "anyone"})
async def make_thing(data: JSONBody[Thing]) -> Thing:
    return data


@get("/things", opt={"policy": "anyone"}, dependencies=PAGE)
async def list_things(
    page: NamedDependency[Page], q: FromQuery[str | None] = None, total: FromQuery[int] = 95
) -> Response[list[int]]:
    return Response([page.limit, page.offset], headers=page_headers(page, total, "/things", {"q": q}))


@get("/things/{thing_id:uuid}", opt={"policy": "anyone"})
async def get_thing(thing_id: FromPath[uuid.UUID]) -> dict[str, str]:
    return {"id": str(thing_id)}


@put("/events/{event_id:str}/seating-plan", opt={"policy": "anyone"}, request_max_body_size=None, status_code=200)
async def put_plan(event_id: FromPath[str], data: JSONBody[Any]) -> dict[str, int]:
    return {"length": len(data)}


@get("/whoami", opt={"policy": "anyone"})
async def whoami(scope: Scope) -> dict[str, str | None]:
    principal = optional_principal_of(scope)
    return {"user": None if principal is None else str(principal.user_id)}


@get("/public", opt={"policy": "anyone", "reads_principal": False})
async def public(scope: Scope) -> dict[str, bool]:
    return {"known": optional_principal_of(scope) is not None}


@get("/mine", opt={"policy": "user"})
async def mine(scope: Scope) -> dict[str, str | None]:
    return {"role": principal_of(scope).role}


@get("/command", opt={"policy": "user", "standing": ASKED_BY_COMMAND})
async def command(scope: Scope, state: State) -> Response[Any]:
    """Asks for the token version itself, as the write path does, and counts how often it was come to."""
    state.commands = state.get("commands", 0) + 1
    principal = principal_of(scope)
    if principal.token_version != state.token_version:
        return refuse_token(scope)
    return Response({"role": principal.role})


@get("/admin", opt={"policy": "admin"})
async def admin_only(scope: Scope) -> dict[str, bool]:
    return {"admin": principal_of(scope).is_admin}


@get("/stream", opt={"policy": "anyone"})
async def stream() -> Stream:
    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.01)

    return Stream(ticks, media_type="text/event-stream")


FAILURES: dict[str, Callable[[], Exception]] = {
    "bug": lambda: ValueError("select secret_column from \"users\" where password = 'hunter2hunter2'"),
    "queue": lambda: QueueFull("lane 1"),
    "deadline": lambda: DeadlinePassed("lane 1"),
    "refused": lambda: Refused("seats_unavailable", "A1 is taken", conflicts=[{"seat_no": "A1", "status": "held"}]),
    "limited": lambda: Refused("rate_limited", headers={"Retry-After": "17"}),
    "timeout": TimeoutError,
    "refused_connection": lambda: ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 5432)"),
}


@get("/fail/{kind:str}", opt={"policy": "anyone"})
async def fail(kind: FromPath[str]) -> None:
    raise FAILURES[kind]()


@get("/problems/{code:str}", opt={"policy": "anyone"})
async def show_problem(code: FromPath[str]) -> Response[Any]:
    return problem(code)


ROUTES = [
    make_thing,
    list_things,
    get_thing,
    put_plan,
    whoami,
    public,
    mine,
    command,
    admin_only,
    stream,
    fail,
    show_problem,
]


class Standings:
    """Who exists, in the place of a users table."""

    def __init__(self) -> None:
        self.known: dict[uuid.UUID, tuple[int, str]] = {}
        self.asked = 0

    async def read(self, user_id: uuid.UUID) -> tuple[int, str] | None:
        self.asked += 1
        return self.known.get(user_id)


@pytest.fixture
def standings() -> Standings:
    return Standings()


@pytest.fixture
def application(standings: Standings) -> Litestar:
    return Litestar(
        route_handlers=ROUTES,
        middleware=[
            DefineMiddleware(PrincipalMiddleware, verifier=TokenVerifier(SECRET), read_standing=standings.read)
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        request_max_body_size=None,
        logging_config=None,
        openapi_config=None,
    )


@pytest.fixture
def front(application: Litestar) -> Front:
    return Front(application, cors_origins=["https://tickets.example"])


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The base URL of a server that runs the application until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(app, address="127.0.0.1", port=port, interface="asgi", log_enabled=False)  # type: ignore[arg-type]
    task = asyncio.create_task(server.serve())
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert time.monotonic() < deadline, "the server did not start"
                await asyncio.sleep(0.01)
                continue
            writer.close()
            await writer.wait_closed()
            break
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await task


@pytest.fixture
async def base_url(front: Front) -> AsyncIterator[str]:
    async with serving(front) as url:
        yield url


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=base_url, timeout=20) as client:
        yield client


Ask = Callable[..., Awaitable[httpx.Response]]
