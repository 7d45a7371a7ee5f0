"""The accounts' routes on a real server and a real database."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.middleware import DefineMiddleware

from overbookr.batching import MicroBatcher
from overbookr.database.pool import Pool, open_pool
from overbookr.http.addresses import ClientAddresses
from overbookr.http.auth import PrincipalMiddleware, TokenVerifier
from overbookr.http.failures import EXCEPTION_HANDLERS
from overbookr.http.front import Front
from overbookr.http.rate_limits import RateLimits
from overbookr.users.page_sessions import routes as page_session_routes
from overbookr.users.passwords import Passwords
from overbookr.users.routes import routes
from overbookr.users.store import UserStore
from overbookr.users.tokens import TokenIssuer
from tests.house.postgres import PostgresServer
from tests.http.conftest import serving

SECRET = b"7d0f1c52a9e84b3f86c1d27e5a904b3cf18e6d2a"
PASSWORD = "correct horse battery"

NewEmail = Callable[[], str]


@pytest.fixture(scope="session")
def users_dsn(server: PostgresServer, template: str) -> str:
    """One database for all tests here; each uses e-mails of its own."""
    return server.create_database(template=template)


@pytest.fixture
async def users_pool(users_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(users_dsn, size=6, application_name="tests/users")
    yield pool
    await pool.close()


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer(SECRET, access_ttl_seconds=900, refresh_ttl_seconds=3600)


@pytest.fixture
def passwords() -> Passwords:
    return Passwords()


@pytest.fixture
async def store(users_pool: Pool, passwords: Passwords, issuer: TokenIssuer) -> AsyncIterator[UserStore]:
    yield UserStore(users_pool, passwords, issuer)
    passwords.close()


@pytest.fixture
def new_email() -> NewEmail:
    return lambda: f"user-{uuid.uuid4().hex}@example.org"


@pytest.fixture
async def application(store: UserStore) -> AsyncIterator[Litestar]:
    standings: MicroBatcher[uuid.UUID, tuple[int, str] | None] = MicroBatcher(
        store.read_standings, name="standings", batch_max=256, queue_max=4096
    )
    app = Litestar(
        route_handlers=[*routes, *page_session_routes],
        middleware=[
            DefineMiddleware(PrincipalMiddleware, verifier=TokenVerifier(SECRET), read_standing=standings.submit)
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
        openapi_config=None,
    )
    app.state.users = store
    app.state.rate_limits = RateLimits(enabled=False)
    app.state.client_addresses = ClientAddresses()
    app.state.open_roles = False
    app.state.refresh_ttl_seconds = 3600
    app.state.is_secure = False
    standings.start()
    yield app
    await standings.stop()


@pytest.fixture
async def client(application: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=100)
    async with (
        serving(Front(application)) as url,
        httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client,
    ):
        yield client


class Account:
    """Somebody registered, and the ways they use the interface."""

    def __init__(self, client: httpx.AsyncClient, answer: dict[str, Any], password: str) -> None:
        self.client = client
        self.answer = answer
        self.password = password
        self.email: str = answer["email"]
        self.token: str = answer["token"]
        self.refresh_token: str = answer["refresh_token"]

    @property
    def header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def me(self, token: str | None = None) -> httpx.Response:
        return await self.client.get("/users/me", headers={"Authorization": f"Bearer {token or self.token}"})

    async def log_in(self, password: str | None = None) -> httpx.Response:
        return await self.client.post("/users/login", json={"email": self.email, "password": password or self.password})

    async def refresh(self, token: str | None = None) -> httpx.Response:
        return await self.client.post("/users/refresh", json={"refresh_token": token or self.refresh_token})


@pytest.fixture
async def account(client: httpx.AsyncClient, new_email: NewEmail) -> Account:
    body = {"name": "Ada", "email": new_email(), "password": PASSWORD}
    answer = await client.post("/users/register", json=body)
    assert answer.status_code == 201, answer.text
    return Account(client, answer.json(), PASSWORD)
