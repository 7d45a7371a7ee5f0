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
    taken for a figure. `yardstick` is the figure, by name and variant, whose median its own is divided by."""

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
        """Of every repetition, the least first; none of a figure that has failed."""
        return [] if self.failures else sorted(repetition["value"] for repetition in self.repetitions)


def as_json(figures: list[Figure]) -> list[dict[str, Any]]:
    """The figures with their least, middle and greatest values and their ratios; None of all of them where a
    repetition has failed."""
    middles = {figure.key: median(figure.values) for figure in figures if figure.values}
    told = []
    for figure in figures:
        values = figure.values
        middle = middles.get(figure.key)
        is_compared = figure.yardstick not in (None, figure.key)
        yardstick = middles.get(figure.yardstick) if figure.yardstick is not None and is_compared else None
        told.append(
            asdict(figure)
            | {
                "min": values[0] if values else None,
                "median": middle,
                "max": values[-1] if values else None,
                "ratio": middle / yardstick if middle is not None and yardstick else None,
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
