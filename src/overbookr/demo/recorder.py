"""Counts and times of everything that was asked of the server."""

import time
from array import array
from collections import Counter

import msgspec

from overbookr.demo.model import EXPECTED, Operation
from overbookr.demo.percentile import percentile

EXAMPLES_MAX = 10
NO_ANSWER = 0
_OVERLOAD = (429, 503)
_SERVER_ERROR = 500


class OperationFigures(msgspec.Struct, frozen=True):
    """Milliseconds from sending a request to having read the answer, over all requests of an operation."""

    operation: str
    count: int
    p50: float
    p95: float
    p99: float
    slowest: float


class Recorder:
    """`answers` counts by operation, status and code; a status of 0 is a request that had no answer."""

    def __init__(self) -> None:
        self.opened_at = time.perf_counter()
        self.answers: Counter[tuple[Operation, int, str]] = Counter()
        self.tallies: Counter[str] = Counter()
        self.unexpected: list[str] = []
        self.unexpected_count = 0
        self.altered_replays: list[str] = []
        self._seconds: dict[Operation, array[float]] = {operation: array("d") for operation in Operation}
        self._by_second: dict[str, Counter[int]] = {"requests": Counter(), "holds": Counter(), "bookings": Counter()}

    def open_doors(self) -> None:
        """From here on the clock of the sale runs; what came before is in no second of it."""
        self.opened_at = time.perf_counter()
        for counts in self._by_second.values():
            counts.clear()

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.opened_at

    @property
    def requests(self) -> int:
        return sum(self.answers.values())

    def record(
        self, operation: Operation, status: int, code: str, seconds: float, detail: str = "", *, in_doubt: bool = False
    ) -> None:
        """`in_doubt`: an earlier attempt of this request may have taken effect, so a refusal proves nothing."""
        self.answers[operation, status, code] += 1
        self._seconds[operation].append(seconds)
        second = int(self.elapsed)
        self._by_second["requests"][second] += 1
        if operation is Operation.HOLD and status == 201:
            self._by_second["holds"][second] += 1
        elif operation is Operation.BOOK and status == 201:
            self._by_second["bookings"][second] += 1
        if status == NO_ANSWER or status in _OVERLOAD or (in_doubt and 400 <= status < _SERVER_ERROR):
            return
        if (status, code) not in EXPECTED[operation]:
            self.note_unexpected(f"{operation.value}: " + " ".join(filter(None, (str(status), code, detail))))

    def note_unexpected(self, what: str) -> None:
        self.unexpected_count += 1
        if len(self.unexpected) < EXAMPLES_MAX:
            self.unexpected.append(what)

    def answered(self, operation: Operation, status: int) -> int:
        return sum(count for (o, s, _), count in self.answers.items() if o is operation and s == status)

    @property
    def server_failures(self) -> int:
        """Answers of 500 and above other than 503, which is a refusal."""
        return sum(n for (_, status, _), n in self.answers.items() if status >= _SERVER_ERROR and status != 503)

    @property
    def without_answer(self) -> int:
        return sum(count for (_, status, _), count in self.answers.items() if status == NO_ANSWER)

    def refusals(self) -> dict[str, int]:
        """How often each code was answered to a buyer, the most frequent first."""
        codes: Counter[str] = Counter()
        for (_, status, code), count in self.answers.items():
            if code and status != NO_ANSWER:
                codes[code] += count
        return dict(codes.most_common())

    def statuses(self) -> dict[str, int]:
        found: Counter[int] = Counter()
        for (_, status, _), count in self.answers.items():
            found[status] += count
        return {str(status) if status else "no answer": found[status] for status in sorted(found)}

    def peak(self, what: str) -> int:
        """The most `requests`, `holds` or `bookings` answered in one second of the sale's clock."""
        return max(self._by_second[what].values(), default=0)

    def until(self, what: str, seconds: float) -> int:
        """As `peak` counts, but all that were answered in the whole seconds that began before `seconds`."""
        return sum(count for second, count in self._by_second[what].items() if second < seconds)

    def figures(self) -> list[OperationFigures]:
        """One a kind of request that occurred, in the order in which a sale goes."""
        figures = []
        for operation, seconds in self._seconds.items():
            if seconds:
                ordered = sorted(seconds)
                points = [(percentile(ordered, rank) or 0.0) * 1000 for rank in (50, 95, 99, 100)]
                figures.append(OperationFigures(operation.value, len(ordered), *points))
        return figures
