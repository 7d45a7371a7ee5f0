"""Opens the pools and stores that a process works with: the API's, the duties', and those of commands."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from overbookr.audit.store import AuditStore
from overbookr.database.pool import Pool, open_pool
from overbookr.events.store import EventStore
from overbookr.seats.store import SeatStore
from overbookr.settings import Settings
from overbookr.users.passwords import Passwords
from overbookr.users.store import UserStore
from overbookr.users.tokens import TokenIssuer, load_secret


async def open_pools(stack: AsyncExitStack, dsn: str, settings: Settings, role: str, lanes: int) -> tuple[Pool, Pool]:
    """A pool for reads and one for writes, the latter with a connection for each lane and two for organisers."""
    reads = await open_pool(
        dsn,
        size=settings.read_connections,
        application_name=f"overbookr {role} reads",
        statement_cache=settings.statement_cache,
    )
    stack.push_async_callback(reads.close)
    writes = await open_pool(
        dsn,
        size=lanes + 2,
        application_name=f"overbookr {role} writes",
        statement_cache=settings.statement_cache,
        write=True,
    )
    stack.push_async_callback(writes.close)
    return reads, writes


def make_users(stack: AsyncExitStack, reads: Pool, settings: Settings, secret: bytes) -> UserStore:
    """The users' store. The stack closes what it hashes passwords with."""
    passwords = Passwords()
    stack.callback(passwords.close)
    issuer = TokenIssuer(
        secret, access_ttl_seconds=settings.access_ttl_seconds, refresh_ttl_seconds=settings.refresh_ttl_seconds
    )
    return UserStore(reads, passwords, issuer)


@asynccontextmanager
async def open_users(dsn: str, settings: Settings) -> AsyncIterator[UserStore]:
    """The users' store for a command of the command line."""
    async with AsyncExitStack() as stack:
        reads, _ = await open_pools(stack, dsn, settings, "command", 0)
        yield make_users(stack, reads, settings, load_secret(settings))


@asynccontextmanager
async def open_seats(dsn: str, settings: Settings) -> AsyncIterator[SeatStore]:
    """The seats' store for a command of the command line."""
    async with AsyncExitStack() as stack:
        _, writes = await open_pools(stack, dsn, settings, "command", 0)
        yield SeatStore(writes, user_seats_max=settings.user_max_seats_per_event)


@asynccontextmanager
async def open_events(dsn: str, settings: Settings) -> AsyncIterator[EventStore]:
    """The events' store for a command of the command line."""
    async with AsyncExitStack() as stack:
        reads, writes = await open_pools(stack, dsn, settings, "command", 0)
        yield EventStore(reads, writes, user_seats_max=settings.user_max_seats_per_event)


@asynccontextmanager
async def open_audit(dsn: str, settings: Settings) -> AsyncIterator[AuditStore]:
    """The audit's store for a command of the command line."""
    async with AsyncExitStack() as stack:
        reads, _ = await open_pools(stack, dsn, settings, "command", 0)
        yield AuditStore(reads)
