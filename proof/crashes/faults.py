"""What breaks, how it is broken, and how one sees that the house has mended itself."""

import asyncio
import os
import random
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import asyncpg

from proof.house import House
from proof.processes import api_processes, backends_of, duties_processes, is_alive, postmaster_of
from tests.house.serving import READY_SECONDS_MAX, Served, serve

HEALED_SECONDS_MAX: Final = 60.0
_POLL_SECONDS = 0.02


class NotHealed(Exception):
    """The house did not come back by itself."""


class Faults:
    """Breaks a house. Each method returns once the house has mended itself, with how many processes it broke.

    `workers` API processes belong to each instance. Whole instances are started again here, as an operator's
    supervisor would; everything else by the product itself.
    """

    def __init__(self, house: House, workers: int, hold_seconds: float, chance: random.Random) -> None:
        self._house = house
        self._workers = workers
        self._hold_seconds = hold_seconds
        self._chance = chance

    @property
    def _first(self) -> Served:
        return self._house.instances[0]

    async def kill_api(self) -> int:
        """SIGKILL one API process of each instance, at the same moment."""
        victims = [self._chance.choice(pids) for instance in self._house.instances if (pids := self._apis(instance))]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        await self.wait_until_whole(gone=victims)
        return len(victims)

    async def kill_worker(self) -> int:
        """SIGKILL the process of the duties of each instance."""
        victims = [pid for instance in self._house.instances for pid in duties_processes(instance.process.pid)]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        await self.wait_until_whole(gone=victims)
        return len(victims)

    async def kill_postmaster(self) -> int:
        """SIGKILL the postmaster; its children follow it and nothing is written back in order."""
        victim = postmaster_of(self._first.data_dir)
        if victim is None:
            return 0
        os.kill(victim, signal.SIGKILL)
        await self.wait_until_whole(gone=[victim])
        return 1

    async def kill_backend(self) -> int:
        """SIGKILL one server process, whereupon PostgreSQL drops all sessions and recovers from its log."""
        backends = backends_of(postmaster_of(self._first.data_dir) or 0)
        if not backends:
            return 0
        victim = self._chance.choice(backends)
        os.kill(victim, signal.SIGKILL)
        await self.wait_until_whole(gone=[victim])
        return 1

    async def terminate_backend(self) -> int:
        """pg_terminate_backend for a session of the application."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(self._house.dsn, timeout=5)
            try:
                rows = await connection.fetch(
                    """select pid from pg_stat_activity
                        where backend_type = 'client backend' and pid <> pg_backend_pid()
                          and application_name like 'overbookr%' order by pid"""
                )
                victim = self._chance.choice(rows)["pid"]
                ended = await connection.fetchval("select pg_terminate_backend($1, 5000)", victim)
            finally:
                await connection.close()
            await self.wait_until_whole(gone=[])
            return int(ended)
        return 0

    async def stop_api(self) -> int:
        """SIGSTOP an API process for longer than a hold lasts, then let it go on with what it believes."""
        processes = self._apis(self._chance.choice(self._house.instances))
        return await self._freeze(self._chance.choice(processes)) if processes else 0

    async def stop_backend(self) -> int:
        """The same for a server process, which may be holding an event's lock."""
        backends = backends_of(postmaster_of(self._first.data_dir) or 0)
        return await self._freeze(self._chance.choice(backends)) if backends else 0

    async def kill_instance(self) -> int:
        """SIGKILL a whole `serve`, and start it again on the same port."""
        place = self._chance.randrange(len(self._house.instances))
        instance = self._house.instances[place]
        children = [*api_processes(instance.process.pid), *duties_processes(instance.process.pid)]
        instance.process.kill()
        instance.process.wait()
        await _until(lambda: not any(map(is_alive, children)), "children of a killed serve ended")
        port = instance.url.rpartition(":")[2]
        settings = {**instance.settings, "OVERBOOKR_PORT": port}
        self._house.instances[place] = await asyncio.to_thread(serve, instance.dsn or None, instance.data_dir, settings)
        await self.wait_until_whole(gone=[])
        return 1

    async def wait_until_whole(self, gone: list[int]) -> None:
        """Until those are gone, each instance has all its processes, and each says that it is ready."""
        deadline = time.monotonic() + HEALED_SECONDS_MAX
        while not await asyncio.to_thread(self._is_whole, gone):
            if time.monotonic() > deadline:
                raise NotHealed(f"not whole after {HEALED_SECONDS_MAX:g} s\n{self._house.logs[-3000:]}")
            await asyncio.sleep(_POLL_SECONDS)

    def _is_whole(self, gone: list[int]) -> bool:
        if any(map(is_alive, gone)) or postmaster_of(self._first.data_dir) is None:
            return False
        for instance in self._house.instances:
            serve_pid = instance.process.pid
            if len(api_processes(serve_pid)) != self._workers or len(duties_processes(serve_pid)) != 1:
                return False
            if not _is_ready(instance.url):
                return False
        return True

    @staticmethod
    def _apis(instance: Served) -> list[int]:
        """None while the supervisor is starting them again; then another fault has its turn first."""
        return api_processes(instance.process.pid)

    async def _freeze(self, victim: int) -> int:
        try:
            os.kill(victim, signal.SIGSTOP)
        except ProcessLookupError:
            return 0
        try:
            # The length of the fault itself, not a wait for something to happen.
            await asyncio.sleep(self._hold_seconds * 1.5)
        finally:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGCONT)
        await self.wait_until_whole(gone=[])
        return 1


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise NotHealed(f"it never came to be that {what}")
        await asyncio.sleep(_POLL_SECONDS)
