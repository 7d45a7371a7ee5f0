"""The duty that keeps reports fast: counts of sales that are pending become spans."""

from overbookr import limits
from overbookr.analytics.store import AnalyticsStore


class SalesFolder:
    """Reports are exact without it; what they read grows while it does not run."""

    name = "fold_sales"
    period_seconds = limits.FOLD_PERIOD_SECONDS

    def __init__(self, store: AnalyticsStore) -> None:
        self._store = store

    async def run_once(self) -> int:
        """How many rows were folded, when more may be due. Whatever comes in meanwhile can wait for the next period."""
        folded = await self._store.fold_sales(limits.FOLD_ROWS_PER_ROUND_MAX)
        return folded if folded == limits.FOLD_ROWS_PER_ROUND_MAX else 0
