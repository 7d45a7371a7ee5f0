"""What auto_explain wrote into PostgreSQL's log, put together by statement."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

# Set for a database; each session that begins after that explains some of its statements, and all those inside of
# these. Clocks around every node would cost more than most nodes do.
SETTINGS: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_triggers": "on",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_parameter_max_length": "0",
}

_LINE: Final = re.compile(r"^\d{4}-\d\d-\d\d \S+ \S+ \[(\d+)\] .*?([A-Z]+):  (.*)$")
_BEGINNING: Final = re.compile(r"duration: ([0-9.]+) ms  plan:$")
_NODE: Final = re.compile(r"\(cost=\d")
_FUNCTION: Final = re.compile(r"PL/pgSQL function (\w+)\(")


@dataclass
class Explained:
    """A statement, by the function that it is in: the milliseconds and the plan of each time that it was explained.
    Those of one that `calls` functions with statements inside have the writing of what was explained of these in them,
    which takes longer than most statements."""

    function: str
    statement: str
    calls: bool = False
    milliseconds: list[float] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """With the plan of a middling one."""
        ordered = sorted(range(len(self.plans)), key=lambda place: self.milliseconds[place])
        middle = ordered[len(ordered) // 2]
        return {
            "function": self.function,
            "statement": self.statement,
            "calls": self.calls,
            "count": len(self.plans),
            "median_ms": self.milliseconds[middle],
            "total_ms": round(sum(self.milliseconds), 3),
            "plan": self.plans[middle],
        }


@dataclass
class _Entry:
    session: str
    took: float
    lines: list[str]
    context: list[str]


def read_plans(lines: Iterable[str]) -> list[Explained]:
    """The statements: first those that call nothing with statements inside, and of them those that took most."""
    found: dict[tuple[str, str], Explained] = {}
    # Sessions and depths of statements whose caller is yet to be logged: an inner one is logged before its outer one.
    inside: set[tuple[str, int]] = set()
    for entry in _entries(lines):
        nodes = next((place for place, line in enumerate(entry.lines) if _NODE.search(line)), len(entry.lines))
        statement = " ".join(" ".join(entry.lines[:nodes]).split()).removeprefix("Query Text: ")
        functions = _FUNCTION.findall(" ".join(entry.context))
        depth = len(functions)
        function = functions[0] if functions else ""
        explained = found.setdefault((function, statement), Explained(function, statement))
        explained.calls |= (entry.session, depth + 1) in inside
        inside.discard((entry.session, depth + 1))
        inside.add((entry.session, depth))
        explained.milliseconds.append(entry.took)
        explained.plans.append("\n".join(entry.lines[nodes:]))
    return sorted(found.values(), key=lambda explained: (explained.calls, -sum(explained.milliseconds)))


def _entries(lines: Iterable[str]) -> Iterable[_Entry]:
    """What was logged of each statement: a line that tells how long it took, its text and plan, where it was called."""
    entry: _Entry | None = None
    into: list[str] | None = None
    for line in lines:
        if line.startswith("\t"):
            if into is not None:
                into.append(line[1:].rstrip("\n"))
            continue
        found = _LINE.match(line.rstrip("\n"))
        session, kind, text = found.groups() if found is not None else ("", "", "")
        if entry is not None and kind == "CONTEXT" and session == entry.session:
            entry.context.append(text)
            into = entry.context
            continue
        if entry is not None:
            yield entry
        beginning = _BEGINNING.match(text) if kind == "LOG" else None
        entry = _Entry(session, float(beginning[1]), [], []) if beginning is not None else None
        into = entry.lines if entry is not None else None
    if entry is not None:
        yield entry
