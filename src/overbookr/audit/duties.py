"""The audit as a background duty: it looks, says and keeps what it sees, and changes nothing of it."""

import math
import time
from collections.abc import Callable

import structlog

from overbookr.audit.store import LAWS, AuditStore

log = structlog.get_logger(__name__)

_PERIOD_SECONDS = 60.0
# An audit of a large house takes seconds; it shall not be at it for more than a twentieth of the time.
_REST_PER_SECOND_OF_WORK = 20
# One that takes longer than this, or nobody knows how long, is put off while others take the processors, but not for
# ever.
_LONG_SECONDS = 1.0
_PUT_OFF_SECONDS_MAX = 900.0


class Reconciler:
    """Asks every law that holds under load, exports how often each is broken, and logs each row that breaks one.

    It repairs nothing: a difference that vanished by itself would never be understood. In a large house it reads for
    many seconds, which those who buy would pay for in the middle of an on-sale: see `is_busy`.
    """

    name = "reconciler"

    def __init__(
        self,
        store: AuditStore,
        *,
        user_seats_max: int,
        set_invariant_violations: Callable[[str, int], None],
        is_busy: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.period_seconds = _PERIOD_SECONDS
        self._is_busy = is_busy
        self._clock = clock
        self._took_seconds = math.inf
        self._ended_at = clock()
        self._store = store
        self._user_seats_max = user_seats_max
        self._set_invariant_violations = set_invariant_violations

    async def run_once(self) -> int:
        """Always 0: once a period is enough, whatever was found."""
        started = self._clock()
        is_long = self._took_seconds > _LONG_SECONDS
        if is_long and started - self._ended_at < _PUT_OFF_SECONDS_MAX and self._is_busy():
            self.period_seconds = _PERIOD_SECONDS
            return 0
        report = await self._store.check(self._user_seats_max, quiescent=False)
        for law in LAWS:
            self._set_invariant_violations(law, report.counts[law])
        for law, rows in report.violations.items():
            for row in rows:
                named = {f"row_{column}": value for column, value in row.items()}
                log.error("invariant_violated", law=law, rows=report.counts[law], **named)
        # After the metrics and the log, which have to be told whether or not it can be kept.
        await self._store.record(report)
        self._ended_at = self._clock()
        self._took_seconds = self._ended_at - started
        self.period_seconds = max(_PERIOD_SECONDS, self._took_seconds * _REST_PER_SECOND_OF_WORK)
        return 0
