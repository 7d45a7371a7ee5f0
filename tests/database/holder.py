"""A process that uses an embedded PostgreSQL until its standard input ends.

It prints a line of JSON once the server runs, and whether the server was stopped when it left. With a uid it becomes
that user first; everything is imported by then, as that user may not be able to read the interpreter's files.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401
import encodings.idna  # noqa: F401
import json
import os
import sys
from pathlib import Path

import asyncpg

from overbookr.database.embedded import RunMode, ensure_running


async def _hold(data_dir: Path, mode: RunMode | None) -> None:
    server = await ensure_running(data_dir, mode=mode, deadline=30)
    connection = await asyncpg.connect(server.dsn)
    await connection.close()
    report = {
        "dsn": server.dsn,
        "pid": server.postmaster_pid,
        "started_here": server.started_here,
        "who": server.who,
        "uid": os.stat(f"/proc/{server.postmaster_pid}").st_uid,
    }
    print(json.dumps(report), flush=True)
    sys.stdin.readline()
    print(json.dumps({"stopped": await server.stop(deadline=20)}), flush=True)


def main() -> None:
    data_dir, mode, uid = sys.argv[1:]
    asyncio.run(asyncio.sleep(0))
    if uid:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    asyncio.run(_hold(Path(data_dir), RunMode[mode] if mode else None))


if __name__ == "__main__":
    main()
