"""How many requests a user may send, counted in one process."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody
from litestar.types import Scope

from overbookr.http.addresses import ClientAddresses, networks_of
from overbookr.http.allowances import OF_ADDRESS, Allowance, AllowanceMiddleware, Allowances, allowance_of
from overbookr.http.auth import ASKED_BY_COMMAND, PrincipalMiddleware, TokenVerifier, principal_of
from overbookr.http.failures import EXCEPTION_HANDLERS
from overbookr.http.front import Front
from overbookr.users.tokens import issue_access
from tests.http.conftest import SECRET, Standings, serving

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spent(allowance: Allowance, key: object, times: int) -> int:
    """How many of so many requests are within the allowance."""
    return sum(allowance.spend(key) == 0.0 for _ in range(times))


@pytest.mark.parametrize("per_minute", [1, 3, 7, 60, 100, 600, 999, 10_000])
def test_an_allowance_is_that_many_at_once_and_that_many_a_minute(per_minute: int, clock: Clock) -> None:
    allowance = Allowance(per_minute, clock=clock)
    assert spent(allowance, "ada", per_minute + 5) == per_minute
    clock.now += 30.0
    assert spent(allowance, "ada", per_minute + 5) == per_minute // 2
    clock.now += 60.0
    assert spent(allowance, "ada", per_minute + 5) == per_minute


def test_who_waits_as_long_as_told_is_served_and_not_sooner(clock: Clock) -> None:
    allowance = Allowance(3, clock=clock)
    assert spent(allowance, "ada", 3) == 3
    seconds = allowance.spend("ada")
    assert seconds == pytest.approx(20)
    clock.now += seconds - 1
    assert allowance.spend("ada") == pytest.approx(1)
    clock.now += 1
    assert allowance.spend("ada") == 0.0


def test_a_refusal_takes_nothing_away(clock: Clock) -> None:
    allowance = Allowance(3, clock=clock)
    assert spent(allowance, "ada", 1000) == 3
    clock.now += 20.5
    assert spent(allowance, "ada", 1000) == 1


def test_users_have_allowances_of_their_own(clock: Clock) -> None:
    allowance = Allowance(2, clock=clock)
    assert spent(allowance, "ada", 9) == 2
    assert spent(allowance, "ben", 9) == 2


def test_what_was_spent_is_remembered_for_a_minute_and_then_forgotten(clock: Clock) -> None:
    allowance = Allowance(60, clock=clock)
    for step in range(300):
        assert spent(allowance, "ada", 70) == (60 if step == 0 else 1), step
        for other in range(20):
            allowance.spend((step, other))
        clock.now += 1.0
    # Two minutes' worth of users at most, of the six thousand that came by.
    assert len(allowance._recent) + len(allowance._older) <= 2 * 61 * 20 + 2


def test_a_crowd_of_keys_takes_bounded_memory(clock: Clock) -> None:
    allowance = Allowance(60, clock=clock, keys_max=100)
    for number in range(10_000):
        allowance.spend(number)
    assert len(allowance._recent) + len(allowance._older) <= 200


@post("/holds", opt={"policy": "user", "allowance": "holds"})
async def hold(data: JSONBody[dict[str, int]]) -> dict[str, int]:
    return data


@post("/bookings", opt={"policy": "user", "standing": ASKED_BY_COMMAND, "allowance": "holds"})
async def book(scope: Scope) -> dict[str, str | None]:
    return {"role": principal_of(scope).role}


@get("/bookings", opt={"policy": "user"})
async def bookings() -> dict[str, str]:
    return {}


@get("/events", opt={"policy": "anyone"})
async def events(scope: Scope) -> dict[str, str]:
    return {}


@get("/healthz", opt={"policy": "anyone", "reads_principal": False})
async def health() -> dict[str, str]:
    return {}


@post("/users/logout", opt={"policy": "user"})
async def log_out() -> dict[str, str]:
    return {}


ROUTES = [hold, book, bookings, events, health, log_out]


@pytest.fixture
async def client(standings: Standings) -> AsyncIterator[httpx.AsyncClient]:
    allowances = Allowances({"reads": 4, "holds": 2, "bookings": 0, OF_ADDRESS: 3})
    addresses = ClientAddresses(networks_of("127.0.0.1"))
    app = Litestar(
        route_handlers=ROUTES,
        middleware=[
            DefineMiddleware(PrincipalMiddleware, verifier=TokenVerifier(SECRET), read_standing=standings.read),
            DefineMiddleware(
                AllowanceMiddleware, allowances=allowances, addresses=addresses, read_standing=standings.read
            ),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
        openapi_config=None,
    )
    async with serving(Front(app)) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        yield client


@pytest.fixture
def newcomer(standings: Standings) -> Callable[..., dict[str, str]]:
    """Headers of a new user."""

    def make(role: str = "user") -> dict[str, str]:
        user_id = uuid.uuid4()
        standings.known[user_id] = (1, role)
        return {"Authorization": f"Bearer {issue_access(SECRET, user_id, 1, 600)}"}

    return make


async def answers(client: httpx.AsyncClient, times: int, method: str, path: str, **options: Any) -> list[int]:
    return [(await client.request(method, path, **options)).status_code for _ in range(times)]


async def test_each_kind_of_request_has_its_allowance(
    client: httpx.AsyncClient, newcomer: Callable[..., dict[str, str]]
) -> None:
    ada, ben = newcomer(), newcomer()
    assert await answers(client, 4, "POST", "/holds", headers=ada, json={}) == [201] * 2 + [429] * 2
    assert await answers(client, 3, "GET", "/bookings", headers=ada) == [200] * 3
    # All that is read is one kind.
    assert await answers(client, 3, "GET", "/events", headers=ada) == [200] + [429] * 2
    assert await answers(client, 2, "POST", "/holds", headers=ben, json={}) == [201] * 2
    # What has no allowance is not counted.
    assert await answers(client, 9, "POST", "/users/logout", headers=ada) == [201] * 9
    assert await answers(client, 9, "GET", "/healthz") == [200] * 9


async def test_the_refusal_is_a_problem_that_says_when_to_come_back(
    client: httpx.AsyncClient, newcomer: Callable[..., dict[str, str]]
) -> None:
    ada = newcomer()
    await answers(client, 2, "POST", "/holds", headers=ada, json={})
    # It is told before the body is looked at.
    answer = await client.post("/holds", headers=ada, content=b"no json")
    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert 29 <= int(answer.headers["retry-after"]) <= 30
    assert answer.headers["x-request-id"] == answer.json()["instance"]


async def test_organisers_are_not_limited(client: httpx.AsyncClient, newcomer: Callable[..., dict[str, str]]) -> None:
    assert await answers(client, 9, "GET", "/bookings", headers=newcomer("admin")) == [200] * 9


async def test_where_the_role_is_not_known_it_is_asked_for_when_the_allowance_is_spent(
    client: httpx.AsyncClient, newcomer: Callable[..., dict[str, str]], standings: Standings
) -> None:
    organiser, buyer = newcomer("admin"), newcomer()
    assert await answers(client, 2, "POST", "/bookings", headers=organiser) == [201] * 2
    assert standings.asked == 0
    assert await answers(client, 5, "POST", "/bookings", headers=organiser) == [201] * 5
    assert await answers(client, 4, "POST", "/bookings", headers=buyer) == [201] * 2 + [429] * 2
    # An organiser's token that is over is nobody's.
    standings.known = dict.fromkeys(standings.known, (2, "admin"))
    assert await answers(client, 1, "POST", "/bookings", headers=organiser) == [429]


async def test_who_has_no_token_is_counted_by_address(
    client: httpx.AsyncClient, newcomer: Callable[..., dict[str, str]]
) -> None:
    here, there = {"X-Forwarded-For": "6.6.6.6, 1.2.3.4"}, {"X-Forwarded-For": "6.6.6.6, 1.2.3.5"}
    assert await answers(client, 5, "GET", "/events", headers=here) == [200] * 3 + [429] * 2
    assert await answers(client, 3, "GET", "/events", headers=there) == [200] * 3
    # A user at that address has an allowance of their own.
    assert await answers(client, 4, "GET", "/events", headers=here | newcomer()) == [200] * 4


def test_a_route_that_misspells_its_allowance_is_found() -> None:
    @get("/", opt={"allowance": "reeds"})
    async def misspelt() -> None: ...

    with pytest.raises(ValueError, match="reeds"):
        allowance_of(misspelt)
