"""Background work for users."""

from typing import Final

from overbookr.users.store import UserStore

TOKENS_PER_ROUND_MAX: Final = 1000


class ForgetExpiredTokens:
    """Deletes refresh tokens a day after they expired."""

    name = "forget_expired_tokens"
    period_seconds = 3600.0

    def __init__(self, users: UserStore) -> None:
        self._users = users

    async def run_once(self) -> int:
        return await self._users.forget_expired_tokens(TOKENS_PER_ROUND_MAX)
