"""The duty that empties the outbox."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable

import structlog

from overbookr.mail.delivery import Courier, Outcome, Post
from overbookr.mail.model import (
    ATTEMPTS_MAX,
    Delivered,
    DueMail,
    Letter,
    LetterRefused,
    PostUnreachable,
    Unsendable,
    reason_of,
    retry_delay_seconds,
)
from overbookr.mail.render import MailComposer
from overbookr.mail.store import MailStore

log = structlog.get_logger(__name__)

# A round begins no letter after WORKING_SECONDS, and no letter takes longer than delivery.LETTER_SECONDS_MAX: stopping
# waits 14 s at most, and a lease runs out only on a worker that is gone.
LEASE_SECONDS = 60.0
WORKING_SECONDS = 4.0
# Connections to the post at a time. A server far away takes a tenth of a second and more for a letter, and a house that
# sells fast owes hundreds a second; more than a few connections from one sender are what many servers refuse.
LINES = 4
# A mail costs as much of the processors as a booking, and a crowd that buys needs them at once. While they are taken, a
# round is one line's and short, a tenth of each second, and one that is under way ends within a second; but no mail is
# put off for longer than this.
_SHORT_ROUND_SECONDS = 0.1
_LOOK_SECONDS = 1.0
PUT_OFF_SECONDS_MAX = 300.0


class _Round:
    """One round's end and what came of it, shared by its lines. A short one has a single line, or is over at once."""

    def __init__(self, *, is_short: bool) -> None:
        self.started_at = self.looked_at = time.monotonic()
        self.is_short = is_short
        self.dealt_with = 0
        self.all_lines_open = False
        self.is_reachable = True

    def go_on(self) -> None:
        """Be an ordinary round, whatever else the machine has to do."""
        self.is_short, self.looked_at = False, math.inf

    def is_over(self, is_busy: Callable[[], bool]) -> bool:
        now = time.monotonic()
        if not self.is_short and now >= self.looked_at + _LOOK_SECONDS:
            self.is_short, self.looked_at = is_busy(), now
        seconds = _SHORT_ROUND_SECONDS if self.is_short else WORKING_SECONDS
        return not self.is_reachable or now >= self.started_at + seconds


class MailDelivery:
    """Sends what the outbox owes, at least once each; safe to run in any number of processes, or twice in one.

    Each of its `lines` claims one mail at a time, so that a worker that is killed costs an attempt only the few mails
    in its hands. While the post is unreachable it is asked only now and then, at most every `patience_seconds_max`.
    While the machine `is_busy` it sends less.
    """

    name = "mail_delivery"
    period_seconds = 1.0

    def __init__(
        self,
        store: MailStore,
        composer: MailComposer,
        post: Post,
        *,
        patience_seconds_max: float = 60.0,
        lines: int = LINES,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._composer = composer
        self._post = post
        self._patience_seconds_max = patience_seconds_max
        self._lines = lines
        self._is_busy = is_busy
        self._times_unreachable = 0
        self._silent_until = 0.0

    async def run_once(self) -> int:
        """One round. Returns how many mails were dealt with; 0 when the post is unreachable, and after a short round,
        whose rest is to wait for the next period."""
        if time.monotonic() < self._silent_until:
            return 0
        now = _Round(is_short=self._is_busy())
        try:
            async with asyncio.TaskGroup() as lines:
                await self._empty(now, lines)
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        if now.is_reachable:
            self._times_unreachable = 0
            return 0 if now.is_short else now.dealt_with
        self._times_unreachable += 1
        self._silent_until = time.monotonic() + min(2.0**self._times_unreachable, self._patience_seconds_max)
        return 0

    async def _empty(self, now: _Round, lines: asyncio.TaskGroup) -> None:
        """One line, until nothing is due, the round is over or the post cannot be reached. The first
        letter that was dealt with opens the others: an empty outbox is asked once, a dead post tried with one mail."""
        courier = self._post.courier()
        try:
            while not now.is_over(self._is_busy) and (mail := await self._store.claim_next(LEASE_SECONDS)) is not None:
                # Nothing has been due for longer than what comes first.
                if mail.overdue_seconds >= PUT_OFF_SECONDS_MAX:
                    now.go_on()
                outcome = await self._deliver(mail, courier)
                await self._record(mail, outcome)
                now.dealt_with += 1
                now.is_reachable = now.is_reachable and not isinstance(outcome, PostUnreachable)
                if now.is_reachable and not now.is_short and not now.all_lines_open:
                    now.all_lines_open = True
                    for _ in range(self._lines - 1):
                        lines.create_task(self._empty(now, lines))
        finally:
            await courier.close()

    async def _deliver(self, mail: DueMail, courier: Courier) -> Outcome | Unsendable:
        if mail.attempts > ATTEMPTS_MAX:
            # Each failure that is seen counts; these attempts ended with their worker, which the mail may have killed.
            return Unsendable(f"none of {ATTEMPTS_MAX} attempts was seen to end")
        try:
            # Drawing a ticket is pure CPU, and this loop may have requests to answer.
            letter = await asyncio.to_thread(self._composer.compose, mail)
        except Exception as error:
            log.exception("mail_not_composed", booking_id=str(mail.booking_id), kind=mail.kind)
            return LetterRefused(reason_of(f"{type(error).__name__} while composing"))
        if not isinstance(letter, Letter):
            return letter
        return await courier.deliver(letter)

    async def _record(self, mail: DueMail, outcome: Outcome | Unsendable) -> None:
        facts = {"booking_id": str(mail.booking_id), "kind": str(mail.kind), "attempts": mail.attempts}
        if isinstance(outcome, Delivered):
            await self._store.mark_sent(mail)
            log.debug("mail_sent", post=self._post.name, **facts)
            return
        delay_seconds = None
        if not isinstance(outcome, Unsendable):
            delay_seconds = retry_delay_seconds(mail.attempts, random.random())
        if delay_seconds is None:
            await self._store.fail(mail, outcome.reason)
            log.error("mail_given_up", reason=outcome.reason, **facts)
        else:
            await self._store.defer(mail, delay_seconds, outcome.reason)
            log.warning("mail_deferred", reason=outcome.reason, retry_in_seconds=round(delay_seconds), **facts)
