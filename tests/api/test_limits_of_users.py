"""What one user may ask for, where several processes answer."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.house.postgres import PostgresServer
from tests.house.redis import RedisServer, redis_program
from tests.house.serving import Served, serve
from tests.house.world import Someone, World, code_of, open_world

pytestmark = pytest.mark.anyio

LIMITS = {
    "OVERBOOKR_WORKERS": "1",
    "OVERBOOKR_DUTIES": "off",
    "OVERBOOKR_RATE_LIMIT": "on",
    "OVERBOOKR_READS_PER_MINUTE": "5",
    "OVERBOOKR_HOLDS_PER_MINUTE": "4",
    "OVERBOOKR_BOOKINGS_PER_MINUTE": "3",
    "OVERBOOKR_WAITLIST_JOINS_PER_MINUTE": "2",
}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    program = redis_program()
    if program is None:
        reason = "neither Redis nor Valkey is installed (make test-deps installs redis-tools, as root with apt)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    server = RedisServer(program, tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@asynccontextmanager
async def two_processes(dsn: str, folder: Path, **settings: str) -> AsyncIterator[tuple[World, World]]:
    """The same database behind two API processes that know nothing of each other."""
    async with AsyncExitStack() as stack:
        worlds = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            served = await asyncio.to_thread(serve, dsn, folder / name, {**LIMITS, **settings})
            stack.callback(served.stop)
            worlds.append(await stack.enter_async_context(open_world(served)))
        yield worlds[0], worlds[1]


@pytest.fixture(scope="module")
def module_dsn(server: PostgresServer, template: str) -> str:
    return server.create_database(template=template)


async def attempts(world: World, user: Someone, event_id: str, seats: range) -> list[int]:
    return [(await world.hold(user, event_id, f"S{seat}")).status_code for seat in seats]


async def _decided(world: World, user: Someone, event_id: str, labels: tuple[str, ...]) -> httpx.Response:
    """The answer to a hold. To be busy is none: nothing was begun, so it may be asked again."""
    async with asyncio.timeout(60):
        while (answer := await world.hold(user, event_id, *labels)).status_code == 503:
            await asyncio.sleep(float(answer.headers["retry-after"]))
        return answer


async def uncounted(world: World) -> float:
    lines = (await world.http.get("/metrics")).text.splitlines()
    name = "overbookr_rate_limit_uncounted_total"
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def test_each_kind_has_its_limit_and_others_have_theirs(start_server: Callable[..., Served]) -> None:
    async with open_world(start_server(**LIMITS)) as world:
        ada, ben = await world.users(2)
        event_id = await world.event(seats=8)
        holds = [await world.hold(ada, event_id, f"S{seat}") for seat in range(1, 7)]
        assert [answer.status_code for answer in holds] == [201] * 4 + [429] * 2
        assert code_of(holds[-1]) == (429, "rate_limited")
        assert 1 <= int(holds[-1].headers["retry-after"]) <= 15
        token = holds[0].json()["hold_token"]
        bookings = [await world.book(ada, event_id, token) for _ in range(5)]
        assert [answer.status_code for answer in bookings] == [201, 409, 409, 429, 429]
        joins = [await world.join(ada, event_id, 1) for _ in range(3)]
        assert [answer.status_code for answer in joins] == [409, 409, 429]
        reads = [await world.http.get("/bookings", headers=ada.headers) for _ in range(6)]
        assert [answer.status_code for answer in reads] == [200] * 5 + [429]
        # To let go is never refused: it gives seats back.
        unwanted = holds[1].json()["hold_token"]
        assert (await world.http.delete(f"/holds/{unwanted}", headers=ada.headers)).status_code == 204
        assert (await world.hold(ben, event_id, "S7")).status_code == 201
        # Who has no token is not counted unless a limit by address is set: an address may be a whole university.
        assert {(await world.http.get(f"/events/{event_id}")).status_code for _ in range(20)} == {200}
        await world.assert_lawful()


async def test_the_share_of_seats_is_exact_over_two_processes(module_dsn: str, tmp_path: Path) -> None:
    """Whatever the limits of requests count, a user gets no seat too many: that is decided under the event's lock."""
    async with two_processes(module_dsn, tmp_path, OVERBOOKR_RATE_LIMIT="off") as (first, second):
        for seats in (1, 3):
            ada = await first.user()
            event_id = await first.event(seats=120)
            wanted = [tuple(f"S{1 + number * seats + seat}" for seat in range(seats)) for number in range(40)]
            answers = await asyncio.gather(
                *(_decided((first, second)[number % 2], ada, event_id, labels) for number, labels in enumerate(wanted))
            )
            statuses = [answer.status_code for answer in answers]
            assert statuses.count(201) == 10 // seats
            assert {code_of(answer) for answer in answers if answer.status_code != 201} == {(409, "hold_limit")}
            assert (await first.get_event(event_id))["held_count"] == 10 // seats * seats
        await first.assert_lawful()


