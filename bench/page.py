"""Writes docs/performance.md and its charts from the results of a run. Nothing in it is typed by hand but the frame.

python -m bench.page             writes the page from bench/results/latest.json
python -m bench.page --check     exits with 1 if the page is not what the results say, or there is one of nothing
python -m bench.page FILE        writes the page from other results

With bench/results/profile.json, the profiles are part of the page.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.catalogue import SCENARIOS
from bench.charts import draw, draw_growth, write_charts
from bench.figures import MILLISECONDS
from bench.goals import judge_goals
from bench.hot_paths import flames, render_profile
from bench.report import COSTS, cells, costs, most_load, number, remarks
from bench.results import LATEST, PROFILE, durations
from bench.sizes import DIMENSIONS
from bench.stage import ROOT

DOCUMENT: Final = ROOT / "docs" / "performance.md"
CHARTS: Final = DOCUMENT.parent / "performance"

_FRAME: Final = """\
# Performance

How fast Overbookr is, beside what the machine, PostgreSQL and the server stack can do. This page is written by
`python -m bench.page` from the results of one run of `make bench`, `bench/results/latest.json`, which has every
repetition of every figure. Everything was measured in turn, round after round, on one machine that the load generator
shared. Figures move with the machine; ratios of what was measured in the same round less, and of these each is the
middle one. How it is measured is in
[Testing](testing.md#the-benchmark).

{conditions}

{goals}{scenarios}

## What it costs

Processor microseconds for each one done: of the processes of PostgreSQL, of the API and so on, and of the load
generator beside them.

{costs}

{profile}## What did not help

- Waiting for some milliseconds before a small batch is written: neither throughput nor the p99 at half of the load
  gained by 3 or 8 ms, and whoever is alone waits for nobody ([0029](decisions/0029-one-lane-a-process.md)).
- Two lanes a process: each batch is half as large, and a batch has a price of its own.
- A shorter switch interval of Python's threads (5 ms to 0.02 ms): nothing within the noise.
- Other run times of the HTTP server: with several threads holds at half of the load came a fifth sooner, and flows on
  one event became a tenth fewer; its own tasks in place of asyncio's lost nine tenths of the throughput.
- API processes of a lower priority than PostgreSQL's, so that those who hold locks are not kept waiting: holds at half
  of the load came no sooner, and lone ones later.
- Locking the events of a batch one by one, so that none is looked at again after a wait: no gain.
- Forbidding the planner to keep what it has read (`enable_material`): one bad plan became good and others worse
  ([0031](decisions/0031-plans-are-made-anew.md)).

## Start and memory

{memory}

## How long measuring it took

{durations}
"""


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments if not argument.startswith("-")]
    source = paths[0] if paths else LATEST
    if "--check" in arguments:
        faults = check(source)
        print("\n".join(faults), file=sys.stderr)
        return 1 if faults else 0
    if not source.exists():
        print(f"there are no results in {source}: run make bench", file=sys.stderr)
        return 1
    results, profile = json.loads(source.read_text()), read_profile()
    write_charts(CHARTS, charts(results, profile))
    DOCUMENT.write_text(render(results, profile))
    return 0


def read_profile(source: Path = PROFILE) -> dict[str, Any] | None:
    """What the latest profile has found, if one was taken."""
    found: dict[str, Any] | None = json.loads(source.read_text()) if source.exists() else None
    return found


def check(source: Path, document: Path = DOCUMENT, folder: Path = CHARTS, profiled: Path = PROFILE) -> list[str]:
    """What is wrong with the page that there is, or with its being there. A page and its results come together."""
    if not source.exists():
        left = [path for path in (document, folder) if path.exists()]
        return [f"{path.name} is there, and there are no results it could be of" for path in left]
    results, profile = json.loads(source.read_text()), read_profile(profiled)
    if not document.exists() or document.read_text() != render(results, profile):
        return [f"{document.name} is not what the results say: python -m bench.page"]
    drawn = {f"{name}.svg": content for name, content in charts(results, profile).items()}
    there = {path.name: path.read_bytes() for path in folder.glob("*.svg")}
    return [] if drawn == there else [f"the charts in {folder.name} are not what the results say: python -m bench.page"]


def render(results: dict[str, Any], profile: dict[str, Any] | None = None) -> str:
    drawn = charts(results)
    return _FRAME.format(
        conditions=_conditions(results),
        goals=_goals(results),
        scenarios="\n\n".join(
            _scenario(name, figures, [chart for chart in drawn if chart.partition("-")[0] == name])
            for name, figures in _by_scenario(results)
        ),
        costs=_costs(results["figures"]),
        memory=_memory(results),
        durations=_durations(results),
        profile=f"{render_profile(profile)}\n" if profile is not None else "",
    )


def charts(results: dict[str, Any], profile: dict[str, Any] | None = None) -> dict[str, bytes]:
    """The chart of each scenario that has any figure to be drawn; of growth, one a dimension; flame graphs."""
    drawn = {name: draw(SCENARIOS[name].says, figures) for name, figures in _by_scenario(results) if name != "growth"}
    grown = [figure for figure in results["figures"] if figure["scenario"] == "growth" and not figure["failed"]]
    drawn |= {f"growth-{dimension}": draw_growth(dimension, says, grown) for dimension, says in DIMENSIONS.items()}
    shown = {name: content for name, content in drawn.items() if content is not None}
    return shown | (flames(profile) if profile is not None else {})


def _by_scenario(results: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    found = ((name, [figure for figure in results["figures"] if figure["scenario"] == name]) for name in SCENARIOS)
    return [(name, figures) for name, figures in found if figures]


def _conditions(results: dict[str, Any]) -> str:
    machine, server, settings = results["machine"], results["server"], results["settings"]
    lines = [
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['file_system']}, Linux {machine['kernel']}, Python {machine['python']}; load before the run "
        f"{machine['load_before']}.",
        f"- Disk, by pg_test_fsync: {results['disk']}.",
        f"- PostgreSQL {server['server_version']}: fsync {server['fsync']}, synchronous_commit "
        f"{server['synchronous_commit']}, shared_buffers {server['shared_buffers']}.",
        f"- Overbookr: commit `{results['commit']}`{' and changes' if results['changed_since'] else ''}, "
        f"{settings['api_processes']} API processes.",
        f"- Begun {results['started_at'].replace('T', ' ').removesuffix('+00:00')} UTC; size {settings['size']}, "
        f"{settings['repetitions']} repetitions of {settings['seconds']} s after a warm-up that is not counted, "
        f"{settings['connections']} connections, {settings['pgbench_clients']} clients of pgbench.",
    ]
    if most_load(results) > machine["cores"] / 2:
        lines.append("- **Others were at work on the machine: take no figure at its word.**")
    return "\n".join(lines)


def _goals(results: dict[str, Any]) -> str:
    judged = judge_goals(results["figures"])
    if not judged:
        return ""
    rows = ["## Against the goals", "", "| | Wanted | Found | Reached |", "|---|--:|--:|---|"]
    rows += [
        f"| {goal['says']} | {goal['wanted']} | {number(goal['found'])}{goal['unit']} "
        f"| {'yes' if goal['reached'] else '**no**'} |"
        for goal in judged
    ]
    return "\n".join(rows) + "\n\n"


def _scenario(name: str, figures: list[dict[str, Any]], drawn: list[str]) -> str:
    title = SCENARIOS[name].says
    parts = [f"## {title}"]
    parts += [f"![{title}: {_pictured(chart)}](performance/{chart}.svg)" for chart in drawn]
    rows = [
        "| What | Where | Unit | Min | Median | Max | Ratio | p50 ms | p99 ms | Refused |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows += ["| " + " | ".join([figure["name"], figure["variant"], *cells(figure)]) + " |" for figure in figures]
    parts.append("\n".join(rows))
    if yardsticks := dict.fromkeys(figure["yardstick"][0] for figure in figures if figure["yardstick"]):
        parts.append(f"Ratios are to: {'; '.join(yardsticks)}, of the same variant where there are several.")
    told = [f"- {figure['name']}, {figure['variant']}: {line}" for figure in figures for line in _lines(figure)]
    return "\n\n".join([*parts, "\n".join(told)] if told else parts)


def _pictured(chart: str) -> str:
    dimension = DIMENSIONS.get(chart.partition("-")[2])
    return "the figures of the table as bars" if dimension is None else f"ratios by the number of {dimension}, as lines"


def _lines(figure: dict[str, Any]) -> list[str]:
    """What is to be known of a figure besides its numbers."""
    lines = [f"**failed**: {_cell(reason)}" for reason in figure["failed"]] + remarks(figure)
    first = figure["repetitions"][0]
    if figure["scenario"] == "watching" and figure["variant"].endswith("p50"):
        memory = first["api_memory_mib"]
        lines.append(
            f"{first['viewers']:,} viewers were told {first['told']:,} times of {first['holds']:,} holds in "
            f"{first['watch_seconds']:.0f} s; {first['cut']} were cut off and {first['ended_by_server']} streams "
            f"ended, after which {first['resumed']} went on from where they were and {first['reset']} began anew; "
            f"{first['maps_wrong']} maps differed from the database at the end; the API processes had "
            f"{memory['without_viewers']:,.0f} MiB without viewers and {memory['with_viewers']:,.0f} MiB with them"
        )
    if "had" in first:
        lines.append(f"{first['had']} holds were had by anybody")
    if "promoted" in first:
        lines.append(f"{first['promoted']:,} waiters were promoted, warm-up included")
    if "answer_ms" in first and figure["variant"].endswith("p50"):
        middle, most = (number(first["answer_ms"][share]) for share in ("p50", "p99"))
        lines.append(f"the holds themselves were answered after {middle} ms, 99 of 100 of them within {most} ms")
    if "body_bytes" in first:
        lines.append(f"{first['body_bytes']:,} bytes a body")
    return lines


def _costs(figures: list[dict[str, Any]]) -> str:
    rows = [f"| What | Where | {' | '.join(COSTS.values())} |", f"|---|---|{'--:|' * len(COSTS)}"]
    for figure in figures:
        is_twin = figure["measure"] == MILLISECONDS and not figure["variant"].endswith("p50")
        if (spent := costs(figure)) and not is_twin:
            numbers = [number(spent.get(name)) for name in COSTS]
            rows.append(f"| {figure['name']} | {figure['variant']} | {' | '.join(numbers)} |")
    return "\n".join(rows)


def _memory(results: dict[str, Any]) -> str:
    lines = []
    if starts := results["start_seconds"]:
        lines.append(
            f"- From start to ready beside a running database: {median(starts):.2f} s, the longest of "
            f"{len(starts)} starts {max(starts):.2f} s."
        )
    for name, processes in results["memory_mib"].items():
        total = sum(process["pss"] for process in processes)
        lines.append(f"- {name}: {total:.0f} MiB (PSS) in {len(processes)} processes after the last load.")
    lines.append(f"- The laws of the house were asked {results['audits']} times, after each load that writes.")
    return "\n".join(lines)


def _durations(results: dict[str, Any]) -> str:
    rows = ["| Scenario | Rounds | Its layouts, s | A round, s |", "|---|--:|--:|--:|"]
    rows += [
        f"| `{name}` | {rounds} | {number(build)} | {number(seconds)} |"
        for name, rounds, build, seconds in durations(results["rounds"])
    ]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
