"""Batch sizes out of two readings of the metrics."""

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from overbookr.demo.batches import compare_metrics, read_metrics


def test_only_what_came_between_the_readings_counts() -> None:
    registry = CollectorRegistry()
    sizes = Histogram("overbookr_batch_size", "x", ["batch"], buckets=(1, 2, 4, 8, 16), registry=registry)
    for size in (1, 1, 1, 16):
        sizes.labels("writes").observe(size)
    sizes.labels("idle").observe(3)
    before = generate_latest(registry).decode()
    for size in (1, 2, 2, 7):
        sizes.labels("writes").observe(size)
    sizes.labels("standings").observe(1)
    after = generate_latest(registry).decode()
    standings, writes = compare_metrics(before, after)
    assert (standings.name, standings.batches, standings.items) == ("standings", 1, 1)
    assert (writes.name, writes.batches, writes.items) == ("writes", 4, 12)
    assert writes.mean == pytest.approx(3.0)
    assert (writes.half_up_to, writes.largest_up_to) == (2, 8)


def test_a_batch_above_every_bucket_shows_as_infinite() -> None:
    registry = CollectorRegistry()
    Histogram("overbookr_batch_size", "x", ["batch"], buckets=(1, 2), registry=registry).labels("writes").observe(99)
    (writes,) = compare_metrics("", generate_latest(registry).decode())
    assert writes.largest_up_to == float("inf")


def test_metrics_without_batches_say_nothing() -> None:
    assert read_metrics("# HELP other x\nother_count 3.0\n") == {}
    assert compare_metrics("", "not metrics at all") == []
