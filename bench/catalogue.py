"""The scenarios there are, in the order in which they are measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench import layouts
from bench.run import Bench, Choices, Measure
from bench.scenarios import floors, growth, latency, pages, peer, queues, reads, reports, sales, soak, watching
from bench.stage import GRIDS, Builder


@dataclass(frozen=True)
class Scenario:
    """`needs` are the layouts to be built for it; those of `pgbench` are built for the yardstick too. `rounds_max` is
    for what takes long and has its repetitions inside. `minutes` is about how long a round takes at full size on two
    cores, layouts not counted, for a run in slices."""

    says: str
    measure: Measure
    needs: tuple[str, ...]
    minutes: float
    pgbench: tuple[str, ...] = ()
    rounds_max: Callable[[Choices], int] = lambda choices: choices.repetitions

    async def build(self, bench: Bench) -> None:
        """Make the layouts that are not there yet."""
        stage = bench.stage
        for layout in self.needs:
            if layout not in stage.events:
                bench.say(f"  building {layout} ...")
                await stage.build([(layout, builder_of(layout, bench.choices))])
        for layout in self.pgbench:
            if not await stage.has_yardstick(layout):
                await stage.build_yardstick(layout)


def _grown(choices: Choices) -> int:
    return min(choices.repetitions, choices.growth.rounds)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "hold": Scenario(
        "Holds of two seats that nobody else wants", sales.measure_holds, ("one", "fifty"), 2, ("one", "fifty")
    ),
    "flow": Scenario("Holds of two seats, each booked then", sales.measure_flows, tuple(GRIDS), 3, tuple(GRIDS)),
    "fight": Scenario("Everybody wants the same hundred seats", sales.measure_fight, ("one",), 0.6),
    "replay": Scenario("Bookings asked for again with their keys", sales.measure_replays, ("booked",), 0.6),
    "waitlist": Scenario("Users join queues", queues.measure_joins, ("full",), 0.6),
    "churn": Scenario("Cancellations, each of which promotes a waiter", queues.measure_churn, ("churn",), 0.6),
    "latency": Scenario("How long a hold takes, counted from when it was due", latency.measure_latency, ("venue",), 1),
    "floors": Scenario("What the server stack can do at most", floors.measure_floors, ("one",), 0.7),
    "maps": Scenario("Maps of halls, 30 percent sold", reads.measure_maps, ("halls",), 8),
    "lists": Scenario("Lists of seats and of events", reads.measure_lists, ("halls", "fifty"), 1.4),
    "login": Scenario("Logins, each of which hashes a password", reads.measure_logins, ("fifty",), 0.5),
    "watching": Scenario("Viewers of a stream while seats change", watching.measure_viewers, ("halls",), 4.5),
    "pages": Scenario("The visitors' pages in a browser", pages.measure_pages, ("halls",), 4),
    "analytics": Scenario("Reports on a year of bookings", reports.measure_reports, ("season",), 0.8),
    "growth": Scenario("What an operation costs as the house grows", growth.measure_growth, (), 6, rounds_max=_grown),
    "soak": Scenario("The same events for a long time", soak.measure_soak, ("soak",), 32, rounds_max=lambda _: 1),
    "peer": Scenario("Another server that speaks the same API", peer.measure_peer, (), 2.5),
}


def builder_of(layout: str, choices: Choices) -> Builder:
    if layout in GRIDS:
        return layouts.build_grid
    builders: dict[str, Builder] = {
        "booked": layouts.build_booked,
        "full": layouts.build_full,
        "churn": layouts.build_churn,
        "soak": layouts.build_soak(soak.PAIRS),
        "halls": layouts.build_halls(choices.halls),
        "venue": latency.build_venue(choices.seconds),
        "season": layouts.build_season(choices.bookings),
    }
    return builders[layout]
