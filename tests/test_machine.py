"""How busy the processors are, by the kernel's own count."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from overbookr.machine import ProcessorTimes

# A process that is at work until it is told to stop.
_SPIN = "print('spinning', flush=True)\nwhile True: pass"


def counted(*rows: tuple[int, ...]) -> ProcessorTimes:
    lines = iter("cpu  " + " ".join(str(field) for field in row) + "\ncpu0 1 2 3\n" for row in rows)
    return ProcessorTimes(lambda: next(lines))


#                user nice system idle iowait irq softirq steal guest guest_nice
_START = (1_000, 50, 300, 9_000, 20, 5, 5, 10, 0, 0)


@pytest.mark.parametrize(
    ("spent", "taken"),
    [
        ((60, 0, 0, 40, 0, 0, 0, 0, 0, 0), True),
        ((30, 0, 20, 39, 0, 3, 5, 3, 0, 0), True),
        ((50, 0, 0, 50, 0, 0, 0, 0, 0, 0), False),
        ((20, 70, 10, 0, 0, 0, 0, 0, 0, 0), False),
        ((0, 0, 0, 5, 95, 0, 0, 0, 0, 0), False),
        ((0, 0, 0, 0, 0, 0, 0, 0, 0, 0), False),
        # What runs as a guest is in `user` already.
        ((50, 0, 0, 50, 0, 0, 0, 0, 50, 0), False),
    ],
    ids=["user", "kernel and interrupts", "half", "low priority", "waiting for the disk", "no time", "guests"],
)
def test_more_than_half_of_the_time_is_taken(spent: tuple[int, ...], taken: bool) -> None:
    then = tuple(before + more for before, more in zip(_START, spent, strict=True))
    assert counted(_START, then).are_taken() is taken


def test_each_look_counts_from_the_one_before() -> None:
    busy = tuple(value + (80 if place == 0 else 20 if place == 3 else 0) for place, value in enumerate(_START))
    idle = tuple(value + (80 if place == 3 else 0) for place, value in enumerate(busy))
    times = counted(_START, busy, idle)
    assert [times.are_taken(), times.are_taken()] == [True, False]


@pytest.mark.parametrize("text", ["", "intr 1 2 3", "cpu a b c"])
def test_where_the_kernel_does_not_tell_nothing_is_taken(text: str) -> None:
    times = ProcessorTimes(lambda: text)
    assert times.are_taken() is False


def test_an_unreadable_file_is_no_failure() -> None:
    def read() -> str:
        raise PermissionError

    assert ProcessorTimes(read).are_taken() is False


@pytest.fixture
def spinning() -> Iterator[list["subprocess.Popen[bytes]"]]:
    processes: list[subprocess.Popen[bytes]] = []
    for _ in range(os.cpu_count() or 1):
        process = subprocess.Popen([sys.executable, "-c", _SPIN], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"spinning\n"
        processes.append(process)
    yield processes
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_processes_that_never_pause_take_this_machine(spinning: list["subprocess.Popen[bytes]"]) -> None:
    times = ProcessorTimes()
    # Until the processes have had half a second of each processor, by their own account.
    used = sum(map(_used_seconds, spinning))
    while sum(map(_used_seconds, spinning)) < used + len(spinning) / 2:
        os.sched_yield()
    assert times.are_taken()


def _used_seconds(process: "subprocess.Popen[bytes]") -> float:
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
