"""Audits: which laws of the house the data breaks, and what could be done about it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

# As many rows of a law as a report names; it counts them all.
ROWS_PER_LAW_MAX = 100
# As many findings are kept, each of which may stand for years of audits.
FINDINGS_MAX = 200


class AuditReport(msgspec.Struct, frozen=True):
    """What one snapshot of the database says about the laws.

    `violations` has only laws that are broken: by name, the first hundred rows that break it, each with its `event_id`,
    None where the row is of no single event.
    `counts` has every law that was asked: by name, how many rows break it. `population` says how much was looked at, by
    table. `event_ids` are all events of all violating rows.
    """

    at: datetime
    seconds: float
    violations: dict[str, list[dict[str, Any]]]
    counts: dict[str, int]
    population: dict[str, int]
    event_ids: frozenset[UUID]

    @property
    def is_clean(self) -> bool:
        return not self.violations

    @property
    def total(self) -> int:
        """All rows that break a law."""
        return sum(self.counts.values())


class Finding(msgspec.Struct, frozen=True):
    """What audits in a row found alike, the first at `first_at`, the last at `last_at`, `times` in all.

    The rest is of the last. `counts` has every law that was asked and how many rows break it; `findings` only those
    that are broken, with the first hundred rows of each.
    """

    id: UUID
    first_at: datetime
    last_at: datetime
    times: int
    seconds: float
    population: dict[str, int]
    counts: dict[str, int]
    findings: dict[str, list[dict[str, Any]]]


class RepairStep(msgspec.Struct, frozen=True):
    """One difference at one event, or (`event_id` None) in what is kept of all events together.

    Where `is_repairable`, `kind` is what is done (`set_seat`, `set_booked_count`, `end_hold` ...); else it is what is
    wrong (`seat_is_sold_twice` ...), and only people can decide. `parameters` has what the kind needs.
    """

    event_id: UUID | None
    kind: str
    is_repairable: bool
    description: str
    parameters: dict[str, Any]


class RepairPlan(msgspec.Struct, frozen=True):
    """`steps` are (to be) carried out, `left` is for people."""

    steps: list[RepairStep]
    left: list[RepairStep]

    @property
    def is_empty(self) -> bool:
        return not self.steps and not self.left


def plan_of(steps: list[RepairStep]) -> RepairPlan:
    return RepairPlan(
        [step for step in steps if step.is_repairable], [step for step in steps if not step.is_repairable]
    )
