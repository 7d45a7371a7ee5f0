"""Seat labels as requests carry them."""

from typing import Annotated

import msgspec

from overbookr import limits
from overbookr.http.problem import Refused
from overbookr.text import Label

SeatLabels = Annotated[list[Label], msgspec.Meta(min_length=1, max_length=limits.SEATS_PER_REQUEST_MAX)]


def sound_labels(seat_nos: list[str], *, repeats: bool = False) -> tuple[str, ...]:
    """The labels trimmed, in order. Refuses empty and overlong ones, and doubled ones unless `repeats` are harmless."""
    labels = tuple([label.strip() for label in seat_nos])
    for place, label in enumerate(labels):
        if not 1 <= len(label) <= limits.LABEL_LENGTH_MAX:
            raise Refused(
                "invalid_request",
                f"seat_nos[{place}]: a seat's label has 1 to {limits.LABEL_LENGTH_MAX} characters",
            )
    if len(set(labels)) != len(labels):
        if repeats:
            return tuple(dict.fromkeys(labels))
        raise Refused("invalid_request", "seat_nos: a seat is named twice")
    return labels
