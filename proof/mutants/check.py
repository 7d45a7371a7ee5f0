"""Runs a check against a copy of the product and judges how it ended.

A check is `red` when it failed for a test's reason: an assertion, a violation, or a refusal by the database itself. It
is `broken` when it failed in any other way; a product that does not start or a name that is not there proves nothing.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from proof.mutants.mutant import ROOT, Check, Part, Tests

State = Literal["green", "red", "broken"]

TEST_SECONDS_MAX: Final = 60
_CHECK_SECONDS_MAX: Final = {"tests": 600.0, "part": 600.0}
_FAREWELL_SECONDS_MAX: Final = 40.0

# Errors of whoever wrote the mutant: the text does not even run.
_MISWRITTEN: Final = re.compile(
    r"\b((?:Import|ModuleNotFound|Syntax|Indentation|Name|UnboundLocal|Attribute|Type|PostgresSyntax|DatatypeMismatch"
    r"|Ambiguous\w+|Undefined\w+|InvalidTextRepresentation)Error)\b"
)
# Classes of SQLSTATE that a database uses to keep its laws: constraints, a lost race, the write path's own miscount.
_REFUSALS: Final = ("23", "40", "OB")


class Verdict(msgspec.Struct, frozen=True):
    """`reason` is the first line of what a red or broken check said; `failed` the tests that found the defect."""

    state: State
    reason: str = ""
    failed: tuple[str, ...] = ()
    seconds: float = 0.0


class Run(msgspec.Struct, frozen=True):
    """How a check ended: its exit code (None: it was stopped for taking too long), its report, what it printed, the
    processes that imported the copy, and the logs of the product's servers."""

    code: int | None
    report: dict[str, Any] | None
    output: str
    witnesses: list[str]
    logs: str


async def run_check(check: Check, folder: Path, *, witnesses: Path, seed: int, raises: tuple[str, ...] = ()) -> Verdict:
    """Run a check against the copy in `folder`/src. Blocks nobody; the check's processes end with it."""
    began = time.monotonic()
    package = folder / "src" / "overbookr"
    place = folder / f"check-{len(list(folder.glob('check-*')))}"
    place.mkdir()
    witnesses.unlink(missing_ok=True)
    if isinstance(check, Part):
        run = await _run_part(check, folder, place, witnesses, seed)
        judged = judge_part(run, package)
    else:
        run = await _run_tests(check, folder, place, witnesses, seed)
        judged = judge_tests(run, package, raises)
    return msgspec.structs.replace(judged, seconds=round(time.monotonic() - began, 1))


def judge_tests(run: Run, package: Path, raises: tuple[str, ...] = ()) -> Verdict:
    if (misfit := _misfit(run, package, (0, 1))) is not None:
        return misfit
    assert run.report is not None
    told: list[dict[str, Any]] = run.report["tests"]
    if run.report["serves"] and not any(" serve" in witness for witness in run.witnesses):
        return Verdict("broken", "no served process imported the copy")
    if not any(test["when"] == "call" or test["outcome"] == "failed" for test in told):
        return Verdict("broken", "no test ran")
    red = [test for test in told if test["outcome"] == "failed"]
    if not red:
        return Verdict("green") if run.code == 0 else Verdict("broken", _last_line(run.output))
    found = [test for test in red if test["when"] == "call" and _is_a_tests_reason(test["errors"], raises)]
    text = "\n".join([run.logs, *(test["said"] for test in red), *(e["text"] for t in red for e in t["errors"])])
    if (miswritten := _MISWRITTEN.search(text)) is not None:
        return Verdict("broken", f"{miswritten[1]} in {red[0]['name']}")
    if not found:
        return Verdict("broken", f"{red[0]['when']} of {red[0]['name']}: {_reason_of(red[0])}")
    return Verdict("red", _reason_of(found[0]), tuple(dict.fromkeys(test["name"] for test in found)))


