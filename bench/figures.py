"""What was measured: figures, each a few times, and how they compare."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

PER_SECOND: Final = "a second"
MILLISECONDS: Final = "ms"
KILOBYTES: Final = "kB"


@dataclass(slots=True)
class Figure:
    """One thing that was measured. A repetition's headline is its `value`, in `unit`; `failed` says why it must not be
    taken for a figure. `yardstick` is the figure, by name and variant, that it is compared with."""

    scenario: str
    name: str
    variant: str
    unit: str
    measure: str = PER_SECOND
    yardstick: tuple[str, str] | None = None
    repetitions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.variant

    @property
    def failures(self) -> list[str]:
        return sorted({reason for repetition in self.repetitions for reason in repetition.get("failed", ())})

    @property
    def missed(self) -> list[str]:
        """Goals that a repetition has not reached; its figures are true nonetheless."""
        return sorted({goal for repetition in self.repetitions for goal in repetition.get("missed", ())})

    @property
    def values(self) -> list[float]:
        """Of every repetition, the first first; none of a figure that has failed."""
        return [] if self.failures else [repetition["value"] for repetition in self.repetitions]


def ratio_of(values: list[float], others: list[float]) -> float | None:
    """How many times the others: the middle one of what the rounds say, each with what was measured in the same round,
    since the speed of a machine drifts from round to round; of the middle values where the rounds are not the same."""
    if not values or not others or not all(others):
        return None
    if len(values) == len(others):
        return median(value / other for value, other in zip(values, others, strict=True))
    return median(values) / median(others)


def as_json(figures: list[Figure]) -> list[dict[str, Any]]:
    """The figures with their least, middle and greatest values and their ratios; None of all of them where a
    repetition has failed."""
    found = {figure.key: figure.values for figure in figures}
    told = []
    for figure in figures:
        values = figure.values
        is_compared = figure.yardstick is not None and figure.yardstick != figure.key
        others = found.get(figure.yardstick, []) if figure.yardstick is not None and is_compared else []
        told.append(
            asdict(figure)
            | {
                "min": min(values, default=None),
                "median": median(values) if values else None,
                "max": max(values, default=None),
                "ratio": ratio_of(values, others),
                "failed": figure.failures,
                "missed": figure.missed,
            }
        )
    return told


def mean_of(figure: dict[str, Any], *path: str) -> float | None:
    """The mean over a figure's repetitions of a number inside of them, None where it was not measured."""
    found = []
    for repetition in figure["repetitions"]:
        value: Any = repetition
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            found.append(value)
    return sum(found) / len(found) if found else None
