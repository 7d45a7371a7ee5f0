"""The pages in a real browser: Debian's chromium, driven by playwright."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.house.serving import Served
from tests.house.world import World, open_world
from tests.ui.visitor import Visitor, open_visitor

PROJECT = Path(__file__).parents[2]
NewVisitor = Callable[..., Awaitable[Visitor]]


def _require(condition: bool, reason: str) -> None:
    if not condition:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
async def chromium(anyio_backend: str) -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    _require(path is not None, "Debian's chromium is not installed (make test-deps installs it, as root with apt)")
    built = PROJECT / "src" / "overbookr" / "ui" / "built" / "index.html"
    _require(built.exists(), "the pages are not built (make install builds them)")
    async with async_playwright() as playwright:
        # As root, and in most containers, chromium has no sandbox to offer; it visits nothing but this machine.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture
async def new_visitor(chromium: Browser, served: Served) -> AsyncIterator[NewVisitor]:
    """`await new_visitor()` opens a browser of its own for somebody; at the end nothing may have gone wrong in any."""
    visitors: list[Visitor] = []

    async def open_one(on: Served = served, *, known: bool = True, **options: Any) -> Visitor:
        visitors.append(await open_visitor(chromium, on, known=known, **options))
        return visitors[-1]

    yield open_one
    for visitor in visitors:
        await visitor.page.context.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture
async def brief_world(start_server: Callable[..., Served]) -> AsyncIterator[World]:
    """A world in which holds last for three seconds."""
    async with open_world(start_server(OVERBOOKR_HOLD_TTL_SECONDS="3", OVERBOOKR_WORKERS="1")) as world:
        yield world
