"""A disk that is full for a while, under a crowd that buys."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class NoSmallDisk(Exception):
    """A small file system cannot be mounted here."""


@asynccontextmanager
async def small_disk(folder: Path, mebibytes: int) -> AsyncIterator[Path]:
    """A file system of that size, in memory, at `folder`. Raises NoSmallDisk where that needs more rights."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0755", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        raise NoSmallDisk(mounted.stderr.strip())
    try:
        yield folder
    finally:
        # Lazily: whoever still has a file open there must not keep this from ending.
        subprocess.run(["umount", "-l", str(folder)], check=False)


@asynccontextmanager
async def filled(disk: Path) -> AsyncIterator[int]:
    """Not a byte is free inside the block: what others give back meanwhile is taken too. Yields the bytes taken."""
    ballast = disk / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    taken = 0

    def take() -> int:
        size = 0
        for chunk in (2**20, 2**12):
            with suppress(OSError):
                while True:
                    size += os.write(descriptor, b"\0" * chunk)
        return size

    async def keep_taking() -> None:
        while True:
            take()
            await asyncio.sleep(0.02)

    taken = take()
    keeping = asyncio.create_task(keep_taking())
    try:
        yield taken
    finally:
        keeping.cancel()
        os.close(descriptor)
        ballast.unlink()
