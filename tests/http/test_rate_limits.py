import pytest

from overbookr.http.problem import Refused
from overbookr.http.rate_limits import RateLimits

pytestmark = pytest.mark.anyio


async def allowed(action: object, *arguments: str) -> int:
    """How often it may be done before it is refused; at most 200 times."""
    for count in range(200):
        try:
            await action(*arguments)  # type: ignore[operator]
        except Refused as refused:
            assert refused.code == "rate_limited"
            problem = refused.to_problem()
            assert problem.status == 429
            assert 1 <= int(problem.headers["retry-after"]) <= 60
            return count
    return 200


async def test_logins_and_registrations_by_address() -> None:
    rate_limits = RateLimits(enabled=True)
    assert await allowed(rate_limits.count_login, "10.0.0.1") == 120
    assert await allowed(rate_limits.count_login, "10.0.0.2") == 120
    assert await allowed(rate_limits.count_registration, "10.0.0.1") == 60


async def test_only_failures_use_up_the_share_of_an_account() -> None:
    rate_limits = RateLimits(enabled=True)
    assert await allowed(rate_limits.check_failures, "ada@example.org", "10.0.0.1") == 200

    async def guess(account: str, address: str) -> None:
        await rate_limits.check_failures(account, address)
        await rate_limits.count_failure(account, address)

    assert await allowed(guess, "ada@example.org", "10.0.0.1") == 5
    # The owner, who is elsewhere, still gets in.
    assert await allowed(rate_limits.check_failures, "ada@example.org", "10.0.0.2") == 200
    assert await allowed(guess, "bob@example.org", "10.0.0.1") == 5


async def test_many_addresses_together_cannot_guess_without_end() -> None:
    rate_limits = RateLimits(enabled=True)
    evaluated = 0
    for number in range(100):
        try:
            await rate_limits.check_failures("ada@example.org", f"10.0.0.{number}")
        except Refused:
            continue
        evaluated += 1
        await rate_limits.count_failure("ada@example.org", f"10.0.0.{number}")
    assert evaluated == 50


async def test_off_means_off() -> None:
    rate_limits = RateLimits(enabled=False)
    assert await allowed(rate_limits.count_login, "10.0.0.1") == 200
    await rate_limits.count_failure("ada@example.org", "10.0.0.1")
    assert await allowed(rate_limits.check_failures, "ada@example.org", "10.0.0.1") == 200


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_failure_itself_is_never_refused(enabled: bool) -> None:
    rate_limits = RateLimits(enabled=enabled)
    for _ in range(100):
        await rate_limits.count_failure("ada@example.org", "10.0.0.1")
