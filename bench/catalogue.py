"""The scenarios there are, in the order in which they are measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench import layouts
from bench.run import Choices, Measure
from bench.scenarios import floors, latency, peer, queues, reads, reports, sales, watching
from bench.stage import GRIDS, Builder


@dataclass(frozen=True)
class Scenario:
    """`needs` are the layouts to be built for it; those of `pgbench` are built for the yardstick too."""

    says: str
    measure: Measure
    needs: tuple[str, ...]
    pgbench: tuple[str, ...] = ()


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "hold": Scenario(
        "Holds of two seats that nobody else wants", sales.measure_holds, ("one", "fifty"), ("one", "fifty")
    ),
    "flow": Scenario("Holds of two seats, each booked then", sales.measure_flows, tuple(GRIDS), tuple(GRIDS)),
    "fight": Scenario("Everybody wants the same hundred seats", sales.measure_fight, ("one",)),
    "replay": Scenario("Bookings asked for again with their keys", sales.measure_replays, ("booked",)),
    "waitlist": Scenario("Users join queues", queues.measure_joins, ("full",)),
    "churn": Scenario("Cancellations, each of which promotes a waiter", queues.measure_churn, ("churn",)),
    "latency": Scenario("How long a hold takes, counted from when it was due", latency.measure_latency, ("venue",)),
    "floors": Scenario("What the server stack can do at most", floors.measure_floors, ("one",)),
    "maps": Scenario("Maps of halls, 30 percent sold", reads.measure_maps, ("halls",)),
    "lists": Scenario("Lists of seats and of events", reads.measure_lists, ("halls", "fifty")),
    "login": Scenario("Logins, each of which hashes a password", reads.measure_logins, ("fifty",)),
    "watching": Scenario("Viewers of a stream while seats change", watching.measure_viewers, ("halls",)),
    "analytics": Scenario("Reports on a year of bookings", reports.measure_reports, ("season",)),
    "peer": Scenario("Another server that speaks the same API", peer.measure_peer, ()),
}


def builder_of(layout: str, choices: Choices) -> Builder:
    if layout in GRIDS:
        return layouts.build_grid
    builders: dict[str, Builder] = {
        "booked": layouts.build_booked,
        "full": layouts.build_full,
        "churn": layouts.build_churn,
        "halls": layouts.build_halls(choices.halls),
        "venue": latency.build_venue(choices.seconds),
        "season": layouts.build_season(choices.bookings),
    }
    return builders[layout]
