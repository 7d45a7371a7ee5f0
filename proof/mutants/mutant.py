"""A mutant: the product with one defect put into it on purpose, and the checks that must find it."""

import shutil
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ROOT / "src"

# Every process that imports the copy says so, which shows that nobody runs the product from elsewhere.
_WITNESS: Final = """

import os as _os
import sys as _sys

with open({path!r}, "a", encoding="utf-8") as _file:
    _file.write(f"{{_os.getpid()}}\\t{{' '.join(_sys.orig_argv)}}\\n")
"""


class Edit(msgspec.Struct, frozen=True):
    """`old` occurs exactly once in the file, which is named from the package on, and becomes `new`."""

    file: str
    old: str
    new: str


class Tests(msgspec.Struct, frozen=True):
    """Tests of the suite, named as pytest does. They run on PostgreSQL 18 where they need a database."""

    names: tuple[str, ...]

    @property
    def label(self) -> str:
        return ", ".join(self.names)


class Part(msgspec.Struct, frozen=True):
    """Another part of the proof, at its small size."""

    name: str

    @property
    def label(self) -> str:
        return f"proof: {self.name}"


Check = Tests | Part


class Mutant(msgspec.Struct, frozen=True):
    """`breaks` says what the product does wrong then. Each of `caught_by` must find it by itself.

    Several edits make one defect where one guard hides the absence of another. `raises` names exceptions that are the
    defect showing itself in a check, beside failed assertions and refusals by the database.
    """

    name: str
    breaks: str
    edits: tuple[Edit, ...]
    caught_by: tuple[Check, ...]
    raises: tuple[str, ...] = ()


class MutantGone(Exception):
    """The text that a mutant replaces is not there, or not once: it would prove nothing. The message names both."""


def tests(*names: str) -> Tests:
    """Tests by their names below tests/."""
    return Tests(tuple(f"tests/{name}" for name in names))


def defect(
    name: str, breaks: str, file: str, old: str, new: str, *caught_by: Check, raises: tuple[str, ...] = ()
) -> Mutant:
    """A mutant of one edit."""
    return Mutant(name, breaks, (Edit(file, old, new),), caught_by, raises)


def mutated(mutant: Mutant, sources: Path = SOURCES) -> dict[str, str]:
    """The changed files with their new text. Raises MutantGone."""
    changed: dict[str, str] = {}
    for edit in mutant.edits:
        file = sources / "overbookr" / edit.file
        if not file.is_file():
            raise MutantGone(f"{mutant.name}: there is no {edit.file}")
        text = changed.get(edit.file) or file.read_text(encoding="utf-8")
        times = text.count(edit.old)
        if times != 1 or edit.old == edit.new:
            raise MutantGone(f"{mutant.name}: its text occurs {times} times in {edit.file}, not once: {edit.old!r}")
        changed[edit.file] = text.replace(edit.old, edit.new)
    return changed


def copy_sources(folder: Path, mutant: Mutant | None) -> Path:
    """A copy of the product in `folder`, with the defect or, for None, without any; the file of its witnesses."""
    package, witnesses = folder / "src" / "overbookr", folder / "witnesses"
    shutil.copytree(SOURCES / "overbookr", package)
    for name, text in (mutated(mutant) if mutant is not None else {}).items():
        (package / name).write_text(text, encoding="utf-8")
        for compiled in (package / name).parent.glob(f"__pycache__/{Path(name).stem}.*.pyc"):
            compiled.unlink()
    with open(package / "__init__.py", "a", encoding="utf-8") as module:
        module.write(_WITNESS.format(path=str(witnesses)))
    return witnesses
