"""The audit as a background duty: it looks, says what it sees, and changes nothing."""

import time
from collections.abc import Callable

import structlog

from overbookr.audit.store import LAWS, AuditStore

log = structlog.get_logger(__name__)

_PERIOD_SECONDS = 60.0
# An audit of a large house takes seconds; it shall not be at it for more than a twentieth of the time.
_REST_PER_SECOND_OF_WORK = 20


class Reconciler:
    """Asks every law that holds under load, exports how often each is broken, and logs each row that breaks one.

    It repairs nothing: a difference that vanished by itself would never be understood.
    """

    name = "reconciler"

    def __init__(
        self, store: AuditStore, *, user_seats_max: int, set_invariant_violations: Callable[[str, int], None]
    ) -> None:
        self.period_seconds = _PERIOD_SECONDS
        self._store = store
        self._user_seats_max = user_seats_max
        self._set_invariant_violations = set_invariant_violations

    async def run_once(self) -> int:
        """Always 0: once a period is enough, whatever was found."""
        started = time.monotonic()
        report = await self._store.check(self._user_seats_max, quiescent=False)
        for law in LAWS:
            self._set_invariant_violations(law, report.counts[law])
        for law, rows in report.violations.items():
            for row in rows:
                named = {f"row_{column}": value for column, value in row.items()}
                log.error("invariant_violated", law=law, rows=report.counts[law], **named)
        self.period_seconds = max(_PERIOD_SECONDS, (time.monotonic() - started) * _REST_PER_SECOND_OF_WORK)
        return 0
