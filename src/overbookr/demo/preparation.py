"""What must be there before the doors open: a plan that can be sold out, and an event on sale with its seats."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from overbookr.demo.client import Answer, Client
from overbookr.demo.model import DemoOptions, DemoRefused, Operation
from overbookr.demo.people import Person
from overbookr.demo.picking import House
from overbookr.seats.plan import PlanRefused, parse_plan

_NAME_LENGTH_MAX: Final = 120
_DAYS_AHEAD: Final = 30


class _EventAnswer(msgspec.Struct):
    id: UUID


class _PlanAnswer(msgspec.Struct):
    seats: int


_event = msgspec.json.Decoder(_EventAnswer)
_plan = msgspec.json.Decoder(_PlanAnswer)


def read_house(options: DemoOptions) -> tuple[House, bytes]:
    """The house and the file it was read from. Raises DemoRefused when these buyers could not sell it out."""
    raw = _read_plan(options.plan)
    plan = parse_plan(raw)
    if isinstance(plan, PlanRefused):
        raise DemoRefused(f"The seating plan is not valid: {plan.errors[0].path}: {plan.errors[0].message}")
    house = House(plan)
    if options.buyers * options.user_seats_max < len(house.seat_nos):
        raise DemoRefused(
            f"{options.buyers} buyers may have {options.user_seats_max} seats each, which cannot sell out the "
            f"{len(house.seat_nos)} seats of {house.name}: send more buyers."
        )
    return house, raw


def _read_plan(path: Path | None) -> bytes:
    if path is None:
        return resources.files("overbookr.seats").joinpath("plans", "theatre.json").read_bytes()
    try:
        return path.read_bytes()
    except OSError as error:
        raise DemoRefused(f"The seating plan {path} cannot be read: {error.strerror}.") from error


async def create_event(
    client: Client, organiser: Person, house: House, *, plan: bytes, about: Mapping[str, object]
) -> UUID:
    """An event on sale with the seats of the plan, made as an organiser would make it. Raises DemoRefused."""
    headers = {"Authorization": f"Bearer {organiser.token}", "Content-Type": "application/json"}
    creation = {
        "name": f"Demo night at {house.name}"[:_NAME_LENGTH_MAX],
        "venue": house.name[:_NAME_LENGTH_MAX],
        "start_time": datetime.now(UTC) + timedelta(days=_DAYS_AHEAD),
        "status": "on_sale",
        "metadata": about,
    }
    answer = await client.send(
        Operation.ORGANISE, "POST", client.url("/events"), headers=headers, body=msgspec.json.encode(creation)
    )
    if answer.status == 401:
        raise DemoRefused("The server does not know the demonstration's accounts: it uses another database or secret.")
    event_id = _demand(answer, 201, "The event could not be created").content(_event).id
    url = client.url(f"/events/{event_id}/seating-plan")
    answer = await client.send(Operation.ORGANISE, "PUT", url, headers=headers, body=plan)
    imported = _demand(answer, 201, "The seating plan was refused").content(_plan)
    if imported.seats != len(house.seat_nos):
        raise DemoRefused(f"The plan has {len(house.seat_nos)} seats and the server made {imported.seats} of it.")
    return event_id


def _demand(answer: Answer, status: int, complaint: str) -> Answer:
    if answer.status != status:
        raise DemoRefused(f"{complaint}: {answer.status} {answer.body[:300].decode('utf-8', 'replace')}")
    return answer
