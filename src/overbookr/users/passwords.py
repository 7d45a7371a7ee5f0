"""Password hashes: argon2id, in threads, a few at a time."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from functools import partial
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from overbookr.batching import QueueFull

Result = TypeVar("Result")
BeforeWork = Callable[[], Awaitable[None]]

# The least that OWASP advises for argon2id: 19 MiB, two passes. About 20 ms of one core.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
AT_ONCE: Final = 2
QUEUE_MAX: Final = 128


class Verdict(Enum):
    WRONG = auto()
    RIGHT = auto()
    RIGHT_BUT_OUTDATED = auto()  # hashed with parameters that are no longer ours


class Passwords:
    """Hashes and verifies. Raises QueueFull when too many wait: the work is dear, and waiting helps nobody."""

    def __init__(self, *, at_once: int = AT_ONCE, queue_max: int = QUEUE_MAX) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="password")
        self._turns = asyncio.Semaphore(at_once)
        self._queue_max = queue_max
        self._present = 0
        # What the password of an unknown user is compared with, so that this takes as long as for a known one.
        self._nobody = _HASHER.hash(secrets.token_bytes(32))

    async def hash(self, password: str) -> str:
        return await self._run(partial(_HASHER.hash, password))

    async def verify(self, password_hash: str | None, password: str, before_work: BeforeWork | None = None) -> Verdict:
        """Compare a password with a hash; with None, do the same work and say WRONG.

        `before_work` is called when the turn has come, and may raise: a limit on failures that is checked there
        counts those that were decided while this one waited.
        """
        verdict = await self._run(partial(_verify, password_hash or self._nobody, password), before_work)
        return verdict if password_hash is not None else Verdict.WRONG

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], Result], before_work: BeforeWork | None = None) -> Result:
        if self._present >= self._queue_max:
            raise QueueFull("passwords")
        self._present += 1
        try:
            async with self._turns:
                if before_work is not None:
                    await before_work()
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._present -= 1


def _verify(password_hash: str, password: str) -> Verdict:
    try:
        _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return Verdict.WRONG
    return Verdict.RIGHT_BUT_OUTDATED if _HASHER.check_needs_rehash(password_hash) else Verdict.RIGHT