async def test_without_a_storage_each_process_counts_for_itself(module_dsn: str, tmp_path: Path) -> None:
    async with two_processes(module_dsn, tmp_path) as (first, second):
        ada = await first.user()
        event_id = await first.event(seats=20)
        assert await attempts(first, ada, event_id, range(1, 6)) == [201] * 4 + [429]
        assert await attempts(second, ada, event_id, range(6, 11)) == [201] * 4 + [429]


async def test_with_a_storage_processes_count_together(module_dsn: str, tmp_path: Path, redis: RedisServer) -> None:
    redis.start()
    async with two_processes(module_dsn, tmp_path, OVERBOOKR_RATE_LIMIT_STORAGE=redis.url) as (first, second):
        ada = await first.user()
        event_id = await first.event(seats=30)
        assert await attempts(first, ada, event_id, range(1, 4)) == [201] * 3
        assert await attempts(second, ada, event_id, range(4, 7)) == [201, 429, 429]
        refused = await first.hold(ada, event_id, "S7")
        assert code_of(refused) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert await uncounted(first) == 0
        # Many at once, over both: not one too many.
        ben = await first.user()
        answers = await asyncio.gather(
            *((first, second)[seat % 2].hold(ben, event_id, f"S{seat}") for seat in range(10, 28))
        )
        assert sorted(answer.status_code for answer in answers) == [201] * 4 + [429] * 14
        # Failed logins as well: five in all, whichever process hears them.
        wrong = {"email": f"{ada.email}", "password": "wrong"}
        logins = [await world.http.post("/users/login", json=wrong) for world in (first, second) * 4]
        assert [answer.status_code for answer in logins] == [401] * 5 + [429] * 3
    redis.kill()


async def test_requests_go_on_while_the_storage_is_away(module_dsn: str, tmp_path: Path, redis: RedisServer) -> None:
    redis.start()
    async with two_processes(module_dsn, tmp_path, OVERBOOKR_RATE_LIMIT_STORAGE=redis.url) as (first, second):
        ada, ben, cleo, dora = await first.users(4)
        event_id = await first.event(seats=60)
        assert await attempts(first, ada, event_id, range(1, 3)) == [201] * 2
        redis.kill()
        # Each process still counts for itself.
        assert await attempts(first, ben, event_id, range(10, 15)) == [201] * 4 + [429]
        assert await attempts(second, ben, event_id, range(15, 20)) == [201] * 4 + [429]
        assert await uncounted(first) >= 4
        redis.start()
        await _until_counted(first)
        await _until_counted(second)
        assert await attempts(first, cleo, event_id, range(20, 23)) == [201] * 3
        assert await attempts(second, cleo, event_id, range(23, 25)) == [201, 429]
        # One that takes connections and answers nothing costs its time limit once in a while, not each request's.
        redis.freeze()
        started = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(first.hold(dora, event_id, f"S{seat}") for seat in range(30, 50)))
        elapsed = asyncio.get_running_loop().time() - started
        redis.thaw()
        assert sorted(answer.status_code for answer in answers) == [201] * 4 + [429] * 16
        assert elapsed < 5, "nobody waits for a storage that does not answer"
        assert first.served.log.count("rate_limit_storage_away") in (1, 2)
        assert (await first.http.get("/readyz")).status_code == 200
    redis.kill()


async def _until_counted(world: World) -> None:
    """Read as new users until a read is counted by the storage."""
    async with asyncio.timeout(30):
        while True:
            before = await uncounted(world)
            await world.http.get("/bookings", headers=(await world.user()).headers)
            if await uncounted(world) == before:
                return


async def test_forwarded_addresses_count_only_from_a_trusted_proxy(start_server: Callable[..., Served]) -> None:
    settings = LIMITS | {"OVERBOOKR_ADDRESS_READS_PER_MINUTE": "3"}

    async def statuses(http: httpx.AsyncClient, *forwarded: str) -> list[int]:
        return [(await http.get("/events", headers={"X-Forwarded-For": value})).status_code for value in forwarded]

    async with open_world(start_server(**settings)) as world:
        assert await statuses(world.http, *(f"1.2.3.{number}" for number in range(5))) == [200] * 3 + [429] * 2
    async with open_world(start_server(**settings, OVERBOOKR_TRUSTED_PROXIES="127.0.0.0/8")) as world:
        assert await statuses(world.http, *(f"1.2.3.{number}" for number in range(5))) == [200] * 5
        spoofed = [f"6.6.6.{number}, 9.9.9.9" for number in range(5)]
        assert await statuses(world.http, *spoofed) == [200] * 3 + [429] * 2
