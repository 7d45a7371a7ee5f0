"""Percentiles, as everything that is told about times here has them."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], rank: float) -> float | None:
    """The smallest value that at least `rank` percent of all, in any order, are not above (nearest rank); None of
    nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * rank / 100) - 1)]
