"""A history on disk: what was recorded and what the database said when each event closed, for anyone to check again."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec

from proof.crowd.buyers import Show
from proof.crowd.record import Operation, read_journal
from proof.history.check import Verdict, check_event
from proof.history.facts import Facts, read_facts


class Closing(msgspec.Struct):
    """What was known of an event when it closed. `places` are those of its seats in recorded maps."""

    places: dict[str, int]
    share: int
    facts: Facts


async def write_closing(dsn: str, folder: Path, show: Show, share: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        facts = await read_facts(connection, show.event_id)
    finally:
        await connection.close()
    (folder / f"{show.event_id}.facts.json").write_bytes(msgspec.json.encode(Closing(show.places, share, facts)))


def read_history(folder: Path) -> Iterator[tuple[list[Operation], Closing]]:
    """Each event with its operations, in the order of their opening."""
    for path in sorted(folder.glob("*.facts.json")):
        operations = list(read_journal(folder / f"{path.name.removesuffix('.facts.json')}.jsonl"))
        yield operations, msgspec.json.decode(path.read_bytes(), type=Closing)


def check_history(folder: Path) -> Verdict:
    verdict = Verdict()
    for operations, closing in read_history(folder):
        found = check_event(operations, closing.facts, closing.places, closing.share)
        verdict.add(found)
        verdict.counts["events"] += 1
        verdict.counts["changes"] += len(closing.facts.changes)
        verdict.counts["promotions"] += sum(booking.entry_id is not None for booking in closing.facts.bookings)
    return verdict
