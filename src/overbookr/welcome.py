"""The first start: the administrator of the settings, and on an empty database something to look at."""

import secrets
from datetime import UTC, datetime, timedelta
from importlib import resources

from rich.console import Console

from overbookr.events.model import CreateEvent
from overbookr.ids import new_id
from overbookr.seats.plan import PlanRefused, parse_plan
from overbookr.settings import Settings
from overbookr.stores import open_events, open_seats, open_users
from overbookr.users.model import AccountInvalid

WELCOME_EMAIL = "admin@localhost"


async def greet(dsn: str, settings: Settings, console: Console, *, welcome: bool) -> None:
    """See to the administrator of the settings; with `welcome` also to one and to an event where there is none."""
    if settings.admin_email and settings.admin_password:
        async with open_users(dsn, settings) as users:
            outcome = await users.ensure_admin(settings.admin_email, settings.admin_password.get_secret_value())
        if isinstance(outcome, AccountInvalid):
            raise AdministratorRefused("; ".join(f"{field} {fault}" for field, fault in outcome.faults))
    if not welcome:
        return
    async with open_events(dsn, settings) as events:
        _, known = await events.page(organiser=True, search="", include_past=True, limit=1, offset=0)
        if known:
            return
        event = await events.create(_first_event())
    plan = parse_plan(resources.files("overbookr.seats").joinpath("plans", "theatre.json").read_bytes())
    assert not isinstance(plan, PlanRefused)
    async with open_seats(dsn, settings) as seats:
        await seats.replace_plan(event.id, plan)
    console.print(f"An event to try: {event.name}, {len(plan.seats)} seats ({event.id})", highlight=False)
    if settings.admin_email is None:
        password = secrets.token_urlsafe(12)
        async with open_users(dsn, settings) as users:
            await users.ensure_admin(WELCOME_EMAIL, password)
        console.print(f"An administrator: {WELCOME_EMAIL}, password {password} (shown once)", highlight=False)


class AdministratorRefused(Exception):
    """OVERBOOKR_ADMIN_EMAIL or OVERBOOKR_ADMIN_PASSWORD is not usable. The text says why."""


def _first_event() -> CreateEvent:
    evening = (datetime.now(UTC) + timedelta(days=30)).replace(hour=19, minute=30, second=0, microsecond=0)
    return CreateEvent(
        event_id=new_id(),
        name="Opening night",
        venue="Lindenhof Theatre",
        start_time=evening,
        capacity=None,
        status="on_sale",
        waitlist_policy="first_fit",
        sales_open_at=None,
        sales_close_at=None,
        metadata={},
    )
