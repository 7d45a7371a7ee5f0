"""Selling: holds, holds that are booked, everybody after the same seats, and bookings asked for once more."""

import random
from functools import partial
from typing import Any, Final

from bench import classic, in_process, wrk
from bench.layouts import REPLAYED
from bench.requests import request, write_requests
from bench.run import LAYOUT_NAMES, Bench
from bench.stage import GRIDS, seats_of

_UNITS: Final = {"hold": "holds", "flow": "bookings"}
_WARM_UP_SECONDS: Final = 1
# How many seats everybody fights for, and how many different requests do so, again and again.
_FOUGHT_SEATS: Final = 100
_FIGHTERS: Final = 10_000


def served_name(kind: str) -> str:
    return {"hold": "hold over HTTP", "flow": "hold and book over HTTP"}[kind]


async def measure_holds(bench: Bench) -> None:
    for layout in ("one", "fifty"):
        await _measure(bench, "hold", layout)


async def measure_flows(bench: Bench) -> None:
    for layout in GRIDS:
        await _measure(bench, "flow", layout)


async def _measure(bench: Bench, kind: str, layout: str) -> None:
    """The same by pgbench, by the write path alone, and over HTTP."""
    variant, unit = LAYOUT_NAMES[layout], _UNITS[kind]
    words = {"hold": "hold", "flow": "hold and book"}[kind]
    yardstick = (f"{words} by pgbench", variant)
    add = partial(bench.add, kind, variant=variant, unit=unit, yardstick=yardstick)
    add(name=yardstick[0], repetition=await classic.measure(bench.stage, kind, layout, bench.seconds))
    alone = await in_process.measure(bench.stage, kind, layout, bench.seconds, wrk.CONNECTIONS)
    add(name=f"{words} without HTTP", repetition=await bench.audited(alone))
    async with bench.serving(layout) as served:
        await bench.beside(partial(wrk.sell_stage, bench.stage, served, kind, layout, _WARM_UP_SECONDS, warm_up=True))
        sold = await bench.beside(partial(wrk.sell_stage, bench.stage, served, kind, layout, bench.seconds))
    add(name=served_name(kind), repetition=await bench.audited(sold))


async def measure_fight(bench: Bench) -> None:
    """Everybody wants two of the same hundred seats of one event: a few get them, all others are told that they are
    taken. What counts is how many are told anything."""
    stage, event_id = bench.stage, bench.stage.events["one"][0]
    fought_over = [stage.turnout.visit(number, 1)[2] for number in range(_FOUGHT_SEATS // 2)]
    seats = [label for pair in fought_over for label in seats_of(pair)]
    chance = random.Random(1)
    path = stage.folder / "requests-fight"
    write_requests(
        path,
        (
            request("POST", "/holds", stage.tokens[user], {"event_id": event_id, "seat_nos": chance.sample(seats, 2)})
            for user in (number % stage.turnout.users for number in range(_FIGHTERS))
        ),
    )
    async with bench.serving("one") as served:
        await bench.beside(partial(wrk.sell_stage, stage, served, "hold", "one", _WARM_UP_SECONDS, warm_up=True))
        fought = await bench.beside(
            partial(wrk.send, served, path, seconds=bench.seconds, succeeded={"201"}, span=(0, _FIGHTERS), again=True)
        )
    fought["value"] = fought["answered_per_second"]
    if not 0 < fought["done"] <= _FOUGHT_SEATS // 2:
        fought["failed"].append(f"{fought['done']} holds of two seats were had of {_FOUGHT_SEATS} seats")
    fought |= _cost_of_answers(fought)
    bench.add("fight", "fight for the same 100 seats", "1 event", "answers", await bench.audited(fought))


async def measure_replays(bench: Bench) -> None:
    """Bookings that were made before, asked for again with their keys."""
    path, known = bench.stage.folder / "requests-booked", {"200 replayed", "201 replayed"}
    send = partial(wrk.send, requests=path, succeeded=known, span=(0, REPLAYED), again=True)
    async with bench.serving("booked") as served:
        await bench.beside(partial(send, served, seconds=_WARM_UP_SECONDS))
        replayed = await bench.beside(partial(send, served, seconds=bench.seconds))
    bench.add("replay", "replay of an idempotency key", "1 event", "replays", await bench.audited(replayed))


def _cost_of_answers(fought: dict[str, Any]) -> dict[str, Any]:
    """Of what costs are shared among: here every answer, not only the few successes."""
    return {"had": fought["done"], "done": fought["done"] + fought["refused"]}
