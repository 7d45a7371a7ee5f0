"""Checks a recorded history again: `python -m proof.history FOLDER`."""

import sys
from pathlib import Path

from proof.history.recording import check_history


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    verdict = check_history(Path(sys.argv[1]))
    for name, count in sorted(verdict.counts.items()):
        print(f"{count:>10} {name}")
    for name, why in verdict.violations[:100]:
        print(f"VIOLATION {name}: {why}")
    print(f"{len(verdict.violations)} violations")
    return 1 if verdict.violations or not verdict.counts["operations"] else 0


sys.exit(main())
