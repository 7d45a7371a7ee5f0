"""The shell blocks of docs/operating.md that the drill runs, so that the document cannot drift from what was tried."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs" / "operating.md"
SECONDS_MAX: Final = 300.0
_BLOCK: Final = re.compile(
    r"^<!-- drill: (?P<name>[^\n]+?) -->\n```bash\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL
)
_MARK: Final = re.compile(r"^<!-- drill: ", re.MULTILINE)


class CommandFailed(Exception):
    """A documented command ended with something else than 0. The text is what it said."""


def blocks_of(text: str) -> dict[str, str]:
    """The scripts by the names in the comments before them. Raises ValueError for a mark without a block of its own."""
    found = [(match["name"], match["script"]) for match in _BLOCK.finditer(text)]
    blocks = dict(found)
    if len(found) != len(blocks) or len(found) != len(_MARK.findall(text)):
        raise ValueError("every mark of the drill needs a name of its own and a block of bash right after it")
    return blocks


class Documented:
    """Runs blocks by name, in a shell that stops at the first failure, at the project's root as the document says."""

    def __init__(self, environment: Mapping[str, str], *always: str) -> None:
        """`always` are the blocks that give names to things and go before each of the others."""
        self._blocks = blocks_of(DOCUMENT.read_text())
        self._environment: dict[str, str] = dict(environment)
        self._always = always
        self.ran: list[str] = []

    def script(self, *names: str) -> str:
        self.ran += [name for name in names if name not in self.ran]
        return "".join(self._blocks[name] for name in names)

    def line(self, name: str, program: str) -> str:
        """The one line of a block that calls a program."""
        (line,) = [line for line in self._blocks[name].splitlines() if program in line]
        return line

    async def run(self, *names: str, **variables: str) -> str:
        """What the blocks printed. Raises CommandFailed."""
        status, said = await self._run(self.script(*self._always, *names), variables)
        if status != 0:
            raise CommandFailed(f"{' + '.join(names)} ended with {status}:\n{said}")
        return said

    async def succeeds(self, line: str, **variables: str) -> bool:
        status, _ = await self._run(self.script(*self._always) + line, variables)
        return status == 0

    async def _run(self, script: str, variables: Mapping[str, str]) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", script,
            cwd=ROOT, env={**self._environment, **variables}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), SECONDS_MAX)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode is not None
        return process.returncode, said.decode(errors="replace")

    def start(self, *names: str, log: IO[bytes], **variables: str) -> "subprocess.Popen[bytes]":
        """Start blocks that go on until they are killed."""
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", self.script(*self._always, *names)],
            cwd=ROOT, env={**self._environment, **variables}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
