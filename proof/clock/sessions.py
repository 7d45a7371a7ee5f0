"""Access and refresh tokens between instances whose clocks differ."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import aiohttp
import jwt

from proof.clock.faketime import FakeClock

_EFFECTIVE_SECONDS: Final = 15.0
_TOLERANCE_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Instance:
    """A running Overbookr and the clock that its processes see."""

    name: str
    url: str
    clock: FakeClock


class Session:
    """One user's session, carried from instance to instance by its refresh token, of which each buys one new pair."""

    def __init__(self, http: aiohttp.ClientSession, refresh_token: str) -> None:
        self._http = http
        self._refresh_token = refresh_token
        self.refreshed = 0

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, instance: Instance, email: str) -> "Session":
        body = {"name": "Somebody", "email": email, "password": "a password of the proof 93b1"}
        async with http.post(f"{instance.url}/users/register", json=body) as response:
            response.raise_for_status()
            return cls(http, (await response.json())["refresh_token"])

    async def token_of(self, instance: Instance) -> str:
        """A new access token, issued by the clock of this instance. Raises aiohttp.ClientResponseError when refused."""
        body = {"refresh_token": self._refresh_token}
        async with self._http.post(f"{instance.url}/users/refresh", json=body) as response:
            response.raise_for_status()
            content = await response.json()
        self._refresh_token = content["refresh_token"]
        self.refreshed += 1
        token: str = content["token"]
        return token

    async def offset_seen(self, instance: Instance) -> float:
        """How many seconds the clock that an API process of the instance reads is off, by what it writes in a token."""
        return issued_at(await self.token_of(instance)) - time.time()

    async def until_effective(self, instance: Instance) -> float:
        """Wait until the instance's processes see the time they are to see; the offset seen. Raises TimeoutError."""
        deadline = time.monotonic() + _EFFECTIVE_SECONDS
        while abs((seen := await self.offset_seen(instance)) - instance.clock.offset) > _TOLERANCE_SECONDS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{instance.name} sees an offset of {seen:.0f} s, not of {instance.clock.offset} s")
            await asyncio.sleep(0.05)
        return seen

    async def is_accepted(self, token: str, instance: Instance) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._http.get(f"{instance.url}/users/me", headers=headers) as response:
            if response.status not in {200, 401}:
                response.raise_for_status()
            return response.status == 200


def issued_at(token: str) -> int:
    claims = jwt.decode(token, options={"verify_signature": False})
    issued: int = claims["iat"]
    return issued


async def matrix(session: Session, instances: list[Instance]) -> dict[str, bool]:
    """Whether a token issued by one instance is accepted by another, as "ahead at behind"."""
    tokens = {instance.name: await session.token_of(instance) for instance in instances}
    return {
        f"{issuer.name} at {verifier.name}": await session.is_accepted(tokens[issuer.name], verifier)
        for issuer in instances
        for verifier in instances
    }


async def accepted_from(session: Session, instance: Instance, ahead: int) -> bool:
    """Whether the instance, on time, accepts a token that was issued by a clock so many seconds ahead."""
    instance.clock.set(ahead)
    await session.until_effective(instance)
    token = await session.token_of(instance)
    instance.clock.set(0)
    await session.until_effective(instance)
    return await session.is_accepted(token, instance)
