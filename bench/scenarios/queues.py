"""The waitlist: joining it, and cancellations that serve it."""

from functools import partial

from bench import wrk
from bench.layouts import FULL_EVENTS
from bench.run import Bench
from bench.stage import QUERIES

_WARM_UP_SECONDS = 1
_WARM_UP_SHARE = 10


async def measure_joins(bench: Bench) -> None:
    """Users join the queues of sold out events, one event after the other; the last event is for warming up."""
    each = bench.stage.turnout.users - 1
    warm_up, span = ((FULL_EVENTS - 1) * each, FULL_EVENTS * each), (0, (FULL_EVENTS - 1) * each)
    send = partial(wrk.send, requests=bench.stage.folder / "requests-full", succeeded={"202"})
    async with bench.serving("full") as served:
        await bench.beside(partial(send, served, seconds=_WARM_UP_SECONDS, span=warm_up))
        joined = await bench.beside(partial(send, served, seconds=bench.seconds, span=span))
    bench.add("waitlist", "join the waitlist", "1 event at a time", "joins", await bench.audited(joined))


async def measure_churn(bench: Bench) -> None:
    """Bookings of a sold out event are cancelled, each in one transaction with the promotion of whoever is next."""
    bookings = bench.stage.turnout.users
    send = partial(wrk.send, requests=bench.stage.folder / "requests-churn", succeeded={"200"})
    async with bench.serving("churn") as served:
        before = await bench.beside(
            partial(send, served, seconds=_WARM_UP_SECONDS, span=(0, bookings // _WARM_UP_SHARE))
        )
        cancelled = await bench.beside(
            partial(send, served, seconds=bench.seconds, span=(bookings // _WARM_UP_SHARE, bookings))
        )
    async with bench.stage.connect() as connection:
        promoted = await connection.fetchval(QUERIES.count_promoted)
    expected = before["done"] + cancelled["done"]
    if promoted < expected:
        cancelled["failed"].append(f"{expected} bookings were cancelled and {promoted} waiters promoted")
    cancelled["promoted"] = promoted
    bench.add("churn", "cancel and promote", "1 event", "cancellations", await bench.audited(cancelled))
