"""The demonstration's accounts: buyers by the thousand and an organiser, with tokens that outlast the sale."""

import random
import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from overbookr.demo.model import DemoRefused
from overbookr.users.model import AdminEnsured
from overbookr.users.store import UserStore
from overbookr.users.tokens import issue_access

# RFC 2606 promises that no mail to this domain ever arrives anywhere.
DOMAIN: Final = "demo.invalid"
TOKEN_SECONDS: Final = 3_600
_CREATED_AT_ONCE = 2_000
_FIRST_NAMES: Final = (
    "Ada",
    "Ben",
    "Carla",
    "Dmitri",
    "Elif",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaya",
    "Lena",
)
_LAST_NAMES: Final = (
    "Adler",
    "Brandt",
    "Conti",
    "Dietz",
    "Engel",
    "Fischer",
    "Gruber",
    "Ito",
    "Jansen",
    "Kraus",
    "Novak",
)


@dataclass(frozen=True, slots=True)
class Person:
    user_id: UUID
    token: str


async def create_buyers(users: UserStore, secret: bytes, count: int) -> list[Person]:
    """The same accounts at every demonstration. Nobody can log in to them: their password is not kept."""
    names = random.Random("names")
    people = [
        (f"{names.choice(_FIRST_NAMES)} {names.choice(_LAST_NAMES)}", f"buyer-{number:06}@{DOMAIN}")
        for number in range(1, count + 1)
    ]
    created: list[Person] = []
    for start in range(0, count, _CREATED_AT_ONCE):
        made = await users.create_in_bulk(people[start : start + _CREATED_AT_ONCE], secrets.token_urlsafe(24))
        created += [
            Person(user.user_id, issue_access(secret, user.user_id, user.token_version, TOKEN_SECONDS)) for user in made
        ]
    return created


async def create_organiser(users: UserStore, secret: bytes) -> Person:
    """An administrator with a password that is not kept."""
    outcome = await users.ensure_admin(f"organiser@{DOMAIN}", secrets.token_urlsafe(24), "Demo organiser")
    if not isinstance(outcome, AdminEnsured):
        raise DemoRefused("The demonstration's organiser could not be made an administrator.")
    user = await users.find(outcome.user_id)
    if user is None:
        raise DemoRefused("The demonstration's organiser is gone.")
    return Person(user.user_id, issue_access(secret, user.user_id, user.token_version, TOKEN_SECONDS))
