import pytest

from overbookr.http.problem import Refused
from overbookr.http.rate_limits import RateLimits, client_address


def allowed(action: object, *arguments: str) -> int:
    """How often it may be done before it is refused; at most 200 times."""
    for count in range(200):
        try:
            action(*arguments)  # type: ignore[operator]
        except Refused as refused:
            assert refused.code == "rate_limited"
            problem = refused.to_problem()
            assert problem.status == 429
            assert 1 <= int(problem.headers["retry-after"]) <= 60
            return count
    return 200


def test_logins_and_registrations_by_address() -> None:
    rate_limits = RateLimits(enabled=True)
    assert allowed(rate_limits.count_login, "10.0.0.1") == 120
    assert allowed(rate_limits.count_login, "10.0.0.2") == 120
    assert allowed(rate_limits.count_registration, "10.0.0.1") == 60


def test_only_failures_use_up_the_share_of_an_account() -> None:
    rate_limits = RateLimits(enabled=True)
    assert allowed(rate_limits.check_failures, "ada@example.org", "10.0.0.1") == 200

    def guess(account: str, address: str) -> None:
        rate_limits.check_failures(account, address)
        rate_limits.count_failure(account, address)

    assert allowed(guess, "ada@example.org", "10.0.0.1") == 5
    # The owner, who is elsewhere, still gets in.
    assert allowed(rate_limits.check_failures, "ada@example.org", "10.0.0.2") == 200
    assert allowed(guess, "bob@example.org", "10.0.0.1") == 5


def test_many_addresses_together_cannot_guess_without_end() -> None:
    rate_limits = RateLimits(enabled=True)
    evaluated = 0
    for number in range(100):
        try:
            rate_limits.check_failures("ada@example.org", f"10.0.0.{number}")
        except Refused:
            continue
        evaluated += 1
        rate_limits.count_failure("ada@example.org", f"10.0.0.{number}")
    assert evaluated == 50


def test_off_means_off() -> None:
    rate_limits = RateLimits(enabled=False)
    assert allowed(rate_limits.count_login, "10.0.0.1") == 200
    rate_limits.count_failure("ada@example.org", "10.0.0.1")
    assert allowed(rate_limits.check_failures, "ada@example.org", "10.0.0.1") == 200


def test_forwarded_headers_are_not_believed() -> None:
    scope = {
        "client": ("10.0.0.1", 5000),
        "headers": [(b"x-forwarded-for", b"1.2.3.4"), (b"forwarded", b"for=1.2.3.4")],
    }
    assert client_address(scope) == "10.0.0.1"  # type: ignore[arg-type]
    assert client_address({"client": None, "headers": []}) == "unknown"  # type: ignore[arg-type]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_failure_itself_is_never_refused(enabled: bool) -> None:
    rate_limits = RateLimits(enabled=enabled)
    for _ in range(100):
        rate_limits.count_failure("ada@example.org", "10.0.0.1")
