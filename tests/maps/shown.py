"""The map as a client has it who knows nothing but what a stream told."""

import base64
from collections.abc import Sequence

import msgspec

from overbookr.maps.model import STATUSES


class Shown:
    """`seats` by label, `last` the id to come back with, `told` what kinds of messages there were. `labels` are those
    of the house in the order of its chart, which a client has from there."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = labels
        self.seats: dict[str, str] = {}
        self.last: str | None = None
        self.told: list[str] = []

    def take(self, text: str) -> None:
        """Whole messages, each with the empty line that ends it."""
        assert text.endswith("\n\n")
        for message in text[:-2].split("\n\n"):
            self._take(message)

    def _take(self, message: str) -> None:
        fields = dict(line.split(": ", 1) for line in message.split("\n"))
        self.told.append(fields.get("event", "ping" if "" in fields else "retry"))
        if "event" not in fields:
            return
        data = msgspec.json.decode(fields["data"])
        self.last = fields["id"]
        assert self.last.partition("-")[0] == str(data["version"])
        if fields["event"] == "reset":
            packed = base64.b64decode(data["states"])
            codes = [packed[place // 4] >> 2 * (place % 4) & 3 for place in range(data["seats"])]
            self.seats = {label: STATUSES[code] for label, code in zip(self.labels, codes, strict=True)}
        else:
            self.seats |= data["seats"]
        assert data["available"] == list(self.seats.values()).count("available")
