"""Every page of the documentation can be found from the others."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"


def _pages(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for content in entry.values():
                yield from _pages(content if isinstance(content, list) else [content])


def test_every_page_is_in_the_navigation_once() -> None:
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    assert sorted(_pages(navigation)) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_every_decision_is_in_the_index() -> None:
    listed = re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", (DOCS / "decisions" / "index.md").read_text())
    assert listed == sorted(page.name for page in (DOCS / "decisions").glob("[0-9]*.md"))


def test_the_overview_leads_to_every_page() -> None:
    overview = (DOCS / "index.md").read_text()
    missing = [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"({page.name})" not in overview]
    assert missing == []
