"""Runs the parts of the proof one after the other and writes down what they found."""

import asyncio
import importlib
import logging
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cyclopts

from proof.part import Circumstances, Finding, Prove, Size, as_json

# In this order: what takes least and says most comes first.
PARTS: Final = (
    "laws",
    "interleavings",
    "model",
    "fuzz",
    "clock",
    "history",
    "crashes",
    "restarts",
    "overload",
    "rude",
    "restore",
    "mutants",
)
RESULTS: Final = Path(__file__).parent / "results"

app = cyclopts.App(name="python -m proof", help=__doc__)


@app.default
def run(*parts: str, size: Size = "small", seed: int | None = None, keep: bool = False) -> None:
    """Run these parts, or all of them. Exits with 1 unless every claim held.

    Parameters
    ----------
    parts: their names, as listed in the documentation; all of them when none is given.
    size: small takes minutes, full takes hours.
    seed: of everything that is left to chance; drawn and printed when not given.
    keep: leave the folder with servers' logs and recorded histories behind.
    """
    # The parts break databases on purpose; what asyncpg has to say about that is no news.
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    seed = secrets.randbelow(2**32) if seed is None else seed
    print(f"proof: size {size}, seed {seed}", flush=True)
    root = Path(tempfile.mkdtemp(prefix="overbookr-proof-"))
    failed = []
    try:
        for part in parts or PARTS:
            entry = _run_part(part, size, seed, root / part)
            folder = RESULTS / size
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{part}.json").write_text(as_json(entry))
            if not entry["passed"]:
                failed.append(part)
    finally:
        if keep or failed:
            print(f"proof: logs and histories are in {root}")
        else:
            shutil.rmtree(root)
    print(f"proof: failed: {', '.join(failed)} (seed {seed})" if failed else f"proof: everything held (seed {seed})")
    sys.exit(1 if failed else 0)


def _run_part(part: str, size: Size, seed: int, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    prove: Prove = importlib.import_module(f"proof.{part}.prove").prove
    print(f"\n== {part}", flush=True)
    began, started_at = time.monotonic(), datetime.now(UTC)
    try:
        finding = asyncio.run(prove(Circumstances(size, seed, folder, _report)))
    except Exception:
        finding = Finding(violations=[traceback.format_exc()])
    seconds = time.monotonic() - began
    for claim in finding.claims:
        print(f"  {'held  ' if claim.held else 'BROKEN'} {claim.says}: {claim.measured}")
    for violation in finding.violations[:20]:
        print(f"  VIOLATION {violation}")
    for untested in finding.untested:
        print(f"  not tested: {untested}")
    print(f"  {part}: {seconds:.1f} s", flush=True)
    return {
        "part": part,
        "size": size,
        "seed": seed,
        "passed": finding.passed,
        "seconds": round(seconds, 1),
        "started_at": started_at.isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": _machine(),
        "finding": finding,
    }


def _report(line: str) -> None:
    print(f"  {line}", flush=True)


def _commit() -> str:
    """The commit that was proved; with a + when files differed from it."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    app()
