"""A clock of its own for some processes: libfaketime, loaded before everything else, moved by a file."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

_FOLDERS: Final = ("/usr/lib", "/usr/local/lib")
_LIBRARY: Final = "*/faketime/libfaketimeMT.so.1"


def library() -> Path | None:
    """The library as Debian's package `libfaketime` installs it."""
    return next((path for folder in _FOLDERS for path in sorted(Path(folder).glob(_LIBRARY))), None)


class FakeClock:
    """The wall clock of the processes started with `environment`, `offset` seconds after the true one, or before it.

    Their monotonic clock stays true, as a machine's does when its wall clock is set.
    """

    def __init__(self, library: Path, file: Path, offset: int = 0) -> None:
        self._library = library
        self._file = file
        self.offset = offset
        self.set(offset)

    def set(self, offset: int) -> None:
        """Counts within a second: so long a process remembers what it has read."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{offset:+d}\n")
        draft.replace(self._file)
        self.offset = offset

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # As Debian builds it, the library takes waits by the monotonic clock for waits by the other one: whoever
            # waits for Python's interpreter lock then waits for long.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }


@asynccontextmanager
async def jumping(clock: FakeClock, chance: random.Random, *, within: int, every: float) -> AsyncIterator[list[int]]:
    """The clock jumps while the block runs, `within` seconds to either side; gives the list of offsets so far."""
    offsets: list[int] = []

    async def jump() -> None:
        while True:
            offsets.append(chance.choice((-within, within, chance.randint(-within, within))))
            clock.set(offsets[-1])
            await asyncio.sleep(every)

    task = asyncio.create_task(jump())
    try:
        yield offsets
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
