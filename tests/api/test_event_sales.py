"""What became of an event's seats, minute by minute: exact, and in stretches that add up."""

import uuid
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted, time_of
from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio

COUNTS = ("held", "booked", "returned", "promoted", "cancelled")


async def ask(world: World, event_id: str, **where: int) -> httpx.Response:
    admin = await world.admin()
    return await world.http.get(f"/analytics/events/{event_id}/sales", params=where, headers=admin.headers)


def sums(*stretches: dict[str, Any]) -> dict[str, int]:
    minutes = [minute for stretch in stretches for minute in stretch["minutes"]]
    return {name: sum(minute[name] for minute in minutes) for name in COUNTS}


async def sold(world: World) -> str:
    """Two seats booked of which one is cancelled and goes to a waiter, two let go of, one held, one blocked."""
    event_id = await world.event(6)
    owner, other, waiter = await world.users(3)
    admin = await world.admin()
    await world.booked(owner, event_id, "S1")
    last = await world.booked(owner, event_id, "S2")
    token = await world.held(other, event_id, "S3", "S4")
    accepted(await world.http.delete(f"/holds/{token}", headers=other.headers), 204)
    await world.held(other, event_id, "S3", "S4", "S5")
    await world.http.post(f"/events/{event_id}/seats/block", json={"seat_nos": ["S6"]}, headers=admin.headers)
    accepted(await world.join(waiter, event_id, 1), 202)
    accepted(await world.cancel(owner, last))
    return event_id


async def test_every_change_is_counted_as_what_it_was(world: World) -> None:
    event_id = await sold(world)
    sales = accepted(await ask(world, event_id))
    assert sums(sales) == {"held": 7, "booked": 2, "returned": 2, "promoted": 1, "cancelled": 1}
    assert (sales["after"], sales["version"], sales["is_whole"]) == (0, 20, True)
    assert (await world.get_event(event_id))["version"] == 20
    for minute in sales["minutes"]:
        assert time_of(minute["minute"]).second == 0


async def test_stretches_add_up_wherever_they_are_cut(world: World) -> None:
    event_id = await sold(world)
    whole = accepted(await ask(world, event_id))
    for cut in range(21):
        before = accepted(await ask(world, event_id, before=cut))
        after = accepted(await ask(world, event_id, after=cut))
        assert (before["after"], before["version"], before["is_whole"]) == (0, cut, cut == 20)
        assert (after["after"], after["version"], after["is_whole"]) == (cut, 20, True)
        assert sums(before, after) == sums(whole), cut
    assert accepted(await ask(world, event_id, after=9, before=9))["minutes"] == []
    assert accepted(await ask(world, event_id, after=20))["minutes"] == []
    # Whoever asks for what has not happened yet is told nothing, and where to go on.
    assert accepted(await ask(world, event_id, after=2**62))["version"] == 20
    assert accepted(await ask(world, event_id, after=9, before=3))["version"] == 9


async def test_who_may_ask_and_for_what(world: World) -> None:
    event_id = await world.event(1)
    user = await world.user()
    path = f"/analytics/events/{event_id}/sales"
    assert code_of(await world.http.get(path)) == (401, "unauthorized")
    assert code_of(await world.http.get(path, headers=user.headers)) == (403, "forbidden")
    assert code_of(await ask(world, str(uuid.uuid4()))) == (404, "event_not_found")
    for wrong in (-1, 2**63):
        assert code_of(await ask(world, event_id, after=wrong)) == (400, "invalid_request")
    admin = await world.admin()
    accepted(await world.http.delete(f"/events/{await world.event(1)}", headers=admin.headers))
