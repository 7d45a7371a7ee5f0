"""Percentiles by nearest rank: each is a value that was measured."""

import random
from array import array

import pytest

from overbookr.demo.percentile import percentile


@pytest.mark.parametrize(
    ("rank", "value"), [(50, 50.0), (95, 95.0), (99, 99.0), (100, 100.0), (0.1, 1.0), (50.5, 51.0)]
)
def test_percentiles_are_by_nearest_rank(rank: float, value: float) -> None:
    values = [float(number) for number in range(1, 101)]
    random.Random(1).shuffle(values)
    assert percentile(values, rank) == value


def test_percentiles_of_one_and_of_none() -> None:
    assert percentile([3.0], 50) == percentile([3.0], 99) == 3.0
    assert percentile(array("d"), 99) is None
