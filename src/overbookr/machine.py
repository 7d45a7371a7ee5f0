"""What the machine is doing, for work that can wait until it does less."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/stat")
# The columns of the line `cpu`, in hundredths of a second since the machine started: proc_stat(5).
_USER, _NICE, _SYSTEM, _IDLE, _IOWAIT, _IRQ, _SOFTIRQ, _STEAL = range(8)
_AT_WORK: Final = (_USER, _SYSTEM, _IRQ, _SOFTIRQ, _STEAL)
# Where less than half is left, what can wait takes from those who cannot.
_BUSY_SHARE: Final = 0.5


class ProcessorTimes:
    """Tells what the processors have been doing since they were looked at last. What runs at a low priority, as the
    duties themselves do, makes nobody wait and does not count."""

    def __init__(self, read: Callable[[], str] = _STAT.read_text) -> None:
        self._read = read
        self._before = self._look()

    def are_taken(self) -> bool:
        """Whether more than half of the time since the last call was taken; never where the kernel does not tell."""
        before, self._before = self._before, self._look()
        spent = [after - earlier for after, earlier in zip(self._before, before, strict=False)]
        total = sum(spent)
        return total > 0 and sum(spent[column] for column in _AT_WORK) > _BUSY_SHARE * total

    def _look(self) -> list[int]:
        try:
            fields = self._read().split(maxsplit=_STEAL + 2)
            return [int(field) for field in fields[1 : _STEAL + 2]]
        except (OSError, ValueError):
            return []
