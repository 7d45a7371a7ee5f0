"""Reports on a year of bookings."""

import http.client
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from bench.figures import MILLISECONDS
from bench.run import Bench
from bench.serving import Served, serve
from overbookr.demo.percentile import percentile

_DAYS: Final = (30, 366)
_REPORTS_MIN: Final = 3


async def measure_reports(bench: Bench) -> None:
    """One report after the other, as an organiser would ask for them. There are no duties beside them: what was made by
    SQL breaks laws, and looking for that is not what is measured."""
    async with bench.stage.lent("season"):
        with serve(bench.stage, OVERBOOKR_DUTIES="off") as served:
            for days in _DAYS:
                asked = await bench.beside(partial(_ask, bench, served, days))
                bench.add(
                    "analytics", "report", f"{days} days of {bench.choices.bookings:,} bookings, p50", "reports", asked,
                    measure=MILLISECONDS,
                )  # fmt: skip


def _ask(bench: Bench, served: Served, days: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    start = (now - timedelta(days=days) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"/analytics/total_bookings?from={start}&to={now.strftime('%Y-%m-%dT%H:%M:%SZ')}&top_n=10"
    headers = {"Authorization": f"Bearer {bench.stage.admin_token}"}
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=120)
    took: list[float] = []
    refusals: dict[str, int] = {}
    ends = time.perf_counter() + bench.seconds
    connection.request("GET", path, headers=headers)
    connection.getresponse().read()  # To warm up.
    while time.perf_counter() < ends or len(took) + sum(refusals.values()) < _REPORTS_MIN:
        started = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            took.append((time.perf_counter() - started) * 1000)
        else:
            refusals[str(answer.status)] = refusals.get(str(answer.status), 0) + 1
    connection.close()
    p50, p99 = percentile(took, 50), percentile(took, 99)
    return {
        "value": p50 or 0.0,
        "done": len(took),
        "refused": sum(refusals.values()),
        "refusals": refusals,
        "latency_ms": {"p50": p50, "p99": p99},
        "failed": [f"{times} answers {status}" for status, times in refusals.items()],
    }
