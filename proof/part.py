"""What a part of the proof is given and what it has to say."""

import hashlib
import json
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import msgspec

Size = Literal["small", "full"]


class Circumstances(msgspec.Struct, frozen=True):
    """`folder` is the part's own, empty at first and kept until the run is over; `report` prints a line of progress."""

    size: Size
    seed: int
    folder: Path
    report: Callable[[str], None]

    def random(self, purpose: str) -> random.Random:
        """A source of chance of its own for each purpose: what one draws does not change what another does."""
        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return random.Random(int.from_bytes(digest[:8]))

    def pick(self, *, small: int, full: int) -> int:
        return small if self.size == "small" else full


class Claim(msgspec.Struct, frozen=True):
    """A sentence that can be false, whether it was true in this run, and what was counted or measured."""

    says: str
    held: bool
    measured: str


class Finding(msgspec.Struct):
    """What a part found. `figures` are plain numbers and texts for machines; `violations` say what broke, a line each;
    `untested` what the part could not try here, and why."""

    claims: list[Claim] = []
    figures: dict[str, Any] = {}
    violations: list[str] = []
    untested: list[str] = []

    @property
    def passed(self) -> bool:
        return bool(self.claims) and not self.violations and all(claim.held for claim in self.claims)

    def claim(self, says: str, held: bool, measured: str) -> None:
        self.claims.append(Claim(says, held, measured))


Prove = Callable[[Circumstances], Coroutine[Any, Any, Finding]]


def as_json(value: Any) -> str:
    """Readable, in a stable order, for files that people compare."""
    return json.dumps(msgspec.to_builtins(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
