"""The mutants' own tools: a mutant that does not fit is refused, and a check that dies has not caught anything."""

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proof.__main__ import PARTS
from proof.mutants.catalogue import MUTANTS
from proof.mutants.check import Run, Verdict, judge_part, judge_tests, run_check
from proof.mutants.mutant import (
    ROOT,
    SOURCES,
    Edit,
    Mutant,
    MutantGone,
    Part,
    copy_sources,
    defect,
    mutated,
)
from proof.mutants.mutant import tests as selection

PACKAGE = Path("/copy/src/overbookr")
ETAGS = selection("http/test_etag.py::test_lists_that_do_not")


def test_every_mutant_fits_the_sources() -> None:
    refused = []
    for mutant in MUTANTS:
        try:
            mutated(mutant)
        except MutantGone as gone:
            refused.append(str(gone))
    assert refused == []


def test_every_mutant_has_a_name_a_sentence_and_a_check_that_exists() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25
    for mutant in MUTANTS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", mutant.name), mutant.name
        assert re.fullmatch(r"[A-Z].*\.", mutant.breaks), mutant.name
        assert mutant.caught_by, mutant.name
        for check in mutant.caught_by:
            if isinstance(check, Part):
                assert check.name in set(PARTS) - {"mutants"}, mutant.name
                continue
            for name in check.names:
                file, *inside = name.partition("[")[0].split("::")
                text = (ROOT / file).read_text()
                assert all(re.search(rf"(def|class) {part}\b", text) for part in inside), name


def test_the_readme_says_how_many_there_are() -> None:
    assert f"itself, in {len(MUTANTS)} places" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_mutant_whose_text_is_gone_is_refused() -> None:
    for old, times in (("nobody ever wrote this", 0), ("raise", 3)):
        mutant = defect("name-x", "Breaks.", "batching.py", old, "", ETAGS)
        with pytest.raises(MutantGone, match=f"name-x: its text occurs [{times}-9] times in batching.py"):
            mutated(mutant)
    with pytest.raises(MutantGone, match=r"there is no nowhere\.py"):
        mutated(defect("name-x", "Breaks.", "nowhere.py", "a", "b", ETAGS))
    with pytest.raises(MutantGone):
        mutated(defect("name-x", "Breaks.", "batching.py", "free = taken.isdisjoint", "free = taken.isdisjoint", ETAGS))


def test_edits_of_one_file_add_up() -> None:
    edits = (
        Edit("batching.py", "free = taken.isdisjoint(waiting.keys)", "free = True"),
        Edit("batching.py", "free = True", "free = False"),
    )
    text = mutated(Mutant("name-x", "Breaks.", edits, (ETAGS,)))["batching.py"]
    assert "free = False" in text
    assert "free = True" not in text


def test_a_copy_differs_by_the_defect_and_the_original_by_nothing(tmp_path: Path) -> None:
    before = (SOURCES / "overbookr/batching.py").read_bytes()
    mutant = defect("name-x", "Breaks.", "batching.py", "free = taken.isdisjoint(waiting.keys)", "free = True", ETAGS)
    copy_sources(tmp_path, mutant)
    files = [path for path in (SOURCES / "overbookr").rglob("*") if path.suffix in (".py", ".sql", ".jinja")]
    differing = {
        path.name for path in files if path.read_bytes() != (tmp_path / "src" / path.relative_to(SOURCES)).read_bytes()
    }
    assert differing == {"batching.py", "__init__.py"}
    assert (SOURCES / "overbookr/batching.py").read_bytes() == before


def error(*kinds: str, text: str = "", sqlstate: str | None = None) -> dict[str, Any]:
    return {"kinds": kinds, "text": text, "sqlstate": sqlstate}


def ended(*errors: dict[str, Any], when: str = "call", said: str = "", serves: bool = False, **changes: Any) -> Run:
    """A run of one test, which passed if there are no errors."""
    outcome = "failed" if errors else "passed"
    test = {"name": "t", "when": when, "outcome": outcome, "errors": list(errors), "said": said}
    report = {"package": str(PACKAGE), "serves": serves, "tests": [test]}
    run = Run(1 if errors else 0, report, "last words", ["1\tpython -m pytest", "2\tpython -m overbookr serve"], "")
    return msgspec.structs.replace(run, **changes)


