"""The exceptions that end a command with a sentence instead of a traceback."""

import asyncpg

from overbookr.database.cluster import EmbeddedError
from overbookr.database.migrate import (
    BadMigration,
    DatabaseNewer,
    MigrationChanged,
    MigrationFailed,
    MigrationLockTimeout,
)
from overbookr.database.pool import DurabilityRefused, ServerTooOld
from overbookr.database.programs import ProgramsMissing
from overbookr.serving import StartRefused
from overbookr.users.tokens import SecretRefused
from overbookr.welcome import AdministratorRefused

REFUSALS: tuple[type[Exception], ...] = (
    AdministratorRefused,
    BadMigration,
    DatabaseNewer,
    DurabilityRefused,
    EmbeddedError,
    MigrationChanged,
    MigrationFailed,
    MigrationLockTimeout,
    ProgramsMissing,
    SecretRefused,
    ServerTooOld,
    StartRefused,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    ConnectionRefusedError,
    FileNotFoundError,
)
