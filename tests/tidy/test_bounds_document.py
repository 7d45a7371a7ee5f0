"""docs/operating.md says the bounds that limits.py has."""

import re
from pathlib import Path

from overbookr import limits

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
# Such as "64 KiB (`HEADERS_BYTES_MAX`)", with words between the figure and the name.
TOLD = re.compile(r"(?P<figure>\d[\d,]*(?:\.\d+)?)(?P<unit> [KM]iB)?(?P<words>[^\d(|`]*)\(`(?P<name>[A-Z][A-Z_]+)`")
FACTORS = {None: 1, " KiB": 2**10, " MiB": 2**20}


def test_the_bounds_are_current() -> None:
    told = {
        found["name"]: float(found["figure"].replace(",", "")) * FACTORS[found["unit"]]
        for found in TOLD.finditer(TEXT)
        if hasattr(limits, found["name"])
    }
    assert {"IN_FLIGHT_FLOOR", "REFUSAL_PAUSE_SECONDS_MIN", "HEADERS_BYTES_MAX", "CONNECTIONS_MAX"} <= told.keys()
    assert told == {name: getattr(limits, name) for name in told}
