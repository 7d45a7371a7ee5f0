from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from overbookr.database.pool import Pool, open_pool
from overbookr.mail.delivery import Post, SmtpPost, SmtpServer, StartTls
from overbookr.mail.duties import MailDelivery
from overbookr.mail.render import MailComposer
from overbookr.mail.store import MailStore
from overbookr.mail.ticket import derive_ticket_key

from .sink import Sink, running
from .world import World

DutyMaker = Callable[..., MailDelivery]


@pytest.fixture
def composer() -> MailComposer:
    return MailComposer(
        base_url="https://tickets.example",
        mail_from="Box Office <tickets@globe.example>",
        ticket_key=derive_ticket_key(b"s" * 32),
    )


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections as the duties have them, which plan like anyone's, not like the write path's."""
    pool = await open_pool(database, size=4, application_name="test")
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture
async def world(pool: Pool) -> World:
    world = World(pool)
    await world.open([f"A{number}" for number in range(1, 41)])
    return world


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with running(Sink()) as sink:
        yield sink


@pytest.fixture
def post(sink: Sink) -> Post:
    return SmtpPost(SmtpServer("127.0.0.1", sink.port, start_tls=StartTls.NEVER))


@pytest.fixture
def make_duty(pool: Pool, composer: MailComposer, post: Post) -> DutyMaker:
    """A duty that shares nothing with others but the database, and that asks an unreachable post again at once."""

    def make(**changes: object) -> MailDelivery:
        options: dict[str, object] = {"patience_seconds_max": 0.0, "post": post} | changes
        return MailDelivery(MailStore(pool), composer, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def duty(make_duty: DutyMaker) -> MailDelivery:
    return make_duty()
