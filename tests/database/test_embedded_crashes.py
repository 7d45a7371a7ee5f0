from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from overbookr.database.cluster import Cluster
from overbookr.database.embedded import EmbeddedError, EmbeddedServer, embedded, ensure_running
from overbookr.database.locks import close_lock, try_lock
from overbookr.database.programs import find_programs

pytestmark = pytest.mark.anyio


async def _ask(server: EmbeddedServer, question: str) -> Any:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def _is_down(data_dir: Path) -> bool:
    with Cluster(data_dir).server_lock() as lock:
        return lock is not None


async def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


async def test_a_killed_user_no_longer_counts(data_dir: Path, hold: Callable[..., Any]) -> None:
    holder = hold(data_dir)
    pid = holder.report()["pid"]
    holder.kill()
    assert not _is_down(data_dir)
    server = await ensure_running(data_dir)
    assert (server.started_here, server.postmaster_pid) == (False, pid)
    assert await server.stop()


async def test_data_survives_a_killed_postmaster(data_dir: Path) -> None:
    server = await ensure_running(data_dir)
    connection = await asyncpg.connect(server.dsn)
    await connection.execute("create table sold (seat int primary key)")
    await connection.execute("insert into sold select generate_series(1, 1000)")
    os.kill(server.postmaster_pid, signal.SIGKILL)
    # The postmaster's children may still be there, and its pid and socket files are.
    again = await ensure_running(data_dir)
    assert again.started_here
    assert again.postmaster_pid != server.postmaster_pid
    assert await _ask(again, "select count(*) from sold") == 1000
    await _ask(again, "drop table sold")
    assert not await server.stop()
    assert await again.stop()


async def test_orphans_of_a_killed_postmaster_are_waited_for(data_dir: Path) -> None:
    server = await ensure_running(data_dir)
    connection = await asyncpg.connect(server.dsn)
    # A backend that computes does not notice the postmaster's death before it is done.
    await connection.execute("set statement_timeout = 1500")
    busy = asyncio.create_task(connection.fetchval("select count(*) from generate_series(1, 1000000000)"))
    await _until(lambda: not _is_idle(connection.get_server_pid()))
    os.kill(server.postmaster_pid, signal.SIGKILL)
    again = await ensure_running(data_dir)
    assert not Path(f"/proc/{connection.get_server_pid()}").exists() or _is_zombie(connection.get_server_pid())
    assert again.started_here
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await busy
    await server.stop()
    assert await again.stop()


def _is_idle(pid: int) -> bool:
    return b"SELECT" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


async def test_leftovers_that_name_a_living_stranger_do_not_matter(data_dir: Path) -> None:
    server = await ensure_running(data_dir)
    cluster = Cluster(data_dir)
    socket_folder = cluster.running_socket_folder()
    assert socket_folder is not None
    os.kill(server.postmaster_pid, signal.SIGKILL)
    await _until(lambda: _is_down(data_dir))
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        for path in (cluster.folder / "postmaster.pid", socket_folder / ".s.PGSQL.5432.lock"):
            lines = path.read_text().splitlines()
            assert lines[0] == str(server.postmaster_pid)
            path.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        again = await ensure_running(data_dir)
        assert again.started_here
        await server.stop()
        assert await again.stop()
        assert stranger.poll() is None, "the stranger was taken for the server"
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_stranger_under_the_servers_number_is_not_stopped(data_dir: Path) -> None:
    server = await ensure_running(data_dir)
    pid_file = Cluster(data_dir).folder / "postmaster.pid"
    true_text = pid_file.read_text()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text(true_text.replace(str(server.postmaster_pid), str(stranger.pid), 1))
        assert not await server.stop(deadline=0.2)
        assert stranger.poll() is None
        pid_file.write_text(true_text)
    finally:
        stranger.kill()
        stranger.wait()
        await (await ensure_running(data_dir)).stop()


async def test_a_server_started_by_hand_is_left_alone(data_dir: Path) -> None:
    cluster = Cluster(data_dir)
    programs = find_programs()
    by_hand = programs.start("postgres", ["-D", str(cluster.folder)], output=subprocess.DEVNULL)
    try:
        await _until(
            lambda: "ready" in (cluster.folder / "postmaster.pid").read_text() if cluster.postmaster_pid() else False
        )
        with pytest.raises(EmbeddedError, match=f"process {by_hand.pid} already runs a PostgreSQL"):
            await ensure_running(data_dir, deadline=5)
        assert by_hand.poll() is None
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.wait()


async def test_an_interrupted_creation_is_begun_afresh(tmp_path: Path, hold: Callable[..., Any]) -> None:
    home = tmp_path / "postgres"
    holder = hold(tmp_path)
    await _until(lambda: any(home.glob("new-*/PG_VERSION")))
    holder.kill()
    assert not (home / "cluster").exists()
    # initdb itself outlives its caller for a moment and keeps the others out.
    decision = Cluster(tmp_path).open_lock("decision")
    free = try_lock(decision)
    close_lock(decision)
    assert _processes_named("initdb", str(home))
    assert not free
    server = await ensure_running(tmp_path)
    assert server.started_here
    assert not any(home.glob("new-*"))
    assert await _ask(server, "select current_database()") == "overbookr"
    assert await server.stop()


async def test_a_killed_creation_is_begun_afresh(tmp_path: Path, hold: Callable[..., Any]) -> None:
    home = tmp_path / "postgres"
    holder = hold(tmp_path)
    await _until(lambda: any(home.glob("new-*/PG_VERSION")))
    holder.kill()
    for process in _processes_named("initdb", str(home)):
        os.kill(process, signal.SIGKILL)
    async with embedded(tmp_path) as server:
        assert server.started_here
        assert not any(home.glob("new-*"))


def _processes_named(name: str, argument: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[0].endswith(name) and any(argument in word for word in words):
                found.append(int(folder.name))
    return found
