"""The files of an embedded PostgreSQL: creating the cluster, its settings, its locks and what a crash leaves behind.

Everything lies in `postgres/` under the data directory:

    cluster/        PostgreSQL's own data directory
    decision.lock   held by whoever is starting or stopping the server, and by a running initdb
    users.lock      shared, held by every process that uses the server
    server.lock     held by every process of the server itself, postmaster and children, for as long as it lives
    startup.log     what the server said before it opened its own log, cluster/log
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

from overbookr.database.locks import close_lock, open_lock, share_lock, try_lock
from overbookr.database.programs import Programs

SUPERUSER = "overbookr"
_PRIVATE = 0o700
_LOG_LINES = 25
# In postmaster.pid, counting from 0.
_SOCKET_LINE = 4
# A socket's address holds 104 bytes on macOS and 108 on Linux, ending zero included.
_LONGEST_ADDRESS = 103
_SOCKET_FILES = (".s.PGSQL.5432", ".s.PGSQL.5432.lock")


class EmbeddedError(Exception):
    """The embedded PostgreSQL could not be started or used. The text says why and shows its log where it has one."""


class Cluster:
    """Paths and files of one data directory. Nothing here waits; everything may raise OSError or EmbeddedError."""

    def __init__(self, data_dir: Path) -> None:
        self.home = data_dir.expanduser().resolve() / "postgres"
        self.folder = self.home / "cluster"
        self.mark = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        self.name = f"overbookr-{self.mark}"
        self.startup_log = self.home / "startup.log"

    def prepare_home(self) -> None:
        self.home.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        _make_private(self.home)

    # Locks.

    def open_lock(self, name: str) -> int:
        return open_lock(self.home / f"{name}.lock")

    @contextmanager
    def server_lock(self) -> Iterator[int | None]:
        """The server's lock, or None while any process of the server lives. Closed here, it lives on in a child."""
        descriptor = self.open_lock("server")
        try:
            yield descriptor if try_lock(descriptor) else None
        finally:
            close_lock(descriptor)

    # Creating.

    @property
    def is_created(self) -> bool:
        return (self.folder / "PG_VERSION").is_file()

    def create(self, programs: Programs, decision: int) -> None:
        """Run initdb in a folder aside and move it into place whole, so that an interrupted one leaves no half.

        initdb keeps the decision lock open: should this process die meanwhile, the next one waits for initdb's end.
        So does this call, should its caller give up waiting.
        """
        held = share_lock(decision)
        try:
            self._create(programs, held)
        finally:
            close_lock(held)

    def _create(self, programs: Programs, decision: int) -> None:
        for abandoned in self.home.glob("new-*"):
            shutil.rmtree(abandoned)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
        if self.folder.exists():
            raise EmbeddedError(f"{self.folder} exists but is no PostgreSQL cluster; move it away to start afresh")
        folder = Path(tempfile.mkdtemp(prefix="new-", dir=self.home))
        os.chown(folder, programs.owner, -1)
        with open_folder(folder) as descriptor, tempfile.TemporaryFile() as output:
            arguments = _initdb_arguments(programs.visible(folder, descriptor))
            process = programs.start("initdb", arguments, output=output, keep_open=[decision, descriptor])
            try:
                status = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            output.seek(0)
            said = output.read().decode(errors="replace")
        if status != 0:
            raise EmbeddedError(f"initdb failed with status {status}:\n{_tail(said)}")
        _write(folder / "postgresql.conf", "\ninclude = 'overbookr.conf'\ninclude_if_exists = 'local.conf'\n")
        _write(folder / "local.conf", "# Your own settings; they win over those in overbookr.conf.\n")
        os.chown(folder / "local.conf", programs.owner, -1)
        folder.rename(self.folder)
        with open_folder(self.home) as descriptor:
            os.fsync(descriptor)

    # Making an existing cluster ready for a start. Only with the server's lock in hand.

    def make_ready(self, programs: Programs) -> None:
        version = (self.folder / "PG_VERSION").read_text().strip()
        if version != programs.major:
            raise EmbeddedError(
                f"{self.folder} was made by PostgreSQL {version}, and this Overbookr brings {programs.version}; "
                "dump it with the old version and load it into the new one"
            )
        self._own(programs)
        settings = self.folder / "overbookr.conf"
        text = resources.files(__package__).joinpath("cluster.conf").read_text()
        if (programs.folder.parent / "lib" / "pg_stat_statements.so").exists():
            text += "\nshared_preload_libraries = 'pg_stat_statements'\n"
        if not settings.is_file() or settings.read_text() != text:
            settings.write_text(text)
            os.chown(settings, programs.owner, -1)

    def _own(self, programs: Programs) -> None:
        """Give the files to whom the server runs as; they may have been made in another mode, or by another user."""
        owner = self.folder.stat().st_uid
        if owner == programs.owner:
            return
        if os.geteuid() != 0:
            raise EmbeddedError(f"{self.folder} belongs to uid {owner}, and this process runs as uid {os.geteuid()}")
        for place, _folders, files in os.walk(self.folder):
            for name in (".", *files):
                os.chown(os.path.join(place, name), programs.owner, -1, follow_symlinks=False)

    def clear_leftovers(self, socket_folder: Path) -> None:
        """Remove the files by which a server that was killed still claims to run.

        PostgreSQL believes them when some process, any process, has got the same number meanwhile. That nobody holds
        the server's lock proves them wrong, except for a server that somebody started by other means: that one is
        left alone.
        """
        pid = self.postmaster_pid()
        if pid is not None and self._is_at_home(pid):
            raise EmbeddedError(
                f"process {pid} already runs a PostgreSQL in {self.folder} that Overbookr did not start; stop it first"
            )
        for path in (self.folder / "postmaster.pid", *(socket_folder / name for name in _SOCKET_FILES)):
            path.unlink(missing_ok=True)

    @property
    def is_being_restored(self) -> bool:
        """Whether the server is to read an archive before it is ready, or does so now; PostgreSQL removes the file."""
        return (self.folder / "recovery.signal").exists()

    # The running server.

    def postmaster_pid(self) -> int | None:
        """The first line of postmaster.pid; the process may be gone, or be another one by now."""
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].isdigit() else None

    def running_socket_folder(self) -> Path | None:
        """Where the server that wrote postmaster.pid listens; its starter's environment decided that."""
        folder = next(iter(self._pid_file()[_SOCKET_LINE:]), "")
        return Path(folder) if folder.startswith("/") else None

    def _pid_file(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def is_our_postmaster(self, pid: int) -> bool:
        """Whether the process was started by Overbookr for this cluster, by its command line."""
        try:
            return f"cluster_name={self.name}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            # No /proc on macOS; there the number alone must do, vouched for by the held lock.
            return not Path("/proc/self").exists()

    def _is_at_home(self, pid: int) -> bool:
        try:
            return os.path.samefile(f"/proc/{pid}/cwd", self.folder)
        except OSError:
            return False

    def socket_folder(self, programs: Programs) -> Path:
        """A private directory for the socket: beside the cluster, or in a short place when that path cannot be used."""
        beside = self.home / "run"
        if programs.user is None and _is_addressable(beside):
            _make_private(beside)
            return beside
        places = [Path("/tmp") / f"overbookr-{programs.owner}-{self.mark}"]
        if programs.user is None and (runtime := os.environ.get("XDG_RUNTIME_DIR")):
            places.append(Path(runtime) / self.name)
        complaints = []
        for place in filter(_is_addressable, places):
            try:
                _make_private(place, programs.owner)
            except (OSError, EmbeddedError) as error:
                complaints.append(str(error))
            else:
                return place
        raise EmbeddedError("no private directory for the server's socket: " + "; ".join(complaints))

    def last_words(self) -> str:
        """The last lines of what the server said while starting, and of its log."""
        logs = sorted((self.folder / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        texts = []
        for path in (self.startup_log, *logs[-1:]):
            with suppress(OSError):
                texts.append(f"{path}:\n{_tail(path.read_text(errors='replace'))}")
        return "\n".join(texts)


@contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _initdb_arguments(folder: str) -> list[str]:
    return [
        f"--pgdata={folder}",
        f"--username={SUPERUSER}",
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
        "--no-instructions",
    ]


def _write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _make_private(folder: Path, owner: int | None = None) -> None:
    """Make the directory 0700 and `owner`'s (by default ours), or refuse one that somebody else made."""
    owner = os.geteuid() if owner is None else owner
    with suppress(FileExistsError):
        folder.mkdir(mode=_PRIVATE)
        os.chown(folder, owner, -1)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise EmbeddedError(f"{folder} is not a directory")
    if found.st_uid != owner:
        raise EmbeddedError(f"{folder} belongs to uid {found.st_uid} instead of {owner}")
    if stat.S_IMODE(found.st_mode) != _PRIVATE:
        folder.chmod(_PRIVATE)


def _is_addressable(folder: Path) -> bool:
    # In a DSN a comma separates hosts, however it is quoted.
    address = os.fsencode(folder / _SOCKET_FILES[0])
    return len(address) <= _LONGEST_ADDRESS and b"," not in address


def _tail(text: str) -> str:
    return "\n".join(deque(text.splitlines(), maxlen=_LOG_LINES))
