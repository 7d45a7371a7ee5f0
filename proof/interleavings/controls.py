"""Products broken on purpose. The same schedules must find each out, or they prove nothing about the whole one."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from structlog.testing import capture_logs

from proof.interleavings.exploration import Bound
from proof.interleavings.instrument import Rewrite
from proof.interleavings.stage import open_theatre
from proof.interleavings.trial import Trial, try_all
from proof.part import Circumstances
from tests.house.postgres import PostgresServer

_BOUND: Final = Bound(preemptions=2, schedules=60)


class Control(NamedTuple):
    """`pairs`: by pair, the count of a trial that must not be 0."""

    says: str
    rewrite: Rewrite
    pairs: Mapping[tuple[str, str], str]


CONTROLS: Final = (
    Control(
        "Without the event's lock the schedules find it out",
        {"lock_events": [(" for no key update", "")]},
        {
            ("hold", "hold"): "unmapped",
            ("release", "book"): "unserial",
            ("book", "book"): "unserial",
            ("cancel", "promote"): "unserial",
            ("cancel", "add"): "unmapped",
            ("block", "reconcile"): "unlawful",
        },
    ),
    Control(
        "With a lock that the sessions share the schedules find deadlocks",
        {"lock_events": [("for no key update", "for share")]},
        {("hold", "hold"): "deadlocks", ("cancel", "add"): "deadlocks"},
    ),
    Control(
        "With a decision made before the lock is had the schedules find it out",
        {
            "block_seats_v1": [
                ("v_at timestamptz := lock_events(array[p_event_id]);", "v_at timestamptz := clock_timestamp();"),
                (
                    "  if v_missing is not null then",
                    "  v_at := lock_events(array[p_event_id]);\n  if v_missing is not null then",
                ),
            ]
        },
        {("hold", "block"): "unserial", ("block", "block"): "unmapped"},
    ),
)


async def try_control(server: PostgresServer, control: Control, given: Circumstances) -> list[Trial]:
    """A trial a pair, each up to the first schedule that shows the defect."""
    trials = []
    # The product logs what it meets here, as it should.
    with capture_logs():
        async with open_theatre(server, rewrite=control.rewrite) as theatre:
            for names, shows in control.pairs.items():
                chance = given.random(f"{control.says} {names}")
                trials.append(await try_all(theatre, names, queue=False, bound=_BOUND, chance=chance, until=shows))
    return trials
