"""Where the results of the latest runs are: of whole ones, which the page is made of, and of all others."""

from typing import Final

from bench.stage import HERE

LATEST: Final = HERE / "results" / "latest.json"
PARTIAL: Final = HERE / "results" / "partial.json"
