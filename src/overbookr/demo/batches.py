"""How large the server's batches were, read from its metrics before and after a sale."""

import re
from typing import Final

import msgspec

_LINE: Final = re.compile(
    r"^overbookr_batch_size_(?P<part>bucket|sum|count)\{(?P<labels>[^}]*)\}\s+(?P<value>[0-9.eE+]+)", re.MULTILINE
)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

# By batcher: the number of batches, of what was in them, and of batches by the bound of their bucket.
_Counts = tuple[float, float, dict[float, float]]


class BatchFigures(msgspec.Struct, frozen=True):
    """`half_up_to` and `largest_up_to` are bounds of the metric's buckets, so true sizes may be smaller."""

    name: str
    batches: int
    items: int
    mean: float
    half_up_to: float
    largest_up_to: float


def read_metrics(text: str) -> dict[str, _Counts]:
    """The part of the metrics that is about batches; nothing if there is none."""
    found: dict[str, _Counts] = {}
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"]))
        count, total, buckets = found.get(labels["batch"], (0.0, 0.0, {}))
        value = float(line["value"])
        match line["part"]:
            case "count":
                count += value
            case "sum":
                total += value
            case _:
                bound = float(labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + value
        found[labels["batch"]] = (count, total, buckets)
    return found


def compare_metrics(before: str, after: str) -> list[BatchFigures]:
    """The batches between two readings, by name."""
    earlier, later = read_metrics(before), read_metrics(after)
    figures = []
    for name, (count, total, buckets) in sorted(later.items()):
        count_before, total_before, buckets_before = earlier.get(name, (0.0, 0.0, {}))
        batches = count - count_before
        if batches <= 0:
            continue
        grown = {bound: value - buckets_before.get(bound, 0.0) for bound, value in sorted(buckets.items())}
        figures.append(
            BatchFigures(
                name=name,
                batches=int(batches),
                items=int(total - total_before),
                mean=(total - total_before) / batches,
                half_up_to=next((bound for bound, value in grown.items() if value >= batches / 2), 0.0),
                largest_up_to=next((bound for bound, value in grown.items() if value >= batches), 0.0),
            )
        )
    return figures
