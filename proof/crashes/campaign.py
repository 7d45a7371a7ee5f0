"""Faults at random moments, one after the other, while a crowd buys; and how long the house took to come back."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from proof.crashes.faults import Faults, NotHealed


@dataclass
class Campaign:
    """`wanted` says how often each fault is to break something, at least: it goes on until `enough` was sold as well.
    Between two faults the house is left alone for `pause_seconds_max` at most. `seconds` are those from a fault to a
    house that is whole and ready, by fault; for a process that was only stopped the stop is in them.
    """

    faults: Faults
    wanted: dict[str, int]
    chance: random.Random
    report: Callable[[str], None]
    enough: Callable[[], bool]
    pause_seconds_max: float
    done: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    failure: str | None = None

    async def run(self) -> None:
        """Until all is done and enough was sold, or the house has not come back by itself."""
        reported = time.monotonic()
        while True:
            missing = {name: count - self.done[name] for name, count in self.wanted.items() if self.done[name] < count}
            if not missing and self.enough():
                return
            drawn_from = missing or self.wanted
            name = self.chance.choices(list(drawn_from), list(drawn_from.values()))[0]
            await asyncio.sleep(self.chance.uniform(0, self.pause_seconds_max))
            began = time.monotonic()
            try:
                broken = await getattr(self.faults, name)()
            except NotHealed as error:
                self.failure = f"{name}: {error}"
                return
            self.done[name] += broken
            if broken:
                self.seconds.setdefault(name, []).append(time.monotonic() - began)
            if time.monotonic() - reported > 30:
                reported = time.monotonic()
                self.report(", ".join(f"{self.done[name]} {name}" for name in self.wanted))
