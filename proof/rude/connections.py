"""What a server's connections and processes take, looked at from outside. Linux only."""

import asyncio
import os
import time
from pathlib import Path
from typing import Final

from proof.processes import api_processes

_ESTABLISHED: Final = "01"
_CLOSE_WAIT: Final = "08"
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def connections_of(port: int) -> int:
    """The connections that a server on this port holds at this moment."""
    found = 0
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] in (_ESTABLISHED, _CLOSE_WAIT):
                found += 1
    return found


def memory_of(serve: int) -> int:
    """Bytes of memory that the API processes of a `serve` process have resident, together."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE for pid in api_processes(serve))


async def seconds_until_ended(port: int, left: int, seconds_max: float) -> float | None:
    """After how long the server on this port holds at most `left` connections; None: not within `seconds_max`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds_max:
        if connections_of(port) <= left:
            return time.monotonic() - began
        await asyncio.sleep(0.1)
    return None


class MemoryWatch:
    """The most that was resident while it looked."""

    def __init__(self, serve: int) -> None:
        self._serve = serve
        self.most = memory_of(serve)

    async def look(self) -> None:
        while True:
            self.most = max(self.most, memory_of(self._serve))
            await asyncio.sleep(0.25)
