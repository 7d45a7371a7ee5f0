"""The scheduler misses no interleaving, sees who waits for whom, and finds what is wrong in functions made wrong."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import comb
from pathlib import Path

import asyncpg
import pytest

from overbookr.database.pool import Pool
from proof.interleavings import instrument as instrumenting
from proof.interleavings import scheduler as scheduling
from proof.interleavings.controls import CONTROLS
from proof.interleavings.exploration import Bound, Explored, explore, follow
from proof.interleavings.instrument import NotUnderstood, instrument, statements, touches
from proof.interleavings.scheduler import Course, Operation, Scheduler, Step, Stuck, open_scheduler
from proof.interleavings.stage import open_theatre, serial_orders
from proof.interleavings.trial import try_all
from tests.house.postgres import PostgresServer

pytestmark = pytest.mark.anyio

GATES = (Path(instrumenting.__file__).parent / "gates.sql").read_text()

ACCOUNTS = """
create table accounts (name text primary key, amount integer not null);
insert into accounts values ('a', 0), ('b', 0), ('c', 0), ('d', 0), ('e', 0);
create function add_to(p_name text) returns integer language plpgsql as $$
begin
  update accounts set amount = amount + 1 where name = p_name;
  return 1;
end $$;
create function add_to_both(p_first text, p_second text) returns integer language plpgsql as $$
declare
  v_amount integer;
begin
  update accounts set amount = amount + 1 where name = p_first;
  v_amount := 7;
  if v_amount > 6 then
    update accounts set amount = amount + 1 where name = p_second;
  end if;
  return v_amount;
end $$;
create function read_and_add(p_name text, p_lock boolean) returns integer language plpgsql as $$
declare
  v_amount integer;
begin
  if p_lock then
    perform 1 from accounts where name = p_name for update;
  end if;
  select amount into v_amount from accounts where name = p_name;
  update accounts set amount = v_amount + 1 where name = p_name;
  return v_amount + 1;
