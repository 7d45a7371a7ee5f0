"""The record of what clients asked and were told, one line of JSON an operation; the checker believes nothing else."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import msgspec

Kind = Literal["hold", "book", "release", "cancel", "join", "leave", "look", "repeat", "block", "unblock", "add"]

NEVER: Final = float("inf")


class Operation(msgspec.Struct, array_like=True):
    """One operation from its first request to its last answer, repetitions under the same key included.

    `started` and `ended` are seconds of the wall clock at the beginning of the run, carried on by a clock that never
    jumps; `ended` None: no definite answer ever came. `lost_answers` counts requests of it whose outcome stayed
    unknown. `about` is the hold or booking it is about, `seat_nos` what was asked for, `result` the id that was
    answered, `result_seats` the seats that were. `version` and `map` belong to looks: the answer's version and one
    letter a seat in the event's order of seats; `digest` is of a booking's body.
    """

    number: int
    client: int
    kind: Kind
    event_id: UUID
    user_id: UUID
    started: float
    ended: float | None = None
    status: int = 0
    code: str = ""
    lost_answers: int = 0
    key: str = ""
    about: UUID | None = None
    seat_nos: tuple[str, ...] = ()
    result: UUID | None = None
    result_seats: tuple[str, ...] = ()
    conflicts: tuple[tuple[str, str], ...] = ()
    size: int = 0
    version: int = 0
    map: bytes = b""
    expires_at: float = 0.0
    digest: str = ""

    @property
    def last_instant(self) -> float:
        return NEVER if self.ended is None else self.ended

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Told for certain that it had no effect: every request of it was answered, the last one with a refusal."""
        return 400 <= self.status < 500 and self.lost_answers == 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Operation).decode


class Clock:
    """Wall-clock seconds that never jump."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() + self._offset


class Journal:
    """Operations as they end, by event: kept in memory until the event is closed, and in a file from the start."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.count = 0
        self._open: dict[UUID, list[Operation]] = {}

    def new_number(self) -> int:
        self.count += 1
        return self.count

    def add(self, operation: Operation) -> None:
        self._open.setdefault(operation.event_id, []).append(operation)

    def close(self, event_id: UUID) -> list[Operation]:
        """The event's operations, now in its file."""
        operations = self._open.pop(event_id, [])
        with (self.folder / f"{event_id}.jsonl").open("ab") as file:
            for operation in operations:
                file.write(_encode(operation) + b"\n")
        return operations


def read_journal(path: Path) -> Iterator[Operation]:
    with path.open("rb") as file:
        for line in file:
            yield _decode(line)
