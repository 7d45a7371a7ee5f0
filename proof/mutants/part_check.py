"""Runs one part of the proof at its small size and writes its finding where it is told, and nowhere else."""

import asyncio
import importlib
import sys
import traceback
from pathlib import Path

import overbookr
from proof.part import Circumstances, Finding, Prove, as_json


def run(part: str, seed: int, folder: Path, report: Path) -> None:
    prove: Prove = importlib.import_module(f"proof.{part}.prove").prove
    folder.mkdir()
    crash = None
    try:
        finding = asyncio.run(prove(Circumstances("small", seed, folder, print)))
    except Exception:
        finding, crash = Finding(), traceback.format_exc()
    told = {"package": str(Path(overbookr.__file__).parent), "crash": crash, "passed": finding.passed}
    broken = [f"{claim.says}: {claim.measured}" for claim in finding.claims if not claim.held]
    report.write_text(as_json(told | {"violations": [*finding.violations, *broken]}), encoding="utf-8")


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
