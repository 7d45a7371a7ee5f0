"""Worlds of the tests of the interface. Every answer they get is held to the manners of all answers.

A world here serves all tests of a session, so that none waits for connections; each makes users and events of its own.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

pytest.register_assert_rewrite("tests.api.answers", "tests.api.bodies")

from tests.api.answers import look_at_manners  # noqa: E402
from tests.house.serving import Served  # noqa: E402
from tests.house.world import World, open_world  # noqa: E402


@asynccontextmanager
async def _well_mannered(served: Served) -> AsyncIterator[World]:
    async with open_world(served) as world:
        world.http.event_hooks = {"response": [look_at_manners]}
        yield world


@pytest.fixture(scope="session")
async def world(served: Served) -> AsyncIterator[World]:
    """The application with its default settings."""
    async with _well_mannered(served) as world:
        yield world


@pytest.fixture(scope="session")
async def narrow_world(start_server: Callable[..., Served]) -> AsyncIterator[World]:
    """One process with small limits, anybody's choice of role, limited logins, and no worker at all."""
    served = start_server(
        OVERBOOKR_WORKERS="1",
        OVERBOOKR_DUTIES="off",
        OVERBOOKR_OPEN_ROLES="on",
        OVERBOOKR_RATE_LIMIT="on",
        OVERBOOKR_HOLD_TTL_SECONDS="90",
        OVERBOOKR_HOLD_MAX_SEATS="3",
        OVERBOOKR_USER_MAX_SEATS_PER_EVENT="4",
        OVERBOOKR_CORS_ORIGINS="https://tickets.example",
    )
    async with _well_mannered(served) as world:
        yield world
