"""What the server stack can do at most: HTTP with JSON that decides nothing, and a request that asks for nothing."""

from functools import partial

from bench import wrk
from bench.run import Bench
from bench.scenarios.sales import served_name
from bench.serving import serve_bare

_WARM_UP_SECONDS = 1


async def measure_floors(bench: Bench) -> None:
    yardstick = (served_name("hold"), "1 event")
    with serve_bare(bench.stage) as served:
        sell = partial(wrk.sell_stage, bench.stage, served, "hold", "one")
        await bench.beside(partial(sell, _WARM_UP_SECONDS, warm_up=True))
        answered = await bench.beside(partial(sell, bench.seconds))
    bench.add("floors", "granian with the same JSON", "decides nothing", "answers", answered, yardstick=yardstick)
    async with bench.serving("one") as served:
        await bench.beside(partial(wrk.repeat, served, "/healthz", seconds=_WARM_UP_SECONDS))
        knocked = await bench.beside(partial(wrk.repeat, served, "/healthz", seconds=bench.seconds))
    if knocked["refused"]:
        knocked["failed"].append(f"{knocked['refused']} refusals")
    bench.add("floors", "GET /healthz of Overbookr", "asks for nothing", "answers", knocked, yardstick=yardstick)