ASSERTION = error("AssertionError", "Exception", text="assert 1 == 2")


@pytest.mark.parametrize(
    "found",
    [
        ASSERTION,
        error("Failed", "Exception", text="DID NOT RAISE"),
        error("UniqueViolationError", "PostgresError", text="duplicate key", sqlstate="23505"),
        error("UnknownPostgresError", "PostgresError", text="of 2 seats only 1", sqlstate="OB001"),
        error("DeadlockDetectedError", "PostgresError", text="deadlock", sqlstate="40P01"),
    ],
)
def test_a_tests_reason_is_a_catch(found: dict[str, Any]) -> None:
    verdict = judge_tests(ended(found), PACKAGE)
    assert (verdict.state, verdict.failed) == ("red", ("t",))


def test_exceptions_count_only_where_the_mutant_names_them() -> None:
    run = ended(error("TimeoutError", "OSError", text="too slow"))
    assert judge_tests(run, PACKAGE).state == "broken"
    assert judge_tests(run, PACKAGE, ("TimeoutError",)).state == "red"


def test_what_passes_is_green() -> None:
    assert judge_tests(ended(), PACKAGE) == Verdict("green")


NOTHING: dict[str, Any] = {"package": str(PACKAGE), "serves": False, "tests": []}


@pytest.mark.parametrize(
    "run",
    [
        ended(error("ImportError", "Exception", text="cannot import name")),
        ended(error("UndefinedColumnError", "PostgresError", text="no column", sqlstate="42703")),
        ended(ASSERTION, when="setup"),
        ended(error("Failed", "Exception", text="Timeout (>60.0s) from pytest-timeout.")),
        ended(error("AssertionError", text="serve ended with 1:")),
        ended(ASSERTION, ASSERTION, error("KeyError", "LookupError", text="'code'")),
        ended(ASSERTION, said='error="NameError(...)"'),
        ended(error("AssertionError", text="assert UndefinedFunctionError('no function') is 'hold_limit'")),
        ended(ASSERTION, logs='{"error": "PostgresSyntaxError(...)"}'),
        ended(ASSERTION, code=2),
        ended(ASSERTION, code=None),
        ended(ASSERTION, report=None),
        ended(ASSERTION, witnesses=[]),
        ended(ASSERTION, serves=True, witnesses=["1\tpython -m pytest"]),
        ended(ASSERTION, report=NOTHING),
        ended(ASSERTION, report=NOTHING | {"package": "/elsewhere/src/overbookr"}),
        ended(code=1),
    ],
)
def test_a_wrong_reason_is_no_catch(run: Run) -> None:
    assert judge_tests(run, PACKAGE).state == "broken"


def test_a_part_catches_by_its_claims_and_violations() -> None:
    def of(**changes: Any) -> Verdict:
        report = {"package": str(PACKAGE), "crash": None, "passed": False, "violations": []} | changes
        return judge_part(Run(0, report, "", ["1\tpython"], ""), PACKAGE)

    assert of(passed=True).state == "green"
    assert of(violations=["a seat was sold twice\nand more"]) == Verdict("red", "a seat was sold twice")
    assert of(violations=["UndefinedTableError: no such table"]).state == "broken"
    assert of(crash="Traceback\nValueError: x").state == "broken"
    assert of().state == "broken"


@pytest.mark.anyio
async def test_a_defect_is_caught_an_unharmed_product_is_not_and_a_dead_one_is_broken(tmp_path: Path) -> None:
    defects = {
        "red": next(mutant for mutant in MUTANTS if mutant.name == "every-tag-matches"),
        "green": None,
        "broken": defect("name-x", "Breaks.", "http/etag.py", "import re\n", "import rex\n", ETAGS),
    }

    async def verdict_of(expected: str, mutant: Mutant | None) -> str:
        folder = tmp_path / expected
        witnesses = copy_sources(folder, mutant)
        return (await run_check(ETAGS, folder, witnesses=witnesses, seed=1)).state

    assert await asyncio.gather(*(verdict_of(*pair) for pair in defects.items())) == list(defects)
