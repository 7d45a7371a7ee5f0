"""Axe, which looks for what keeps people from using a page."""

from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

_SCRIPT: Final = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


async def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds on what is shown now, by all of its rules or by these."""
    await page.evaluate(_SCRIPT.read_text())
    options = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    found: list[dict[str, Any]] = await page.evaluate(
        "options => axe.run(options).then(({violations}) => violations)", options
    )
    return [f"{page.url} {fault['id']}: {fault['nodes'][0]['html']}" for fault in found]
