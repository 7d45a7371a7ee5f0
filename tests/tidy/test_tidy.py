"""The rules of the house that no linter knows."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pathspec
import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "overbookr"
LINES_OF_A_FILE_MAX, LINES_OF_A_FUNCTION_MAX = 400, 70

ROOMS = {
    "users", "events", "seats", "maps", "holds", "bookings", "waitlist", "analytics", "mail", "audit", "demo",
    "operations", "ui", "writes",
}  # fmt: skip
SHARED_ROOMS = {"database", "http"}
SHARED_MODULES = {
    "__init__", "__main__", "batching", "cli", "duty", "ids", "limits", "machine", "main", "processes", "refusals",
    "serving", "settings", "stores", "telemetry", "text", "welcome",
}  # fmt: skip

# Names that say nothing about what is inside.
EMPTY_NAMES = re.compile(r"(^|_)(utils?|utilities|helpers?|commons?|managers?|base|misc|core|shared|services?)(_|$)")

# What begins a statement and could not begin a sentence.
STATEMENT = re.compile(
    r"""^\s*(?:
        select\s+(?:.*\s)?from\s | select\s+[\w.]+\s*\( | select\s+(?:\d+|\$\d)\s*;?\s*$
      | insert\s+into\s+\w | update\s+[\w.]+\s+(?:\w+\s+)?set\s | delete\s+from\s+\w
      | truncate\s+(?:table\s+)?\w+\s*;?\s*$
      | with\s+(?:recursive\s+)?\w+\s+(?:\([^)]*\)\s+)?as\s+(?:materialized\s+)?\(
      | (?:create|alter|drop)\s+(?:or\s+replace\s+)?(?:table|index|view|function|database|role|schema|trigger)\s
      | (?:begin|commit|rollback)\s*;?\s*$ | (?:listen|notify|vacuum|analyze|reindex)\s+\w+\s*;?\s*$
      | set\s+(?:local\s+)?\w+\s*=\s | set\s+local\s+\w+\s | lock\s+table\s
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def texts_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string literal but docstrings, with its line; of an f-string, what is fixed."""
    docstrings = set()
    pieces = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(node.value)
        if isinstance(node, ast.JoinedStr):
            pieces |= set(node.values)
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values),
            )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings | pieces:
            yield node.lineno, node.value


def test_no_sql_lives_in_python() -> None:
    found = [
        f"{shown(path)}:{line} {text[:60]!r}"
        for path in sources()
        for line, text in texts_of(ast.parse(path.read_text()))
        if STATEMENT.match(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_sql"),
    [
        ("select 1", True),
        ("  SELECT a, b\n FROM seats where x", True),
        ("select settle_due_events_v1($1)", True),
        ("insert into seats values (1)", True),
        ("update seats s set status = 'held'", True),
        ("delete from holds", True),
        ("with gone as (\n delete from seats)", True),
        ("create or replace function f() returns int", True),
        ("set local lock_timeout = '1s'", True),
        ("COMMIT", True),
        ("Select your seats", False),
        ("Update your name", False),
        ("With a key, the answer is the same", False),
        ("delete", False),
        ("begin at the beginning", False),
        ("Set OVERBOOKR_PORT to change it", False),
        ("Insert the seats", False),
        ("create", False),
    ],
)
def test_sql_is_told_from_prose(text: str, is_sql: bool) -> None:
    assert bool(STATEMENT.match(text)) is is_sql


def test_files_are_short() -> None:
    others = [path for room in ("tests", "scripts", "proof", "bench") for path in (ROOT / room).rglob("*.py")]
    pages = [path for path in (ROOT / "web" / "src").rglob("*.*") if path.name != "schema.d.ts"]
    paths = [*sources(), *SOURCE.rglob("*.sql"), *others, *pages, *(ROOT / "web" / "tests").rglob("*.ts")]
    lengths = {shown(path): len(path.read_text().splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > LINES_OF_A_FILE_MAX} == {}


def test_functions_are_short() -> None:
    found = {}
    for path in [*sources(), *(path for room in ("tests", "proof", "bench") for path in (ROOT / room).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LINES_OF_A_FUNCTION_MAX:
                    found[f"{shown(path)} {node.name}"] = length
    assert found == {}


def test_names_say_what_is_inside() -> None:
    paths = [*sources(), *(path for room in ("tests", "proof", "bench") for path in (ROOT / room).rglob("*.py"))]
    paths += [path for room in ("src", "tests") for path in (ROOT / "web" / room).rglob("*.ts*")]
    parts = {part for path in paths for part in path.relative_to(ROOT).with_suffix("").parts}
    assert {part for part in parts if EMPTY_NAMES.search(part)} == set()


def test_every_module_is_in_its_room() -> None:
    """A new part of the house is entered here too, so that nobody makes one by accident."""
    modules = {path.stem for path in SOURCE.glob("*.py")}
    assert modules == SHARED_MODULES
    packages = {path.parent.relative_to(SOURCE).parts[0] for path in sources() if path.parent != SOURCE}
    assert packages == ROOMS | SHARED_ROOMS
    for package in packages:
        assert (SOURCE / package / "__init__.py").exists(), f"{package} is no package"
        assert (SOURCE / package / "__init__.py").read_text().count("\n") <= 1, f"{package}/__init__.py does something"
    deep = {shown(path) for path in sources() if len(path.relative_to(SOURCE).parts) > 2}
    assert deep == set(), "rooms have no rooms inside"


def test_sql_files_have_a_known_place() -> None:
    allowed = {"functions.sql", "queries.sql", "invariants.sql"}
    paths = {path.relative_to(SOURCE) for path in SOURCE.rglob("*.sql")}
    strays = {str(path) for path in paths if path.name not in allowed and path.parts[:2] != ("database", "migrations")}
    assert strays == set()
    stores = {path.parts[0] for path in paths if path.name == "queries.sql"}
    assert {room for room in stores & ROOMS if not any((SOURCE / room).glob("*.py"))} == set()


def test_every_sql_function_says_what_it_is_for() -> None:
    """A comment ends on the line above the definition."""
    found = []
    for path in sorted(SOURCE.rglob("functions.sql")):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if re.match(r"create (or replace )?(function|procedure|view)", line) and not lines[number - 1].startswith(
                "--"
            ):
                found.append(f"{shown(path)}:{number + 1} {line}")
    assert found == []


def test_sql_functions_are_replaced_not_created_twice() -> None:
    """They are applied anew at each start; and a function is defined once in the whole house."""
    names: list[str] = []
    for path in sorted(SOURCE.rglob("functions.sql")):
        text = path.read_text()
        assert not re.search(r"^create (?!or replace )", text, re.MULTILINE | re.IGNORECASE), shown(path)
        names += re.findall(r"^create or replace (?:function|view) (\w+)", text, re.MULTILINE)
    assert len(names) > 20
    assert {name for name in names if names.count(name) > 1} == set()


def test_decisions_use_the_clock_that_is_read_after_the_lock() -> None:
    """now() is the start of the transaction, before the lock was awaited; and only the database's clock counts."""
    paths = [path for path in SOURCE.rglob("functions.sql") if path.parent.name != "audit"]
    for path in paths:
        code = re.sub(r"--[^\n]*", "", path.read_text())
        assert not re.search(r"\b(now\(\)|current_timestamp|transaction_timestamp|statement_timestamp)", code), shown(
            path
        )


def test_nothing_of_the_package_is_left_out_of_the_wheel() -> None:
    """The wheel is the folder as it is, but for what .gitignore names and the build does not make: none of ours may be
    named there.
    """
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".gitignore").read_text().splitlines())
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    made = pathspec.GitIgnoreSpec.from_lines(wheel["artifacts"])
    files = [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    left_out = {shown(path) for path in files if ignored.match_file(path.relative_to(ROOT))}
    assert {path for path in left_out if not made.match_file(path)} == set()
    kinds = {path.suffix for path in files}
    assert {".sql", ".json", ".html", ".conf", ".jinja", ".py"} <= kinds
    assert (SOURCE / "py.typed").exists()
