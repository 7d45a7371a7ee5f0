"""How large a house is once, and what it is when one thing of it is many times as large."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

ONCE: Final = "1x"
# What an operation may cost of anything that it does not itself read or change, beside what it costs once.
BOUND: Final = 1.5
DIMENSIONS: Final = {
    "events": "events",
    "seats": "seats of the event",
    "bookings": "bookings in the database",
    "waiters": "people in the queue",
    "viewers": "viewers of a stream",
}


@dataclass(frozen=True)
class Sizes:
    """How large everything is once, and how much larger one thing at a time becomes. `operations` are timed of each
    kind, while `watch_seconds` of changes are told to viewers; `rounds` is how often all of that is done."""

    once: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIMENSIONS, 1))
    factors: tuple[int, ...] = (10,)
    operations: int = 20
    watch_seconds: int = 3
    rounds: int = 1


SMALL: Final = Sizes({"events": 10, "seats": 200, "bookings": 1_000, "waiters": 20, "viewers": 5})
FULL: Final = Sizes(
    {"events": 10, "seats": 500, "bookings": 20_000, "waiters": 100, "viewers": 20},
    (10, 100), operations=100, watch_seconds=8, rounds=3,
)  # fmt: skip


@dataclass(frozen=True)
class Soak:
    """How many stretches of how many seconds the same events are on sale, after one more that is not counted."""

    count: int
    seconds_each: int


SMALL_SOAK: Final = Soak(4, 4)
FULL_SOAK: Final = Soak(30, 60)


@dataclass(frozen=True)
class Point:
    """A house: `sizes` by dimension, of which `dimension` is `factor` times what it is once."""

    dimension: str
    factor: int
    sizes: dict[str, int]

    @property
    def variant(self) -> str:
        return ONCE if self.factor == 1 else f"{self.factor} times the {DIMENSIONS[self.dimension]}"

    @property
    def layout(self) -> str:
        return f"grown_{self.dimension}_{self.factor}"


def points_of(sizes: Sizes) -> Iterator[Point]:
    """The house as it is once, then grown in each dimension by each factor."""
    yield Point("nothing", 1, sizes.once)
    for dimension in DIMENSIONS:
        for factor in sizes.factors:
            yield Point(dimension, factor, sizes.once | {dimension: sizes.once[dimension] * factor})
