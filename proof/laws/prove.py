"""The laws as SQL: silent about a sound house, and each of them loud about the harm it is there for."""

import asyncio
from pathlib import Path

import asyncpg

from overbookr.audit.store import LAWS, QUIESCENT_LAWS, AuditStore
from overbookr.database.migrate import migrate
from overbookr.database.pool import open_pool
from overbookr.main import FUNCTION_SOURCES
from proof.part import Circumstances, Finding
from tests.audit import house
from tests.audit.corruptions import CORRUPTIONS, Corruption
from tests.house.postgres import PostgresServer, embedded_server_18

_TEMPLATE = "sound_house"


async def prove(given: Circumstances) -> Finding:
    return await asyncio.to_thread(_prove, given.folder)


def _prove(folder: Path) -> Finding:
    finding = Finding()
    with embedded_server_18(folder) as server:
        sound = asyncio.run(_furnish(server))
        caught, surprises = 0, []
        for corruption in CORRUPTIONS:
            broken = asyncio.run(_break(server, corruption))
            if broken == corruption.breaks:
                caught += 1
            else:
                surprises.append(f"{corruption.name}: {sorted(broken)} instead of {sorted(corruption.breaks)}")
    laws = LAWS + QUIESCENT_LAWS
    covered = set().union(*(corruption.breaks for corruption in CORRUPTIONS))
    finding.violations += surprises + [f"a sound house is said to break {law}" for law in sound]
    finding.figures |= {"laws": len(laws), "corruptions": len(CORRUPTIONS), "corruptions_caught": caught}
    finding.claim("A sound house breaks no law", not sound, f"{len(laws)} laws, {len(sound)} broken")
    finding.claim(
        "Each law finds the damage it is there for, and no law is wrong about other damage",
        not surprises and covered == set(laws),
        f"{caught} of {len(CORRUPTIONS)} corruptions, which break {len(covered)} of {len(laws)} laws",
    )
    return finding


async def _furnish(server: PostgresServer) -> list[str]:
    """Make the house that is copied for each corruption; the laws it breaks, which must be none."""
    dsn = server.create_database(_TEMPLATE)
    await migrate(dsn, FUNCTION_SOURCES)
    connection = await asyncpg.connect(dsn)
    try:
        await house.build(connection)
    finally:
        await connection.close()
    return sorted(await _violations(dsn))


async def _break(server: PostgresServer, corruption: Corruption) -> frozenset[str]:
    dsn = server.create_database(template=_TEMPLATE)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(corruption.statements)
    finally:
        await connection.close()
    try:
        return await _violations(dsn)
    finally:
        server.drop_database(dsn)


async def _violations(dsn: str) -> frozenset[str]:
    async with await open_pool(dsn, size=1, application_name="proof") as pool:
        return frozenset((await AuditStore(pool).check(house.SHARE, quiescent=True)).violations)
