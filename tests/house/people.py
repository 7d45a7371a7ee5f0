"""Accounts made by SQL, so that nobody waits for password hashes that are not what is tried."""

from uuid import UUID

from overbookr.database.pool import Connection, Pool
from overbookr.ids import new_id


async def create_users(database: Pool | Connection, count: int, role: str = "user") -> list[UUID]:
    """Their ids; each has the address `<id>@example.org`, token version 1, and a password that nobody knows."""
    user_ids = [new_id() for _ in range(count)]
    await database.execute(
        """insert into users (user_id, name, email, role, password_hash)
           select u.id, 'Somebody', u.id || '@example.org', $2, 'none' from unnest($1::uuid[]) u (id)""",
        user_ids,
        role,
    )
    return user_ids
