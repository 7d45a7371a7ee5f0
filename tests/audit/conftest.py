"""A house with one of everything that can happen in it, as a template; each test gets a copy to damage."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from overbookr.audit.store import AuditStore
from overbookr.database.pool import Pool, open_pool
from tests.audit import house
from tests.house.postgres import PostgresServer

HOUSE_TEMPLATE = "overbookr_template_audit"


@pytest.fixture(scope="session")
def house_template(server: PostgresServer, template: str) -> str:
    """The name of the database to copy."""
    dsn = server.create_database(HOUSE_TEMPLATE, template=template)

    async def furnish() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await house.build(connection)
        finally:
            await connection.close()

    asyncio.run(furnish())
    return HOUSE_TEMPLATE


@pytest.fixture
async def pool(server: PostgresServer, house_template: str) -> AsyncIterator[Pool]:
    """Connections to a copy of the house that is this test's own."""
    dsn = server.create_database(template=house_template)
    opened = await open_pool(dsn, size=8, application_name="test")
    yield opened
    await opened.close()
    server.drop_database(dsn)


@pytest.fixture
def store(pool: Pool) -> AuditStore:
    return AuditStore(pool)
