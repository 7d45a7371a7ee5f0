"""Writes docs/proof.md from what the last full run of each part found. Nothing in it is typed by hand but the frame.

python -m proof.report           writes the document
python -m proof.report --check   exits with 1 if the document is not what the results say
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from proof.__main__ import PARTS, RESULTS

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "proof.md"

_FRAME: Final = """\
# The proof

What Overbookr promises is tried by breaking it. This page is written by `python -m proof.report` from the results of
the latest full run of each part, which lie in `proof/results/full/`; `make prove SIZE=full` makes them anew, and
`make prove` does the same in minutes, and parts of that run before every change lands. Every run prints its seed, and
`make prove SEED=n` draws the same again. How each part works is in [Testing](testing.md#the-proof).

{headline}

{machine}

## What was claimed, and whether it held

{claims}

{mutants}

## What was not tested

{untested}

## Figures

{figures}
"""


def main() -> int:
    results = read_results()
    if not results:
        print(f"there are no results in {RESULTS / 'full'}: run make prove SIZE=full", file=sys.stderr)
        return 1
    text = render(results)
    if "--check" in sys.argv:
        return 0 if DOCUMENT.exists() and DOCUMENT.read_text() == text else 1
    DOCUMENT.write_text(text)
    return 0


def read_results() -> dict[str, dict[str, Any]]:
    """The results of the full runs, by part, in the order of the parts."""
    paths = ((part, RESULTS / "full" / f"{part}.json") for part in PARTS)
    return {part: json.loads(path.read_text()) for part, path in paths if path.exists()}


def render(results: dict[str, dict[str, Any]]) -> str:
    return _FRAME.format(
        headline=_headline(results),
        machine=_machine(results),
        claims=_claims(results),
        mutants=_mutants(results.get("mutants")),
        untested=_untested(results),
        figures=_figures(results),
    )


def _figure(results: dict[str, dict[str, Any]], part: str, *names: str) -> int:
    figures = results.get(part, {}).get("finding", {}).get("figures", {})
    return sum(int(figures.get(name, 0)) for name in names)


def _headline(results: dict[str, dict[str, Any]]) -> str:
    operations = _figure(results, "history", "operations")
    operations += _figure(results, "crashes", "operations_killed", "operations_disk_full")
    crashes = _figure(
        results, "crashes", "kill_apis", "kill_postmasters", "kill_backends", "kill_workers", "kill_instances",
        "terminate_backends",
    )  # fmt: skip
    anomalies = sum(len(result["finding"]["violations"]) for result in results.values())
    lost = sum(
        "lost_acknowledgement" in violation
        for result in results.values()
        for violation in result["finding"]["violations"]
    )
    caught, mutants = _figure(results, "mutants", "mutants_caught"), _figure(results, "mutants", "mutants_defined")
    return (
        f"**{operations:,} operations · {crashes:,} crashes · {lost} lost acknowledgements · {anomalies} anomalies · "
        f"{caught}/{mutants} mutants caught**"
    )


def _machine(results: dict[str, dict[str, Any]]) -> str:
    rows = ["| Part | Held | Seed | Commit | When | Took |", "|---|---|---|---|---|---|"]
    for part, result in results.items():
        held = "yes" if result["passed"] else "**no**"
        took = _duration(result["seconds"])
        when = result["started_at"].replace("T", " ").removesuffix("+00:00")
        rows.append(f"| [{part}](#{part}) | {held} | {result['seed']} | `{result['commit']}` | {when} | {took} |")
    machines = {
        f"{m['cores']} cores, {m['memory_gib']} GiB, {m['system']}, Python {m['python']}"
        for m in (result["machine"] for result in results.values())
    }
    where = "; ".join(sorted(machines))
    return f"Run on {where}; the crowd, the server and PostgreSQL shared the cores.\n\n" + "\n".join(rows)


def _claims(results: dict[str, dict[str, Any]]) -> str:
    texts = []
    for part, result in results.items():
        rows = [f"### {part}", "", "| Claim | Held | Counted |", "|---|---|---|"]
        for claim in result["finding"]["claims"]:
            held = "yes" if claim["held"] else "**no**"
            rows.append(f"| {_cell(claim['says'])} | {held} | {_cell(claim['measured'])} |")
        texts.append("\n".join(rows))
    return "\n\n".join(texts)


def _mutants(result: dict[str, Any] | None) -> str:
    """The table of mutants: what was broken on purpose, and what noticed."""
    table = (result or {}).get("finding", {}).get("figures", {}).get("mutants")
    if not table:
        return ""
    rows = ["### What each mutant is caught by", "", "| Mutant | Breaks | Caught by |", "|---|---|---|"]
    for row in table:
        by = ", ".join(row["caught_by"]) if row["caught"] else "**nothing**"
        rows.append(f"| `{row['name']}` | {_cell(row['breaks'])} | {_cell(by)} |")
    return "\n".join(rows)


def _untested(results: dict[str, dict[str, Any]]) -> str:
    lines = [
        f"- {part}: {line}" for part, result in results.items() for line in dict.fromkeys(result["finding"]["untested"])
    ]
    missing = [part for part in PARTS if part not in results]
    lines += [f"- {part}: there was no full run of this part" for part in missing]
    return "\n".join(lines)


def _figures(results: dict[str, dict[str, Any]]) -> str:
    texts = []
    for part, result in results.items():
        rows = [f"### Figures of {part}", "", "| Figure | Value |", "|---|---|"]
        for name, value in result["finding"]["figures"].items():
            if name == "mutants":
                continue  # They have a table of their own.
            rows.append(f"| {name.replace('_', ' ')} | {_cell(_plain(value))} |")
        texts.append("\n".join(rows))
    return "\n\n".join(texts)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    sys.exit(main())
