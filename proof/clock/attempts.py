"""What was tried at holds around the end of their time, and what of that contradicts the database's clock."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["book", "take over", "look"]


@dataclass(frozen=True)
class Attempt:
    """`succeeded`: the hold was booked, its seat was held by somebody else, or its seat was shown as free.

    `sent_at` and `answered_at` are by the true clock, which is the database's; `decided_at` is what the database wrote
    down for a booking.
    """

    kind: Kind
    expires_at: datetime
    sent_at: datetime
    answered_at: datetime
    succeeded: bool
    decided_at: datetime | None = None

    @property
    def was_in_time(self) -> bool:
        """Whether the answer was there before the hold's end, so that it was decided before it."""
        return self.answered_at < self.expires_at

    @property
    def was_late(self) -> bool:
        """Whether it was sent at or after the hold's end, so that it was decided after it."""
        return self.sent_at >= self.expires_at


def contradiction(attempt: Attempt) -> str | None:
    """What is wrong with the outcome, or None. An attempt that spans the hold's end may have either outcome."""
    match attempt.kind, attempt.succeeded:
        case "book", True if attempt.was_late:
            return "a hold was booked after its end"
        case "book", True if attempt.decided_at is not None and attempt.decided_at >= attempt.expires_at:
            return "a booking is not older than its hold's end"
        case "book", False if attempt.was_in_time:
            return "a hold could not be booked before its end"
        case "take over", True if attempt.was_in_time:
            return "a held seat was held by somebody else before its hold's end"
        case "take over", False if attempt.was_late:
            return "a seat could not be held after its hold's end"
        case "look", True if attempt.was_in_time:
            return "a held seat was shown as free"
        case "look", False if attempt.was_late:
            return "a seat was shown as held after its hold's end"
    return None


def contradictions(attempts: Iterable[Attempt]) -> Counter[str]:
    return Counter(fault for attempt in attempts if (fault := contradiction(attempt)) is not None)


@dataclass(frozen=True)
class Tally:
    """How many attempts of a kind were before, across and after the end, and how near to it those that say most came.

    Milliseconds from the answer to the end and from the end to the sending; None when there was no such attempt.
    """

    in_time: int
    across: int
    late: int
    nearest_before_ms: float | None
    nearest_after_ms: float | None


def tally(attempts: Iterable[Attempt], kind: Kind) -> Tally:
    of_kind = [attempt for attempt in attempts if attempt.kind == kind]
    before = [(one.expires_at - one.answered_at).total_seconds() * 1000 for one in of_kind if one.was_in_time]
    after = [(one.sent_at - one.expires_at).total_seconds() * 1000 for one in of_kind if one.was_late]
    return Tally(
        len(before), len(of_kind) - len(before) - len(after), len(after),
        round(min(before), 2) if before else None, round(min(after), 2) if after else None,
    )  # fmt: skip