def judge_part(run: Run, package: Path) -> Verdict:
    if (misfit := _misfit(run, package, (0,))) is not None:
        return misfit
    assert run.report is not None
    if run.report["crash"]:
        return Verdict("broken", _last_line(run.report["crash"]))
    violations: list[str] = run.report["violations"]
    if run.report["passed"]:
        return Verdict("green")
    if (miswritten := _MISWRITTEN.search("\n".join([*violations, run.logs]))) is not None:
        return Verdict("broken", f"{miswritten[1]} in the part")
    return Verdict("red", violations[0].strip().splitlines()[0][:300]) if violations else Verdict("broken", "no claim")


def _misfit(run: Run, package: Path, codes: tuple[int, ...]) -> Verdict | None:
    """A run that says nothing about the product in `package`."""
    if run.code is None:
        return Verdict("broken", "it took too long")
    if run.report is None or run.code not in codes:
        return Verdict("broken", f"ended with {run.code}: {_last_line(run.output)}")
    if Path(run.report["package"]) != package or not run.witnesses:
        return Verdict("broken", f"another product was tested: {run.report['package']}")
    return None


def _is_a_tests_reason(errors: list[dict[str, Any]], raises: tuple[str, ...]) -> bool:
    def counts(error: dict[str, Any]) -> bool:
        if error["text"].startswith(("Timeout", "serve ended with", "serve was not ready")):
            return False
        kinds = {"AssertionError", "Failed", *raises}
        return bool(kinds & set(error["kinds"])) or (error["sqlstate"] or "").startswith(_REFUSALS)

    return bool(errors) and all(counts(error) for error in errors)


def _reason_of(test: dict[str, Any]) -> str:
    if not test["errors"]:
        return "no error"
    error = test["errors"][0]
    first_line = (error["text"].strip().splitlines() or [""])[0]
    return f"{error['kinds'][0]}: {first_line}"[:300]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:300]


async def _run_tests(check: Tests, folder: Path, place: Path, witnesses: Path, seed: int) -> Run:
    report = place / "report.json"
    arguments = [
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "anyio", "-p", "pytest_timeout"),
        *("-p", "proof.mutants.witness", f"--basetemp={place / 'pytest'}"),
        # As a signal, so that fixtures still stop what they started.
        *(f"--timeout={TEST_SECONDS_MAX}", "-o", "timeout_method=signal"),
        *check.names,
    ]
    # Plugins that no test here needs take two seconds to import.
    extra = {"MUTANT_REPORT": str(report), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OVERBOOKR_TEST_SEED": str(seed)}
    code, output = await _run_python(arguments, folder, place, extra, _CHECK_SECONDS_MAX["tests"])
    return _read_run(code, output, report, witnesses, place)


async def _run_part(check: Part, folder: Path, place: Path, witnesses: Path, seed: int) -> Run:
    report = place / "report.json"
    arguments = ["-m", "proof.mutants.part_check", check.name, str(seed), str(place / "part"), str(report)]
    code, output = await _run_python(arguments, folder, place, {}, _CHECK_SECONDS_MAX["part"])
    return _read_run(code, output, report, witnesses, place)


def _read_run(code: int | None, output: str, report: Path, witnesses: Path, place: Path) -> Run:
    told = json.loads(report.read_text(encoding="utf-8")) if report.exists() else None
    seen = witnesses.read_text(encoding="utf-8").splitlines() if witnesses.exists() else []
    logs = "\n".join(log.read_text(errors="replace")[-200_000:] for log in place.rglob("serve.log"))
    return Run(code, told, output, seen, logs)


async def _run_python(
    arguments: list[str], folder: Path, place: Path, extra: dict[str, str], seconds_max: float
) -> tuple[int | None, str]:
    """Exit code, or None when it had to be stopped, and the end of what was printed."""
    ours = ("OVERBOOKR_", "PROMETHEUS_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = place / "output"
    with open(path, "wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=ROOT,
            env=kept | extra | {"PYTHONPATH": str(folder / "src")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    code: int | None = None
    try:
        code = await asyncio.wait_for(process.wait(), seconds_max)
    except TimeoutError:
        pass
    finally:
        await _end(process)
    return code, path.read_text(errors="replace")[-5_000:]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop it as Ctrl-C would, so that it stops its servers; kill its session only when it does not listen."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), _FAREWELL_SECONDS_MAX)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
