"""docs/outcomes.md says what the code says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from overbookr.http.problem import CATALOGUE

PROJECT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| (\d{3}) \| `(\w+)` \| (.+?) \| ", (PROJECT / "docs" / "outcomes.md").read_text(), re.MULTILINE)
RESERVED = {code for _, code, meaning in ROWS if meaning.startswith("Reserved;")}


def test_the_document_is_current() -> None:
    script = PROJECT / "scripts" / "list_outcomes.py"
    answer = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_every_code_is_listed_with_its_status() -> None:
    assert {code: int(status) for status, code, _ in ROWS} == {code: kind.status for code, kind in CATALOGUE.items()}


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_code_is_sent_unless_the_document_says_that_it_is_reserved(code: str) -> None:
    source = PROJECT / "src" / "overbookr"
    files = [path for path in source.rglob("*") if path.suffix in (".py", ".sql") and path.name != "problem.py"]
    quoted = re.compile(rf"""["']{code}["']""")
    # The demonstration and the audit only read codes.
    senders = [path for path in files if path.relative_to(source).parts[0] not in ("demo", "audit")]
    is_sent = any(quoted.search(path.read_text(encoding="utf-8")) for path in senders)
    assert is_sent == (code not in RESERVED)
