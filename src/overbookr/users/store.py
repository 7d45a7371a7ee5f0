"""Runs the users' SQL: registration, sessions, passwords, and the standing that each request is checked against."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from overbookr import limits
from overbookr.database.pool import Connection, Pool, acquire
from overbookr.database.sql import load_queries
from overbookr.ids import new_id
from overbookr.users.model import (
    AccountInvalid,
    AdminEnsured,
    BadCredentials,
    BulkUser,
    ChangePassword,
    ChangePasswordOutcome,
    EmailTaken,
    EnsureAdminOutcome,
    LoggedIn,
    LogIn,
    LogInOutcome,
    PasswordChanged,
    Refreshed,
    RefreshOutcome,
    RefreshRefused,
    Register,
    Registered,
    RegisterOutcome,
    Session,
    SessionOver,
    User,
    WrongPassword,
    account_faults,
    clean_email,
    clean_name,
)
from overbookr.users.passwords import BeforeWork, Passwords, Verdict
from overbookr.users.tokens import TokenIssuer, hash_refresh_token, new_refresh_token

_QUERIES = load_queries("overbookr.users")


class UserStore:
    def __init__(self, pool: Pool, passwords: Passwords, issuer: TokenIssuer) -> None:
        self._pool = pool
        self._passwords = passwords
        self._issuer = issuer

    async def register(self, command: Register) -> RegisterOutcome:
        """Make a user and log them in. The command's texts must be clean and without faults."""
        # The answer says that an e-mail is taken, so asking first gives nothing away and saves the hashing.
        if await self._find_with_password(command.email) is not None:
            return EmailTaken()
        password_hash = await self._passwords.hash(command.password)
        refresh_token = new_refresh_token()
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(
                _QUERIES.insert_user,
                command.user_id,
                command.name,
                command.email,
                command.role,
                password_hash,
                hash_refresh_token(refresh_token),
                new_id(),
                self._issuer.refresh_ttl_seconds,
            )
        return EmailTaken() if row is None else Registered(self._session(_user(row), refresh_token))

    async def log_in(self, command: LogIn, before_work: BeforeWork | None = None) -> LogInOutcome:
        """Check a password and open a session. Takes as long for an unknown e-mail as for a wrong password.

        `before_work` runs just before the password is looked at and may raise; see Passwords.verify.
        """
        row = await self._find_with_password(command.email)
        known_hash = None if row is None else row["password_hash"]
        verdict = await self._passwords.verify(known_hash, command.password, before_work)
        if row is None or verdict is Verdict.WRONG:
            return BadCredentials()
        user = _user(row)
        if verdict is Verdict.RIGHT_BUT_OUTDATED:
            new_hash = await self._passwords.hash(command.password)
            async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
                await connection.execute(_QUERIES.replace_password_hash, user.user_id, known_hash, new_hash)
        refresh_token = new_refresh_token()
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            kept = await connection.fetchrow(
                _QUERIES.insert_refresh_token_of_new_family,
                hash_refresh_token(refresh_token),
                new_id(),
                user.user_id,
                self._issuer.refresh_ttl_seconds,
                user.token_version,
            )
        return BadCredentials() if kept is None else LoggedIn(self._session(user, refresh_token))

    async def refresh(self, refresh_token: str, *, grace_seconds: int = 0) -> RefreshOutcome:
        """Spend a refresh token for a new pair. One that was spent before ends its family instead.

        Within `grace_seconds` of being spent it may be used again.
        """
        token_hash, successor = hash_refresh_token(refresh_token), new_refresh_token()
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection, connection.transaction():
            row = await connection.fetchrow(_QUERIES.lock_owner_of_refresh_token, token_hash)
            if row is None:
                return RefreshRefused()
            user = _user(row)
            spent = await connection.fetchrow(_QUERIES.use_refresh_token, token_hash, grace_seconds)
            if spent is None:
                await connection.execute(_QUERIES.revoke_family_of_used_token, token_hash)
                return RefreshRefused()
            await self._insert_refresh_token(connection, successor, spent["family_id"], user.user_id)
        return Refreshed(self._session(user, successor))

    async def log_out(self, user_id: UUID) -> None:
        """End all sessions of a user: their access tokens are refused from the next request on."""
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection, connection.transaction():
            await connection.execute(_QUERIES.raise_token_version, user_id)
            await connection.execute(_QUERIES.revoke_refresh_tokens, user_id)

    async def find(self, user_id: UUID) -> User | None:
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(_QUERIES.find_user, user_id)
        return None if row is None else _user(row)

    async def rename(self, user_id: UUID, name: str) -> User | None:
        """The user with the new name; None when there is no such user."""
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            row = await connection.fetchrow(_QUERIES.rename_user, user_id, name)
        return None if row is None else _user(row)

    async def change_password(
        self, command: ChangePassword, before_work: BeforeWork | None = None
    ) -> ChangePasswordOutcome:
        """Set a new password, end every session of the user, and open a new one for the caller."""
        user_id, version = command.user_id, command.token_version
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            known_hash = await connection.fetchval(_QUERIES.find_password_hash, user_id, version)
        if known_hash is None:
            return SessionOver()
        if await self._passwords.verify(known_hash, command.current_password, before_work) is Verdict.WRONG:
            return WrongPassword()
        new_hash = await self._passwords.hash(command.password)
        refresh_token = new_refresh_token()
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection, connection.transaction():
            row = await connection.fetchrow(_QUERIES.change_password, user_id, version, new_hash, command.name)
            if row is None:
                return SessionOver()
            await connection.execute(_QUERIES.revoke_refresh_tokens, user_id)
            await self._insert_refresh_token(connection, refresh_token, new_id(), user_id)
        return PasswordChanged(self._session(_user(row), refresh_token))

    async def read_standings(self, user_ids: list[UUID]) -> list[tuple[int, str] | None]:
        """Token version and role of each user at this moment, None for one who is gone; made for a MicroBatcher."""
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(_QUERIES.read_standings, list(set(user_ids)))
        standings: dict[UUID, tuple[int, str]] = {user_id: (version, role) for user_id, version, role in rows}
        return [standings.get(user_id) for user_id in user_ids]

    async def ensure_admin(self, email: str, password: str, name: str = "Administrator") -> EnsureAdminOutcome:
        """Make sure that an admin with this e-mail and password exists; nothing changes if one does already.

        A user who has the e-mail gets the role and the password, keeps the name, and loses all sessions.
        """
        email, name = clean_email(email), clean_name(name)
        faults = account_faults(name, email, password)
        if faults:
            return AccountInvalid(tuple(faults))
        known = await self._find_with_password(email)
        if known is not None and known["role"] == "admin":
            verdict = await self._passwords.verify(known["password_hash"], password)
            if verdict is not Verdict.WRONG:
                return AdminEnsured(known["user_id"], created=False, changed=False)
        password_hash = await self._passwords.hash(password)
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection, connection.transaction():
            row = await connection.fetchrow(_QUERIES.upsert_admin, new_id(), name, email, password_hash)
            assert row is not None
            await connection.execute(_QUERIES.revoke_refresh_tokens, row["user_id"])
        return AdminEnsured(row["user_id"], created=row["created"], changed=True)

    async def create_in_bulk(self, people: Sequence[tuple[str, str]], password: str) -> list[BulkUser]:
        """Make many users with one password, hashed once; `people` are pairs of clean name and e-mail, each once.

        Answers in the order of `people`. Those who exist already stay as they are.
        """
        password_hash = await self._passwords.hash(password)
        names, emails = [name for name, _ in people], [email for _, email in people]
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            rows = await connection.fetch(
                _QUERIES.insert_users, [new_id() for _ in people], names, emails, password_hash
            )
        by_email = {row["email"]: BulkUser(row["user_id"], row["email"], row["token_version"]) for row in rows}
        return [by_email[email] for email in emails]

    async def forget_expired_tokens(self, at_most: int) -> int:
        """Delete refresh tokens that have long expired; how many."""
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            return len(await connection.fetch(_QUERIES.delete_expired_refresh_tokens, at_most))

    async def _find_with_password(self, email: str) -> asyncpg.Record | None:
        async with acquire(self._pool, limits.READ_WAIT_SECONDS_MAX) as connection:
            return await connection.fetchrow(_QUERIES.find_user_with_password, email)

    async def _insert_refresh_token(
        self, connection: Connection, refresh_token: str, family_id: UUID, user_id: UUID
    ) -> None:
        await connection.execute(
            _QUERIES.insert_refresh_token,
            hash_refresh_token(refresh_token),
            family_id,
            user_id,
            self._issuer.refresh_ttl_seconds,
        )

    def _session(self, user: User, refresh_token: str) -> Session:
        return Session(user, self._issuer.access_token(user.user_id, user.token_version), refresh_token)


def _user(row: asyncpg.Record) -> User:
    return User(
        user_id=row["user_id"],
        name=row["name"],
        email=row["email"],
        role=row["role"],
        token_version=row["token_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
