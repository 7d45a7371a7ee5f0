"""What all tests share: PostgreSQL 18 (embedded) and 15 (Debian's, where installed), and a served application.

A fixture that touches PostgreSQL depends on `server`, which runs everything once with each version. Databases are
made from a migrated template; served applications are real processes on loopback, one set a session and version.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from overbookr.database.migrate import migrate
from overbookr.database.pool import Pool, open_pool
from overbookr.main import FUNCTION_SOURCES
from tests.house.postgres import PostgresServer, debian_server, embedded_server_18
from tests.house.serving import Served, serve
from tests.house.stage import Stage
from tests.house.world import World, open_world

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
SHARED_ARENA = Path(__file__).parents[2] / "shared" / "data" / "riethsporthalle-erfurt.json"


# Tests of the whole product from outside, whose functions other tests run with each version and whose statements are
# prepared by each (tests/database/test_queries.py); with EVERY_VERSION set these run with each as well.
_WITH_ONE_VERSION = ("tests/api/", "tests/bench/test_pages.py", "tests/demo/", "tests/proof/", "tests/ui/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("EVERY_VERSION"):
        twice = {
            item for item in items if "[postgresql-15" in item.nodeid and item.nodeid.startswith(_WITH_ONE_VERSION)
        }
        items[:] = [item for item in items if item not in twice]
        config.hook.pytest_deselected(items=list(twice))
    for item in items:
        # Where several processes share the tests, a file's tests with one version go to one of them, and in the order
        # of the versions: each process starts each server once, and what a file's tests share is made once.
        version = "15" if "[postgresql-15" in item.nodeid else "18"
        item.add_marker(pytest.mark.xdist_group(f"{item.path.name}-{version}"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", params=["postgresql-18", "postgresql-15"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running PostgreSQL of each version."""
    folder = tmp_path_factory.mktemp("postgres")
    if request.param == "postgresql-18":
        with embedded_server_18(folder) as running:
            yield running
        return
    if not (DEBIAN_15 / "postgres").exists():
        reason = "Debian's postgresql-15 is not installed (make test-deps installs it, as root with apt)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with debian_server(DEBIAN_15, folder) as running:
        yield running


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> str:
    """The name of a migrated database to copy."""
    dsn = server.create_database("overbookr_template")
    asyncio.run(migrate(dsn, FUNCTION_SOURCES))
    return "overbookr_template"


@pytest.fixture
def database(server: PostgresServer, template: str) -> Iterator[str]:
    """The DSN of a migrated database of the test's own."""
    dsn = server.create_database(template=template)
    yield dsn
    server.drop_database(dsn)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections as the application's writes use them, to the test's own database."""
    pool = await open_pool(database, size=8, application_name="test", write=True)
    yield pool
    await pool.close()


@pytest.fixture
def stage(pool: Pool) -> Stage:
    """Events, seats and commands straight on the test's own database."""
    return Stage(pool)


@pytest.fixture
async def connection(database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def start_server(
    server: PostgresServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Served]]:
    """`start_server(OVERBOOKR_HOLD_TTL_SECONDS="1")` serves on a database of its own until the session ends.

    The same settings give the same running application, so that tests share what they can.
    """
    started: dict[tuple[tuple[str, str], ...], Served] = {}

    def start(**settings: str) -> Served:
        key = tuple(sorted(settings.items()))
        if key not in started:
            dsn = server.create_database(template=template)
            started[key] = serve(dsn, tmp_path_factory.mktemp("data"), settings)
        return started[key]

    yield start
    for served in started.values():
        served.stop()


@pytest.fixture(scope="session")
def served(start_server: Callable[..., Served]) -> Served:
    """The application with its default settings, two API processes and the duties."""
    return start_server()


@pytest.fixture
async def world(served: Served) -> AsyncIterator[World]:
    """Users, events and seats on the served application, made quickly, and its database to look at."""
    async with open_world(served) as world:
        yield world


@pytest.fixture(scope="session")
def arena() -> bytes:
    """A real arena's seating plan, which is not part of the project."""
    if not SHARED_ARENA.exists():
        pytest.skip(
            f"the arena's seating plan is not there ({SHARED_ARENA.name} in a folder shared/data beside the project)"
        )
    return SHARED_ARENA.read_bytes()
