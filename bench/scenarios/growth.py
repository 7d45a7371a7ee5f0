"""What each operation costs as the house grows, in one dimension at a time: one request after the other, while viewers
watch another event. The duties are off: the audit reads everything by its nature, and would be measured along."""

import asyncio
import http.client
import re
import time
import urllib.request
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any, Final
from uuid import UUID

import msgspec

from bench.figures import MILLISECONDS
from bench.grown import GROWTH, build_grown
from bench.run import Bench
from bench.scenarios.watching import watch_event
from bench.serving import Served
from bench.sizes import BOUND, ONCE, Point, points_of
from bench.viewers import Report

# What an operation reads or changes as a whole may cost more when there is more of it.
TOUCHED: Final[dict[str, tuple[str, ...]]] = {
    "availability": ("seats",),
    "chart": ("seats",),
    "place in the queue": ("waiters",),
    "change told to a viewer": ("viewers",),
}
_RATE: Final = 5.0
_TIMEOUT_SECONDS: Final = 30.0
_VIEWERS_SECONDS_MAX: Final = 300.0
_VIEWERS: Final = re.compile(rb"^overbookr_stream_viewers ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Cast:
    """Who asks for what: tokens by the user's id, bookings to be cancelled with their users, free seats in order."""

    sold_out: str
    on_sale: str
    buyers: list[str]
    joiners: list[str]
    last_waiter: str
    cancelled: list[tuple[str, str]]
    labels: list[str]


@dataclass
class Timed:
    """Milliseconds by operation, and the statuses that were not due."""

    took: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)


async def measure_growth(bench: Bench) -> None:
    for point in points_of(bench.choices.growth):
        if point.layout not in bench.stage.events:
            await bench.stage.build([(point.layout, build_grown(point))])
        async with bench.serving(point.layout, OVERBOOKR_DUTIES="off") as served:
            timed, report = await _measure_point(bench, point, served)
        _add(bench, point, timed, report)


def _add(bench: Bench, point: Point, timed: Timed, report: Report) -> None:
    failed = [f"{times} answers {what}" for what, times in timed.failed.items()]
    found = {name: (median(took), len(took)) for name, took in timed.took.items() if took}
    told = report.latency_ms["p50"]
    watched = [*report.broken, *([] if told is not None else ["no viewer was told anything"])]
    found["change told to a viewer"] = (told or 0.0, report.told)
    for name, (value, done) in found.items():
        is_free = point.dimension not in TOUCHED.get(name, ())
        repetition: dict[str, Any] = {
            "value": value,
            "done": done,
            "dimension": point.dimension,
            "factor": point.factor,
        }
        repetition["bound"] = BOUND if is_free else None
        repetition["failed"] = watched if name == "change told to a viewer" else failed
        bench.add("growth", name, point.variant, "operations", repetition, measure=MILLISECONDS, yardstick=(name, ONCE))


async def _measure_point(bench: Bench, point: Point, served: Served) -> tuple[Timed, Report]:
    sold_out, on_sale, watched = bench.stage.events[point.layout]
    cast = await _cast(bench, sold_out, on_sale)
    seconds, viewers = bench.choices.growth.watch_seconds, point.sizes["viewers"]
    watching = asyncio.ensure_future(watch_event(bench, served, watched, viewers, seconds, _RATE))
    try:
        await bench.beside(partial(_wait_for_viewers, served, viewers, watching))
        timed = await bench.beside(partial(_operate, served, cast))
        report, _ = await watching
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return timed, report


async def _cast(bench: Bench, sold_out: UUID, on_sale: UUID) -> Cast:
    operations, stage = bench.choices.growth.operations, bench.stage
    tokens = {user.user_id: token for user, token in zip(stage.users, stage.tokens, strict=True)}
    async with stage.connect() as connection:
        bookings = await connection.fetch(GROWTH.list_bookings, sold_out, operations)
        labels = await connection.fetch(GROWTH.list_labels, on_sale, 2 * operations)
        last = await connection.fetchval(GROWTH.last_waiter, sold_out)
    half = len(stage.tokens) // 2
    return Cast(
        sold_out=str(sold_out),
        on_sale=str(on_sale),
        buyers=stage.tokens[half - 2 * operations : half - operations],
        joiners=stage.tokens[half - operations : half],
        last_waiter=tokens[last],
        cancelled=[(str(row["booking_id"]), tokens[row["user_id"]]) for row in bookings],
        labels=[row["seat_no"] for row in labels],
    )


def _wait_for_viewers(served: Served, viewers: int, watching: "asyncio.Future[Any]") -> None:
    deadline = time.perf_counter() + _VIEWERS_SECONDS_MAX
    while time.perf_counter() < deadline and not watching.done():
        with urllib.request.urlopen(f"{served.url}/metrics", timeout=10) as answer:
            found = _VIEWERS.search(answer.read())
        if found is not None and float(found[1]) >= viewers:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{viewers} viewers did not come")


def _operate(served: Served, cast: Cast) -> Timed:
    """Each operation as often as there are buyers, one after the other."""
    timed = Timed()
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=_TIMEOUT_SECONDS)
    ask = partial(_ask, connection, timed)
    for place, token in enumerate(cast.buyers):
        wanted = {"event_id": cast.on_sale, "seat_nos": cast.labels[2 * place : 2 * place + 2]}
        held = ask("hold", 201, "POST", "/holds", token, wanted)
        if held is not None:
            booking = {"event_id": cast.on_sale, "hold_token": held["hold_token"]}
            ask("book", 201, "POST", "/bookings", token, booking)
    # As long as the last waiter waits.
    for _ in cast.buyers:
        ask("place in the queue", 200, "GET", f"/events/{cast.sold_out}/waitlist/me", cast.last_waiter)
    for token in cast.joiners:
        ask("join the waitlist", 202, "POST", f"/events/{cast.sold_out}/waitlist", token, {"requested_seats": 2})
    for booking_id, token in cast.cancelled:
        ask("cancel and promote", 200, "DELETE", f"/bookings/{booking_id}", token)
    for _ in cast.buyers:
        ask("availability", 200, "GET", f"/events/{cast.on_sale}/availability?form=compact", None)
        ask("chart", 200, "GET", f"/events/{cast.on_sale}/chart", None)
    connection.close()
    took = timed.took
    took["hold and book"] = [hold + book for hold, book in zip(took["hold"], took.get("book", []), strict=False)]
    return timed


def _ask(
    connection: http.client.HTTPConnection,
    timed: Timed,
    name: str,
    due: int,
    method: str,
    path: str,
    token: str | None,
    body: Any = None,
) -> Any:
    """The answer's content if it has the status that is due; how long it took to come is kept then."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    content = None
    if body is not None:
        content, headers["Content-Type"] = msgspec.json.encode(body), "application/json"
    if method == "POST" and name == "book":
        headers["Idempotency-Key"] = f"key-{body['hold_token']}"
    started = time.perf_counter()
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    received = answer.read()
    took = (time.perf_counter() - started) * 1000
    if answer.status != due:
        what = f"{answer.status} to {name}"
        timed.failed[what] = timed.failed.get(what, 0) + 1
        return None
    timed.took.setdefault(name, []).append(took)
    return msgspec.json.decode(received) if name == "hold" else received
