"""Maps read while seats change: each is the house at the one version it names."""

import asyncio

import pytest

from tests.house.world import World

pytestmark = pytest.mark.anyio

LOOKS = 150


async def test_a_map_is_all_of_the_version_that_it_names(world: World) -> None:
    """One seat, held and released in turn: after its making it is held at even versions and free at odd ones."""
    user = await world.user()
    event_id = await world.event(1)
    over = asyncio.Event()

    async def hold_and_release() -> None:
        while not over.is_set():
            token = await world.held(user, event_id, "S1")
            answer = await world.http.delete(f"/holds/{token}", headers=user.headers)
            assert answer.status_code == 204, answer.text

    async def look() -> set[int]:
        versions = set()
        for _ in range(LOOKS):
            seen = (await world.http.get(f"/events/{event_id}/availability")).json()
            assert seen["held"] == (["S1"] if seen["version"] % 2 == 0 else []), seen
            assert seen["available"] == seen["version"] % 2, seen
            versions.add(seen["version"])
        return versions

    toggling = asyncio.create_task(hold_and_release())
    try:
        seen = await asyncio.gather(look(), look(), look())
    finally:
        over.set()
        await toggling
    assert len(set.union(*seen)) > 10, "too little happened meanwhile to show anything"
