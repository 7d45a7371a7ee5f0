"""The results of a run, which may be taken in slices: where they are, what they hold, and how a run goes on with them.

A slice goes on with results of the same commit, machine, server and settings only. `rounds` tells of each scenario when
each of its rounds was measured, how long that took, and how long making its layouts did.
"""

import json
import os
from dataclasses import fields
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.figures import Figure
from bench.stage import HERE

# Of whole runs, which the page is made of, and of all others.
LATEST: Final = HERE / "results" / "latest.json"
PARTIAL: Final = HERE / "results" / "partial.json"
PROFILE: Final = HERE / "results" / "profile.json"

# What differs from slice to slice of one run.
_OF_A_SLICE: Final = ("load_before",)


class NotTheSame(Exception):
    """The results that are there are not of what would be measured now. The text says in what they differ."""


def read_earlier(path: Path, facts: dict[str, Any]) -> dict[str, Any] | None:
    """What earlier slices have found, if anything. Raises NotTheSame."""
    if not path.exists():
        return None
    earlier: dict[str, Any] = json.loads(path.read_text())
    differing = [name for name in ("commit", "machine", "settings") if _lasting(earlier, name) != _lasting(facts, name)]
    if differing:
        raise NotTheSame(f"{path} is of another {' and '.join(differing)}; take it away to begin anew")
    if earlier["changed_since"] or facts["changed_since"]:
        raise NotTheSame(f"{path} cannot be gone on with: what is measured was changed since commit {facts['commit']}")
    return earlier


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Whole or not at all, so that a slice that is broken off leaves what was found before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(results, indent=1) + "\n")
    os.replace(unfinished, path)


def figures_of(results: dict[str, Any]) -> list[Figure]:
    """The figures that such results were written of."""
    names = [field.name for field in fields(Figure)]
    found = []
    for told in results["figures"]:
        figure = Figure(**{name: told[name] for name in names})
        figure.yardstick = (told["yardstick"][0], told["yardstick"][1]) if told["yardstick"] is not None else None
        found.append(figure)
    return found


def durations(rounds: dict[str, list[dict[str, Any]]]) -> list[tuple[str, int, float, float]]:
    """Of each scenario: its rounds, the seconds that making its layouts took once, and those of a middling round."""
    return [
        (name, len(taken), max(each["build_seconds"] for each in taken), median(each["seconds"] for each in taken))
        for name, taken in rounds.items()
        if taken
    ]


def _lasting(results: dict[str, Any], name: str) -> Any:
    found = results[name]
    if not isinstance(found, dict):
        return found
    return {key: value for key, value in found.items() if key not in _OF_A_SLICE}
