"""A pytest plugin: writes down which product was tested and how each test ended, and keeps to PostgreSQL 18.

The file to write is named by MUTANT_REPORT. An exit code does not tell a failed assertion from a server that did not
start, and only the former shows that a test has found something.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_told: list[dict[str, Any]] = []
_serves = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    global _serves  # noqa: PLW0603 - A plugin's module is its state.
    dropped = [item for item in items if "postgresql-15" in item.nodeid]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if "postgresql-15" not in item.nodeid]
    _serves = any("start_server" in getattr(item, "fixturenames", ()) for item in items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" or report.outcome != "passed":
        error = call.excinfo.value if call.excinfo is not None else None
        _told.append(
            {
                "name": report.nodeid,
                "when": report.when,
                "outcome": report.outcome,
                "errors": [_described(leaf) for leaf in _leaves(error)] if report.outcome == "failed" else [],
                "said": "\n".join(text for _, text in report.sections)[-20_000:] if report.outcome == "failed" else "",
            }
        )
    return report  # type: ignore[return-value]


def pytest_sessionfinish(session: pytest.Session) -> None:
    import overbookr

    told = {"package": str(Path(overbookr.__file__).parent), "serves": _serves, "tests": _told}
    Path(os.environ["MUTANT_REPORT"]).write_text(json.dumps(told), encoding="utf-8")


def _leaves(error: BaseException | None) -> list[BaseException]:
    if error is None:
        return []
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _described(error: BaseException) -> dict[str, Any]:
    return {
        "kinds": [kind.__name__ for kind in type(error).__mro__],
        "sqlstate": getattr(error, "sqlstate", None),
        "text": str(error)[:2_000],
    }
