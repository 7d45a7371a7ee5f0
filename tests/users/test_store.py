"""What the command line and the demo use."""

import asyncio
from uuid import UUID

import pytest

from overbookr.database.pool import Pool
from overbookr.users.model import AccountInvalid, AdminEnsured, BadCredentials, LoggedIn, LogIn
from overbookr.users.store import UserStore

from .conftest import PASSWORD, Account, NewEmail

pytestmark = pytest.mark.anyio


async def test_an_admin_is_made_once(store: UserStore, new_email: NewEmail) -> None:
    email = new_email()
    first = await store.ensure_admin(f" {email.upper()}", PASSWORD, " Root ")
    assert isinstance(first, AdminEnsured)
    assert (first.created, first.changed) == (True, True)
    user = await store.find(first.user_id)
    assert user is not None
    assert (user.email, user.name, user.role, user.token_version) == (email, "Root", "admin", 1)
    # A restart changes nothing, so nobody is logged out by it.
    assert await store.ensure_admin(email, PASSWORD) == AdminEnsured(first.user_id, created=False, changed=False)
    assert await store.find(first.user_id) == user


async def test_an_existing_user_becomes_admin_with_that_password(account: Account, store: UserStore) -> None:
    outcome = await store.ensure_admin(account.email, "another password")
    assert outcome == AdminEnsured(UUID(account.answer["id"]), created=False, changed=True)
    assert (await account.me()).status_code == 401
    assert (await account.refresh()).status_code == 401
    assert (await account.log_in()).status_code == 401
    answer = (await account.log_in("another password")).json()
    assert (answer["role"], answer["name"]) == ("admin", "Ada")


async def test_a_role_is_raised_even_with_the_same_password(account: Account, store: UserStore) -> None:
    await store.ensure_admin(account.email, PASSWORD)
    assert (await account.log_in()).json()["role"] == "admin"


async def test_processes_that_start_together_make_one_admin(
    store: UserStore, new_email: NewEmail, users_pool: Pool
) -> None:
    email = new_email()
    outcomes = await asyncio.gather(*(store.ensure_admin(email, PASSWORD) for _ in range(6)))
    assert len({outcome.user_id for outcome in outcomes if isinstance(outcome, AdminEnsured)}) == 1
    assert await users_pool.fetchval("select count(*) from users where email = $1", email) == 1
    assert isinstance(await store.log_in(LogIn(email, PASSWORD)), LoggedIn)


async def test_an_admin_needs_a_sound_account(store: UserStore) -> None:
    outcome = await store.ensure_admin("nonsense", "short", " ")
    assert isinstance(outcome, AccountInvalid)
    assert [field for field, _ in outcome.faults] == ["name", "email", "password"]


async def test_many_users_at_once(store: UserStore, new_email: NewEmail, account: Account, users_pool: Pool) -> None:
    people = [(f"Guest {number}", new_email()) for number in range(2000)]
    made = await store.create_in_bulk(people, "a shared password")
    assert [user.email for user in made] == [email for _, email in people]
    assert len({user.user_id for user in made}) == 2000
    row = await users_pool.fetchrow("select * from users where user_id = $1", made[7].user_id)
    assert row is not None
    assert (row["name"], row["email"], row["role"]) == ("Guest 7", people[7][1], "user")
    assert isinstance(await store.log_in(LogIn(people[7][1], "a shared password")), LoggedIn)
    # Again, with somebody who was there before: all of them stay who they are.
    again = await store.create_in_bulk([*people[:3], ("Mallory", account.email)], "yet another one")
    assert again[:3] == made[:3]
    assert str(again[3].user_id) == account.answer["id"]
    assert isinstance(await store.log_in(LogIn(account.email, "yet another one")), BadCredentials)
    assert isinstance(await store.log_in(LogIn(account.email, PASSWORD)), LoggedIn)
