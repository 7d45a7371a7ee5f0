from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import overbookr
from overbookr.database import programs as programs_module
from overbookr.database.cluster import Cluster
from overbookr.database.embedded import RunMode, bin_dir, embedded, ensure_running
from overbookr.database.programs import find_programs

pytestmark = pytest.mark.anyio

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def copy_package(folder: Path) -> Path:
    """Copy the package that brings PostgreSQL into the folder; where it is there."""
    package = bin_dir().parent.parent
    for each in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(each, folder / each.name, symlinks=True)
    return folder / package.name


@root_only
async def test_root_runs_it_in_a_user_namespace_and_keeps_the_files(data_dir: Path, hold: Callable[..., Any]) -> None:
    holder = hold(data_dir, mode="USER_NAMESPACE")
    report = holder.report()
    assert report["who"] == "started by root, in a user namespace"
    assert report["uid"] == 0
    mapping = Path(f"/proc/{report['pid']}/uid_map").read_text().split()
    assert mapping == ["1000", "0", "1"]
    assert Cluster(data_dir).folder.stat().st_uid == 0
    assert holder.leave()


@root_only
async def test_root_runs_it_as_another_user_behind_private_folders(
    created: Path, tmp_path: Path, hold: Callable[..., Any]
) -> None:
    tmp_path.chmod(0o700)
    data = tmp_path / "data"
    holder = hold(data, mode="OTHER_USER")
    report = holder.report()
    user = pwd.getpwuid(report["uid"])
    assert user.pw_name in ("postgres", "nobody")
    assert report["who"] == f"started by root, as another user ({user.pw_name})"
    assert Cluster(data).folder.stat().st_uid == user.pw_uid
    assert tmp_path.stat().st_mode & 0o777 == data.stat().st_mode & 0o777 == 0o700
    # Joining and killing work as in the other mode, and so does a change of mode with what that does to the files.
    here = await ensure_running(data)
    assert not here.started_here
    os.kill(report["pid"], signal.SIGKILL)
    holder.kill()
    await here.stop()
    async with embedded(data) as server:
        assert server.started_here
        assert server.who == "started by root, in a user namespace"
        assert Cluster(data).folder.stat().st_uid == 0
    second = hold(data, mode="OTHER_USER")
    assert second.report()["started_here"]
    assert Cluster(data).folder.stat().st_uid == user.pw_uid
    assert second.leave()


@root_only
async def test_programs_out_of_the_other_users_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    package = copy_package(hidden)
    monkeypatch.setattr(programs_module, "bin_dir", lambda: package / "pginstall" / "bin")
    with tempfile.TemporaryDirectory(prefix="overbookr-tests-") as reachable:
        os.chmod(reachable, 0o755)
        monkeypatch.setattr(programs_module, "_COPIES", Path(reachable) / "copies")
        found = find_programs(RunMode.OTHER_USER)
        assert found.folder.is_relative_to(reachable)
        assert find_programs(RunMode.OTHER_USER).folder == found.folder
        server = await ensure_running(tmp_path / "data", mode=RunMode.OTHER_USER)
        assert Path(f"/proc/{server.postmaster_pid}/exe").resolve().is_relative_to(reachable)
        assert await server.stop()


@root_only
async def test_a_forbidden_user_namespace_leads_to_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_programs().mode is RunMode.USER_NAMESPACE
    with tempfile.TemporaryDirectory() as folder:
        refusing = Path(folder) / "unshare"
        refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
        refusing.chmod(0o755)
        monkeypatch.setenv("PATH", folder, prepend=os.pathsep)
        assert find_programs().mode is RunMode.OTHER_USER


@root_only
async def test_an_ordinary_user_runs_it_directly(hold: Callable[..., Any]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="overbookr-tests-") as folder,
        tempfile.TemporaryDirectory(prefix="overbookr-tests-") as packages,
    ):
        # What is installed here, and this project itself, may lie where only root is let in.
        copy_package(Path(packages))
        own = Path(overbookr.__file__).parent
        shutil.copytree(own, Path(packages) / own.name, ignore=shutil.ignore_patterns("__pycache__", "built"))
        os.chmod(packages, 0o755)
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for _ in range(2):
            holder = hold(Path(folder), uid=str(nobody.pw_uid), packages=Path(packages))
            report = holder.report()
            assert report["started_here"]
            assert report["uid"] == nobody.pw_uid
            assert report["who"] == "as the user who started it"
            assert holder.leave()
