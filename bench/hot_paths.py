"""The part of the page that says where the time of the hottest paths goes, of what bench.profile has found."""

from typing import Any, Final

from bench.flames import draw_flames, innermost
from bench.report import number

_FUNCTIONS_SHOWN: Final = 10
_STATEMENT_LETTERS: Final = 110
_PLANS_SHOWN: Final = 4

_FRAME: Final = """\
## Where the time goes

Written by `python -m bench.profile`, of commit `{commit}`{changes}, under as much load as the path takes. Flame graphs
are of py-spy's samples of the API processes, outermost function at the top, Overbookr's own in blue; time in compiled
code is told with the function that called it. Statements are what auto_explain told of one call in fifty, without those
that call functions with statements inside; what a function takes besides its statements is not in these figures.

{paths}
"""


def render_profile(profile: dict[str, Any]) -> str:
    changes = " and changes" if profile["changed_since"] else ""
    paths = "\n\n".join(_path(name, path) for name, path in profile["paths"].items())
    return _FRAME.format(commit=profile["commit"], changes=changes, paths=paths)


def flames(profile: dict[str, Any]) -> dict[str, bytes]:
    """A flame graph a path, by the name of its file."""
    return {
        f"flames-{name}": draw_flames(path["says"], _stacks(path))
        for name, path in profile["paths"].items()
        if path["samples"]
    }


def _path(name: str, path: dict[str, Any]) -> str:
    parts = [f"### {path['says']}"]
    if path["samples"]:
        parts.append(f"![{path['says']}: the functions in which the API processes were](performance/flames-{name}.svg)")
        rows = ["| Function, what it calls not counted | Of the samples |", "|---|--:|"]
        rows += [f"| `{each}` | {share:.1%} |" for each, share in innermost(_stacks(path), _FUNCTIONS_SHOWN)]
        parts.append("\n".join(rows))
    if path["statements"]:
        rows = ["| Statement | In | Explained | us, median | Of all |", "|---|---|--:|--:|--:|"]
        rows += [_statement(each, path["explained_ms"]) for each in path["statements"]]
        parts.append("\n".join(rows))
        parts += [_plan(each) for each in path["statements"][:_PLANS_SHOWN]]
    return "\n\n".join(parts)


def _statement(told: dict[str, Any], total: float) -> str:
    return (
        f"| `{_short(told['statement'])}` | {told['function'] or 'a client'} | {told['count']:,} "
        f"| {number(told['median_ms'] * 1000)} | {told['total_ms'] / total:.0%} |"
    )


def _plan(told: dict[str, Any]) -> str:
    where = told["function"] or "a client"
    return f"A middling plan of `{_short(told['statement'])}`, {where}:\n\n```text\n{told['plan']}\n```"


def _short(statement: str) -> str:
    text = statement.replace("`", "'").replace("|", "\\|")
    return text if len(text) <= _STATEMENT_LETTERS else text[: _STATEMENT_LETTERS - 1] + "…"


def _stacks(path: dict[str, Any]) -> dict[tuple[str, ...], int]:
    return {tuple(frames): count for frames, count in path["stacks"]}
