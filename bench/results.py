"""Where the results of the latest run are."""

from typing import Final

from bench.stage import HERE

LATEST: Final = HERE / "results" / "latest.json"
