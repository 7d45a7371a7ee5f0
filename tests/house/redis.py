"""A Redis or Valkey of the test's own, which can be killed and come back."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.house.serving import free_port

# Debian's redis-tools carry the server as well: one program that goes by the name it is called with.
_PROGRAMS = ("redis-server", "valkey-server", "redis-check-rdb")


def redis_program() -> str | None:
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


class RedisServer:
    """Listens on loopback, keeps nothing on disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        name = "valkey-server" if "valkey" in self._program else "redis-server"
        self._process = subprocess.Popen(
            [name, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)],
            executable=self._program,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self._port), 1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            assert time.monotonic() < deadline, "the Redis of the tests did not start"
            time.sleep(0.02)

    def freeze(self) -> None:
        """It goes on taking connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
