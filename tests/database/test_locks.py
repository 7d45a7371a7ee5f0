"""Locks between processes end with the process that took them, whoever it has forked meanwhile."""

import subprocess
import sys
from pathlib import Path

FORKING = """
import os, sys
from pathlib import Path
from overbookr.database.locks import close_lock, open_lock, try_lock

path = Path(sys.argv[1])
lock = open_lock(path)
assert try_lock(lock)
waits, ends = os.pipe()
hears, tells = os.pipe()
child = os.fork()
if child == 0:
    os.close(ends)
    os.write(tells, b"!")
    os.read(waits, 1)
    os._exit(0)
os.read(hears, 1)
close_lock(lock)
again = open_lock(path)
print("free" if try_lock(again) else "taken by a child that knows nothing of it")
os.close(ends)
os.waitpid(child, 0)
"""


def test_a_forked_child_keeps_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKING, str(tmp_path / "decision.lock")]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert said == "free\n"
