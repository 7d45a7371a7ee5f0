"""The outbox, emptied: at least once each, by any number of workers, through failures and deaths."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiosmtpd.smtp import Envelope

from overbookr.database.pool import Pool
from overbookr.mail import duties
from overbookr.mail.delivery import FilePost, SmtpCourier, SmtpPost, SmtpServer, StartTls
from overbookr.mail.duties import MailDelivery
from overbookr.mail.model import ATTEMPTS_MAX
from overbookr.mail.store import MailStore
from overbookr.mail.ticket import derive_ticket_key, qr_png, sign_reference

from .conftest import DutyMaker
from .sink import Sink
from .world import World

pytestmark = pytest.mark.anyio


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert isinstance(text, str)
    return text


async def test_a_confirmed_booking_gets_its_ticket(world: World, duty: MailDelivery, sink: Sink) -> None:
    user_id = await world.user()
    booking_id = await world.book(user_id, ["A10", "A2", "A1"])
    assert await duty.run_once() == 1
    ((recipient, message),) = sink.letters
    assert recipient == f"{user_id}@example.org"
    text = text_of(message)
    assert "Seats:    A1, A2, A10" in text
    assert "Event:    Hamlet & Söhne" in text
    assert "Starts:   Saturday, 3 May 2031, 19:30 UTC" in text
    (image,) = message.iter_attachments()
    assert image.get_content() == qr_png(sign_reference(derive_ticket_key(b"s" * 32), booking_id, world.event_id))
    row = await world.row(booking_id)
    assert row["sent_at"] is not None
    assert (row["attempts"], row["failed_at"], row["last_error"]) == (1, None, None)
    assert await duty.run_once() == 0
    assert len(sink.letters) == 1


async def test_cancelling_mails_the_owner_and_the_promoted_waiter(world: World, duty: MailDelivery, sink: Sink) -> None:
    owner, waiter = await world.user(), await world.user()
    booking_id = await world.book(owner, [f"A{number}" for number in range(1, 41)])
    await world.join(waiter, 2)
    await world.cancel(booking_id)
    await world.pool.execute("delete from mails where kind = 'booking_confirmed'")
    assert await duty.run_once() == 2
    mails = dict(sink.letters)
    assert mails.keys() == {f"{owner}@example.org", f"{waiter}@example.org"}
    cancelled, promoted = mails[f"{owner}@example.org"], mails[f"{waiter}@example.org"]
    assert cancelled["Subject"] == "Booking cancelled: Hamlet & Söhne"
    assert list(cancelled.iter_attachments()) == []
    assert promoted["Subject"] == "You have seats: Hamlet & Söhne"
    assert "Seats:    A1, A2" in text_of(promoted)
    assert [part.get_content_type() for part in promoted.iter_attachments()] == ["image/png"]


async def test_a_booking_that_is_rolled_back_never_mails(world: World, duty: MailDelivery, sink: Sink) -> None:
    user_id = await world.user()
    async with world.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        booking_id = await world.book(user_id, ["A1"], connection=connection)
        assert await connection.fetchval("select count(*) from mails where booking_id = $1", booking_id) == 1
        assert await duty.run_once() == 0
        await transaction.rollback()
    assert await duty.run_once() == 0
    assert sink.letters == []


async def test_two_workers_send_each_mail_once(world: World, make_duty: DutyMaker, sink: Sink) -> None:
    bookings = await world.bookings(40)
    workers = [make_duty() for _ in range(2)]
    shares = [0, 0]

    async def empty(number: int) -> None:
        while done := await workers[number].run_once():
            shares[number] += done

    await asyncio.gather(empty(0), empty(1))
    assert sum(shares) == 40
    assert min(shares) > 0
    assert Counter(sink.message_ids()) == {f"<{booking}.booking_confirmed@globe.example>": 1 for booking in bookings}


async def test_a_worker_that_dies_before_sending(world: World, pool: Pool, duty: MailDelivery, sink: Sink) -> None:
    (booking_id,) = await world.bookings(1)
    assert await MailStore(pool).claim_next(60.0) is not None
    assert await duty.run_once() == 0, "the lease protects the claim"
    assert 50 < (await world.row(booking_id))["due_in_seconds"] <= 60
    await world.make_all_due()
    assert await duty.run_once() == 1
    assert len(sink.letters) == 1
    assert (await world.row(booking_id))["attempts"] == 2


async def test_a_worker_that_dies_after_sending_leaves_a_duplicate_that_can_be_told(
    world: World, duty: MailDelivery, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    (booking_id,) = await world.bookings(1)
    with monkeypatch.context() as patch:
        patch.setattr(MailStore, "mark_sent", die)
        with pytest.raises(Died):
            await duty.run_once()
    assert (await world.row(booking_id))["sent_at"] is None
    await world.make_all_due()
    assert await duty.run_once() == 1
    assert sink.message_ids() == [f"<{booking_id}.booking_confirmed@globe.example>"] * 2


class Died(Exception):
    """What a killed process does next: nothing."""


async def die(*arguments: object) -> None:
    raise Died


async def test_a_server_that_takes_a_letter_and_loses_its_voice(world: World, duty: MailDelivery, sink: Sink) -> None:
    (booking_id,) = await world.bookings(1)
    sink.hang_up_after_accepting = True
    assert await duty.run_once() == 0
    sink.hang_up_after_accepting = False
    await world.make_all_due()
    assert await duty.run_once() == 1
    assert sink.message_ids() == [f"<{booking_id}.booking_confirmed@globe.example>"] * 2
    assert (await world.row(booking_id))["last_error"] is None


async def test_every_mail_arrives_through_a_server_that_fails_and_workers_that_die(
    world: World, make_duty: DutyMaker, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    refused = deaths = 0

    def judge(envelope: Envelope) -> str | None:
        nonlocal refused
        if source.random() < 0.2:
            refused += 1
            return source.choice(("451 try again later", "550 not today"))
        return None

    def mortal(step: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        """A step before and after which its worker may die."""

        async def run(*arguments: object) -> object:
            nonlocal deaths
            for is_over in (False, True):
                if source.random() < 0.04:
                    deaths += 1
                    raise Died
                if not is_over:
                    result = await step(*arguments)
            return result

        return run

    sink.judge = judge
    for owner, name in ((MailStore, "claim_next"), (MailStore, "mark_sent"), (SmtpCourier, "deliver")):
        monkeypatch.setattr(owner, name, mortal(getattr(owner, name)))
    bookings = await world.bookings(40)
    while await world.pool.fetchval("select count(*) from mails where sent_at is null and failed_at is null"):
        ends = await asyncio.gather(make_duty().run_once(), make_duty().run_once(), return_exceptions=True)
        assert {type(end) for end in ends} <= {int, Died}
        await world.make_all_due()
    print(f"{deaths} deaths, {refused} refusals, {len(sink.letters)} letters")
    assert deaths > 0
    assert refused > 0
    arrived = Counter(sink.message_ids())
    assert arrived.keys() == {f"<{booking}.booking_confirmed@globe.example>" for booking in bookings}
    assert sum(arrived.values()) - len(bookings) <= deaths


async def test_a_refusal_is_tried_again_later_and_then_forgotten(world: World, duty: MailDelivery, sink: Sink) -> None:
    (booking_id,) = await world.bookings(1)
    sink.judge = lambda envelope: "451 greylisted, come back"
    assert await duty.run_once() == 1
    row = await world.row(booking_id)
    assert row["last_error"] == "SMTPDataError: 451 greylisted, come back"
    assert 25 < row["due_in_seconds"] <= 60
    assert await duty.run_once() == 0
    sink.judge = lambda envelope: None
    await world.make_all_due()
    assert await duty.run_once() == 1
    assert (await world.row(booking_id))["last_error"] is None


async def test_after_fifteen_attempts_a_mail_is_given_up_and_can_be_taken_up_again(
    world: World, pool: Pool, duty: MailDelivery, sink: Sink
) -> None:
    (booking_id,) = await world.bookings(1)
    sink.judge = lambda envelope: "550 never"
    waits = []
    for _ in range(14):
        assert await duty.run_once() == 1
        row = await world.row(booking_id)
        assert row["failed_at"] is None
        waits.append(row["due_in_seconds"])
        await world.make_all_due()
    assert all(wait <= 3600 for wait in waits)
    assert waits[-1] > 1700
    assert await duty.run_once() == 1
    row = await world.row(booking_id)
    assert row["failed_at"] is not None
    assert (row["attempts"], row["sent_at"], row["last_error"]) == (15, None, "SMTPDataError: 550 never")
    await world.make_all_due()
    assert await duty.run_once() == 0

    store = MailStore(pool)
    backlog = await store.backlog()
    assert (backlog.waiting, backlog.failed) == (0, 1)
    sink.judge = lambda envelope: None
    assert await store.requeue_failed() == 1
    assert (await store.backlog()).waiting == 1
    assert await duty.run_once() == 1
    assert len(sink.letters) == 1
    assert await store.backlog() == type(backlog)(waiting=0, failed=0, oldest_seconds=0.0)


async def test_an_attempt_that_is_never_seen_to_end_counts_too(world: World, duty: MailDelivery, sink: Sink) -> None:
    (booking_id,) = await world.bookings(1)
    await world.pool.execute("update mails set attempts = $1", ATTEMPTS_MAX)
    assert await duty.run_once() == 1
    assert sink.letters == []
    assert (await world.row(booking_id))["last_error"] == "none of 15 attempts was seen to end"


async def test_mails_without_a_reader_are_given_up_with_a_reason(
    world: World, duty: MailDelivery, sink: Sink, pool: Pool
) -> None:
    gone, odd, whole = await world.user(), await world.user("zoë-{}@example.org"), await world.user()
    of_gone, of_odd = await world.book(gone, ["A1"]), await world.book(odd, ["A2"])
    await world.book(whole, ["A3"])
    await pool.execute("delete from users where user_id = $1", gone)
    orphan = of_gone.int ^ 1
    await pool.execute(
        "insert into mails (booking_id, event_id, kind, next_attempt_at, created_at)"
        " values ($1, $2, 'booking_confirmed', clock_timestamp(), clock_timestamp())",
        type(of_gone)(int=orphan),
        world.event_id,
    )
    assert await duty.run_once() == 4
    assert len(sink.letters) == 1, "the others do not stand in its way"
    assert await duty.run_once() == 0
    reasons = {}
    for booking_id in (of_gone, of_odd, type(of_gone)(int=orphan)):
        row = await world.row(booking_id)
        assert row["failed_at"] is not None
        reasons[booking_id] = row["last_error"]
    assert list(reasons.values()) == [
        "its user no longer exists",
        "the address of its user cannot be mailed to",
        "its booking no longer exists",
    ]


async def test_a_mail_that_cannot_be_composed_does_not_stop_the_others(
    world: World, make_duty: DutyMaker, sink: Sink, composer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await world.bookings(2)
    compose = composer.compose  # type: ignore[attr-defined]

    def stumble(mail: object) -> object:
        if mail.booking_id == first:  # type: ignore[attr-defined]
            raise RuntimeError("secret detail")
        return compose(mail)

    monkeypatch.setattr(composer, "compose", stumble)
    assert await make_duty().run_once() == 2
    assert len(sink.letters) == 1
    assert (await world.row(first))["last_error"] == "RuntimeError while composing"


async def test_an_unreachable_post_costs_one_mail_an_attempt_and_is_left_alone_for_a_while(
    world: World, make_duty: DutyMaker, sink: Sink
) -> None:
    await world.bookings(5)
    nowhere = SmtpPost(SmtpServer("127.0.0.1", 1, start_tls=StartTls.NEVER))
    duty = make_duty(post=nowhere, patience_seconds_max=60.0)
    assert await duty.run_once() == 0
    rows = await world.pool.fetch("select attempts, last_error from mails order by attempts")
    assert [row["attempts"] for row in rows] == [0, 0, 0, 0, 1]
    assert "SMTPConnectError" in rows[-1]["last_error"]
    await world.make_all_due()
    assert await duty.run_once() == 0
    assert await world.pool.fetchval("select sum(attempts) from mails") == 1, "it was not asked again"
    assert await make_duty().run_once() == 5, "another worker's patience is its own"


async def test_letters_go_out_over_several_lines_at_a_time(world: World, make_duty: DutyMaker, sink: Sink) -> None:
    await world.bookings(5)
    together = asyncio.Barrier(4)
    # The first letter is alone: it is the one that finds out whether the post can be reached.
    sink.before_taking = lambda: asyncio.sleep(0) if not sink.letters else together.wait()
    async with asyncio.timeout(8):
        assert await make_duty(lines=4).run_once() == 5
    assert sink.connections == 4
    assert len(set(sink.message_ids())) == 5


async def test_a_round_ends_in_time(
    world: World, make_duty: DutyMaker, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.bookings(5)
    clock = iter([100.0, 100.0, 100.0, 103.9, 104.0])  # patience, the beginning, three letters considered
    monkeypatch.setattr(duties, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert await make_duty(lines=1).run_once() == 2
    assert len(sink.letters) == 2
    assert await world.pool.fetchval("select count(*) from mails where sent_at is null and attempts = 0") == 3


async def test_files_instead_of_a_server(world: World, make_duty: DutyMaker, tmp_path: Path) -> None:
    (booking_id,) = await world.bookings(1)
    duty = make_duty(post=FilePost(tmp_path / "mail"))
    assert await duty.run_once() == 1
    path = tmp_path / "mail" / f"{booking_id}-booking_confirmed.eml"
    assert b"To: " in path.read_bytes()
    await world.pool.execute("update mails set sent_at = null, next_attempt_at = clock_timestamp()")
    assert await duty.run_once() == 1
    assert list((tmp_path / "mail").iterdir()) == [path]
