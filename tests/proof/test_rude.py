"""The rude part's own tools, each kind of rudeness against the served application, and that its judgement can fail."""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from proof.part import Circumstances, Finding
from proof.rude import prove
from proof.rude.connections import connections_of, memory_of, seconds_until_ended
from proof.rude.crowd import KINDS, Kind, Mischief, Outcome, _run
from tests.house.serving import Served

pytestmark = pytest.mark.anyio

IDLE_SECONDS = 1
# Less than a check of the mutants may take, or a server that ends nobody is never judged.
PATIENCE_SECONDS = 30


@asynccontextmanager
async def patient_server() -> AsyncIterator[int]:
    """Takes whatever comes and ends nobody who does not leave: a server without deadlines."""
    ends: list[asyncio.StreamWriter] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as listener:
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            for writer in ends:
                writer.transport.abort()


async def outcome_of(port: int, mischief: Mischief) -> Outcome:
    *_, outcome = [outcome async for outcome in _run(port, mischief)]
    return outcome


@pytest.mark.parametrize("kind", KINDS)
async def test_the_server_ends_whoever_is_rude(kind: Kind, start_server: Callable[..., Served]) -> None:
    served = start_server(OVERBOOKR_IDLE_SECONDS=str(IDLE_SECONDS), OVERBOOKR_WORKERS="1", OVERBOOKR_DUTIES="off")
    port = int(served.url.rsplit(":", 1)[1])
    finding = Finding()
    # Of an answer that nobody reads, more than fits into the sockets' buffers has to be left.
    outcome = await outcome_of(port, Mischief(kind, 5, PATIENCE_SECONDS, "/docs/swagger-ui-bundle.js"))
    prove.judge(finding, kind, 5, outcome, IDLE_SECONDS)
    assert finding.passed, (finding.claims, outcome)
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        assert (await http.get("/events")).status_code == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("large bodies", "endless headers")])
async def test_a_server_that_ends_nobody_is_seen(kind: Kind) -> None:
    async with patient_server() as port:
        finding = Finding()
        outcome = await outcome_of(port, Mischief(kind, 3, 0.5))
        assert (outcome.placed, outcome.ended, outcome.stayed) == (3, 0, 3)
        prove.judge(finding, kind, 3, outcome, IDLE_SECONDS)
        assert not finding.claims[0].held


async def test_a_server_that_takes_all_of_a_large_body_is_seen() -> None:
    finding = Finding()
    taken = Outcome("large bodies", placed=2, ended=2, sent_max=10_000_000, answers={"413": 2})
    prove.judge(finding, "large bodies", 2, taken, IDLE_SECONDS)
    assert [claim.held for claim in finding.claims] == [True, True, False]


async def test_a_strange_answer_and_a_full_server_are_seen() -> None:
    strange, full = Finding(), Finding()
    prove.judge(strange, "idle", 2, Outcome("idle", placed=2, ended=2, answers={"200": 1, "500": 1}), IDLE_SECONDS)
    assert [claim.held for claim in strange.claims] == [True, False]
    prove.judge(full, "idle", 2, Outcome("idle", placed=1, ended=1, refused=1, answers={"200": 1}), IDLE_SECONDS)
    assert [claim.held for claim in full.claims] == [False, True]


async def test_connections_are_counted_where_they_end() -> None:
    async with patient_server() as port:
        ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        async with asyncio.timeout(20):
            while connections_of(port) != 4:
                await asyncio.sleep(0.01)
        assert await seconds_until_ended(port, 3, 0.2) is None
        for _, writer in ends[:2]:
            writer.transport.abort()
        assert await seconds_until_ended(port, 2, 20) is not None
        for _, writer in ends:
            writer.transport.abort()


async def test_the_memory_of_the_api_processes_is_seen(start_server: Callable[..., Served]) -> None:
    served = start_server(OVERBOOKR_IDLE_SECONDS=str(IDLE_SECONDS), OVERBOOKR_WORKERS="1", OVERBOOKR_DUTIES="off")
    assert 20 * 2**20 < memory_of(served.process.pid) < 2**30


def test_idle_clients_are_many_but_fit_into_the_files_of_a_process(tmp_path: Path) -> None:
    full = Circumstances("full", 1, tmp_path, print)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert prove.clients_of(full, "silent") == min(10_000, files // 2)


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    program = (
        "import resource\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))\n"
        "from overbookr.processes import open_files_at_most\n"
        "print(open_files_at_most(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], env=dict(os.environ), capture_output=True, text=True, check=True
    ).stdout
    assert said.split() == [str(hard)] * 3
