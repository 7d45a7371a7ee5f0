"""The path that everyone walks: look, hold, book, cancel."""

import pytest

from tests.house.world import World, code_of

pytestmark = pytest.mark.anyio


async def test_a_seat_is_held_booked_and_cancelled(world: World) -> None:
    event_id = await world.event(3)
    buyer, other = await world.users(2)
    token = await world.held(buyer, event_id, "S1", "S2")
    refused = await world.hold(other, event_id, "S2", "S3")
    assert code_of(refused) == (409, "seats_unavailable")
    assert refused.json()["conflicts"] == [{"seat_no": "S2", "status": "held"}]
    booking = await world.book(buyer, event_id, token)
    assert booking.status_code == 201
    assert booking.json()["seat_numbers"] == ["S1", "S2"]
    assert await world.seat_statuses(event_id) == {"S1": "booked", "S2": "booked", "S3": "available"}
    assert (await world.cancel(buyer, booking.json()["id"])).json() == {
        "id": booking.json()["id"],
        "status": "cancelled",
    }
    assert await world.seat_statuses(event_id) == {"S1": "available", "S2": "available", "S3": "available"}
    await world.assert_lawful()