end $$;
"""


@asynccontextmanager
async def bank(dsn: str) -> AsyncIterator[Scheduler]:
    connection = await asyncpg.connect(dsn)
    await connection.execute(ACCOUNTS)
    await connection.execute(GATES)
    gates = await instrument(connection)
    await connection.close()
    scheduler = await open_scheduler(dsn, gates.stepped)
    try:
        yield scheduler
    finally:
        await scheduler.close()


def call(query: str) -> Operation:
    async def run(pool: Pool) -> object:
        async with pool.acquire() as connection:
            return await connection.fetchval(query)

    return run


async def courses(scheduler: Scheduler, *queries: str, bound: Bound | None = None) -> list[tuple[Course, list[int]]]:
    """Every schedule of these calls, and what the accounts say after each."""
    ended = []

    async def run(choose: object) -> Course:
        await scheduler.control.execute("update accounts set amount = 0")
        course = await scheduler.run([call(query) for query in queries], choose)  # type: ignore[arg-type]
        rows = await scheduler.control.fetch("select amount from accounts order by name")
        ended.append((course, [row["amount"] for row in rows]))
        return course

    async for _ in explore(run, bound or Bound(), random.Random(1), Explored()):
        pass
    return ended


def words(body: str) -> list[str]:
    return [" ".join(statement.text.split()[:2]) for statement in statements(body)]


async def test_a_body_is_split_into_all_its_statements() -> None:
    body = """
    #variable_conflict use_column
    declare
      v_n integer := 0;  -- begin; not yet
    begin
      select case when a then 'then;' else $q$;loop$q$ end into v_n from t where (select 1; ) is null;
      if case when x then y end > 1 then
        perform f(1);
      elsif b then
        update t set a = 1;
      else
        raise notice 'end;';
      end if;
      for r in select 1 loop
        while a loop
          exit when b;
        end loop;
      end loop;
      return query select 1
    ; end
    """.replace("1; )", "1)")
    assert words(body) == [
        "select case", "if case", "perform f(1)", "update t", "raise notice", "for r", "while a", "exit when",
        "return query",
    ]  # fmt: skip


async def test_a_construct_that_is_not_split_is_refused() -> None:
    with pytest.raises(NotUnderstood):
        statements("begin case v when 1 then perform f(); end case; end")


async def test_what_touches_rows_or_the_clock_is_told_from_what_only_computes() -> None:
    whole = {"reads_by_sql"}
    assert touches("v := reads_by_sql(1)", whole)
    assert touches("return clock_timestamp()", whole)
    assert touches("if not exists (select 1 from t)", whole)
    assert not touches("perform steps_by_itself(1)", whole)
    assert not touches("v := v + 1 -- select\n", whole)
    assert not touches("raise exception 'select from'", whole)


async def test_sessions_that_share_nothing_are_run_in_every_order_once(database: str) -> None:
    async with bank(database) as scheduler:
        ended = await courses(scheduler, "select add_to_both('a', 'b')", "select add_to('c')")
    # Two statements and a commit, and one and a commit.
    assert len(ended) == len({course.choices for course, _ in ended}) == comb(5, 2)
    assert not any(course.waited for course, _ in ended)
    assert all(course.answers == [7, 1] and amounts == [1, 1, 1, 0, 0] for course, amounts in ended)


async def test_three_sessions_are_run_in_every_order_once(database: str) -> None:
    async with bank(database) as scheduler:
        ended = await courses(scheduler, *(f"select add_to('{name}')" for name in "abc"))
    assert len(ended) == len({course.choices for course, _ in ended}) == comb(6, 2) * comb(4, 2)


async def test_a_bound_leaves_out_what_it_says(database: str) -> None:
    async with bank(database) as scheduler:
        queries = ("select add_to_both('a', 'b')", "select add_to('c')")
        serial = await courses(scheduler, *queries, bound=Bound(preemptions=0))
        once = await courses(scheduler, *queries, bound=Bound(preemptions=1))
        four = await courses(scheduler, *queries, bound=Bound(schedules=4))
    assert [course.choices for course, _ in serial] == [(0, 0, 0, 1, 1), (1, 1, 0, 0, 0)]
    # Besides these: the first left after one or two steps, or the second after one.
    assert {course.choices for course, _ in once} == {
        (0, 0, 0, 1, 1), (1, 1, 0, 0, 0), (0, 1, 1, 0, 0), (0, 0, 1, 1, 0), (1, 0, 0, 0, 1),
    }  # fmt: skip
    assert len({course.choices for course, _ in four}) == 4


async def test_who_is_blocked_is_not_chosen_and_goes_on_after_the_commit(database: str) -> None:
    async with bank(database) as scheduler:
        ended = await courses(scheduler, "select add_to('a')", "select add_to('a')")
    # Whoever is first, the other comes after its commit or waits for it.
    assert sorted((course.choices, course.waited) for course, _ in ended) == [
        ((0, 0, 1, 1), False), ((0, 1, 0, 1), True), ((1, 0, 1, 0), True), ((1, 1, 0, 0), False),
    ]  # fmt: skip
    assert all(amounts[0] == 2 for _, amounts in ended)


async def test_a_lost_update_is_found_and_a_lock_prevents_it(database: str) -> None:
    async with bank(database) as scheduler:
        unlocked = await courses(scheduler, *["select read_and_add('a', false)"] * 2)
        locked = await courses(scheduler, *["select read_and_add('a', true)"] * 2)
    assert {amounts[0] for _, amounts in unlocked} == {1, 2}
    assert {amounts[0] for _, amounts in locked} == {2}
    assert {tuple(sorted(course.answers)) for course, _ in locked} == {(1, 2)}


async def test_a_deadlock_is_found(database: str) -> None:
    async with bank(database) as scheduler:
        ended = await courses(scheduler, "select add_to_both('a', 'b')", "select add_to_both('b', 'a')")
    assert {tuple(course.sqlstates) for course, _ in ended} == {(), ("40P01",)}
    assert all(course.all_blocked == bool(course.sqlstates) for course, _ in ended)


async def test_a_session_that_goes_nowhere_is_told_of(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_SECONDS_MAX", 0.3)

    async def forever(pool: Pool) -> None:
        await asyncio.Event().wait()

    async with bank(database) as scheduler:
        with pytest.raises(Stuck, match="session 1 at gate"):
            await scheduler.run([forever, call("select add_to('a')")], follow(()))


async def test_orders_against_the_clock_do_not_count() -> None:
    def course(choices: str) -> Course:
        return Course([Step(int(who), 1, (0, 1, 2)) for who in choices], [], [])

    assert serial_orders(course("0011"), 2) == [(0, 1)]
    assert serial_orders(course("0101"), 2) == [(0, 1), (1, 0)]
    assert serial_orders(course("01022"), 3) == [(0, 1, 2), (1, 0, 2)]


async def test_operations_wait_for_each_other_and_nothing_is_wrong(server: PostgresServer) -> None:
    async with open_theatre(server) as theatre:
        trial = await try_all(
            theatre, ("hold", "add"), queue=False, bound=Bound(preemptions=1, schedules=10), chance=random.Random(1)
        )
    assert (trial.bad, trial.violations) == (0, [])
    assert trial.waited > 0
    assert trial.serial_endings == 2


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.says)
async def test_a_broken_product_is_found_out(server: PostgresServer, control: object) -> None:
    chosen = next(one for one in CONTROLS if one is control)
    names, shows = next(iter(chosen.pairs.items()))
    async with open_theatre(server, rewrite=chosen.rewrite) as theatre:
        trial = await try_all(
            theatre, names, queue=False, bound=Bound(preemptions=2, schedules=60), chance=random.Random(1), until=shows
        )
    assert getattr(trial, shows) > 0
    assert names[0] in trial.violations[0]


async def test_a_law_that_is_broken_is_named(server: PostgresServer) -> None:
    rewrite = {"record_seat_changes": [("held_count = e.held_count +", "held_count = e.held_count + 0 *")]}
    async with open_theatre(server, rewrite=rewrite) as theatre:
        trial = await try_all(
            theatre, ("hold", "block"), queue=False, bound=Bound(schedules=1), chance=random.Random(1)
        )
    assert trial.unlawful == trial.schedules > 0
    assert "law held_count_is_true is broken" in trial.violations[0]
