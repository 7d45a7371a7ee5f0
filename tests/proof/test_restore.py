"""The drill's comparison finds what a bad restore does, and the document's blocks are what the drill runs."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from proof.restore.document import DOCUMENT, CommandFailed, Documented, blocks_of
from proof.restore.ledger import Acknowledged, Kept, Ledger, Mark, Restored, differences
from proof.restore.prove import lost

NOON = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
EVENT = UUID(int=7)


def acknowledged(kind: str, seconds: int, *seat_nos: str, thing: UUID | None = None) -> Acknowledged:
    at = NOON + timedelta(seconds=seconds)
    return Acknowledged(kind, thing or uuid4(), EVENT, uuid4(), seat_nos, at)  # type: ignore[arg-type]


def faithful(answers: list[Acknowledged]) -> Restored:
    """What a restore that lost nothing has."""
    cancelled = {answer.thing for answer in answers if answer.kind == "cancellation"}
    bookings = {
        answer.thing: Kept(
            answer.user_id, EVENT, answer.seat_nos, "cancelled" if answer.thing in cancelled else "active"
        )
        for answer in answers
        if answer.kind == "booking"
    }
    entries = {answer.thing: answer.user_id for answer in answers if answer.kind == "place in the queue"}
    return Restored(bookings, entries, {"bookings": 0}, NOON)


@pytest.fixture
def ledger() -> Ledger:
    first, second = acknowledged("booking", 0, "A1", "A2"), acknowledged("booking", 1, "B1")
    answers = [first, second, acknowledged("place in the queue", 2)]
    answers.append(acknowledged("cancellation", 3, thing=second.thing))
    answers.append(acknowledged("booking", 9, "C1"))
    return Ledger(answers, {second.thing})


@pytest.fixture
def mark() -> Mark:
    """After the first four answers."""
    return Mark(4, NOON + timedelta(seconds=5))


def test_a_faithful_restore_has_no_differences(ledger: Ledger, mark: Mark) -> None:
    assert differences(ledger, mark, faithful(ledger.answers[:4])) == []


@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_is_gone_is_found(ledger: Ledger, mark: Mark, number: int) -> None:
    restored = faithful(ledger.answers[:4])
    thing = ledger.answers[number].thing
    restored.bookings.pop(thing, None)
    restored.entries.pop(thing, None)
    assert any(f"{thing}" in line and "is gone" in line for line in differences(ledger, mark, restored))


def test_another_owner_other_seats_and_another_status_are_found(ledger: Ledger, mark: Mark) -> None:
    booking = ledger.answers[0]
    for wrong in (
        Kept(uuid4(), EVENT, ("A1", "A2"), "active"),
        Kept(booking.user_id, EVENT, ("A1",), "active"),
        Kept(booking.user_id, uuid4(), ("A1", "A2"), "active"),
        Kept(booking.user_id, EVENT, ("A1", "A2"), "cancelled"),
    ):
        restored = faithful(ledger.answers[:4])
        restored.bookings[booking.thing] = wrong
        assert len(differences(ledger, mark, restored)) == 1


def test_a_cancellation_that_was_undone_is_found(ledger: Ledger, mark: Mark) -> None:
    restored = faithful([answer for answer in ledger.answers[:4] if answer.kind != "cancellation"])
    (line,) = differences(ledger, mark, restored)
    assert "cancelled before the moment, is active" in line


def test_a_cancellation_on_its_way_may_have_happened_or_not(ledger: Ledger) -> None:
    mark = Mark(3, NOON + timedelta(seconds=3))
    for answers in (ledger.answers[:3], ledger.answers[:4]):
        assert differences(ledger, mark, faithful(answers)) == []


def test_a_place_that_became_another_users_is_found(ledger: Ledger, mark: Mark) -> None:
    restored = faithful(ledger.answers[:4])
    restored.entries[ledger.answers[2].thing] = uuid4()
    assert len(differences(ledger, mark, restored)) == 1


def test_rows_that_are_younger_than_the_moment_are_found(ledger: Ledger, mark: Mark) -> None:
    restored = faithful(ledger.answers[:4])
    restored.younger["bookings"] = 2
    assert differences(ledger, mark, restored) == ["2 rows of bookings are younger than the moment"]


def test_the_loss_is_as_old_as_the_oldest_answer_that_is_gone(ledger: Ledger) -> None:
    killed_at = NOON + timedelta(seconds=10)
    assert lost(ledger, faithful(ledger.answers), killed_at) == (0, 0.0)
    assert lost(ledger, faithful(ledger.answers[:4]), killed_at) == (1, 1.0)
    assert lost(ledger, faithful([]), killed_at) == (4, 10.0)


def test_the_document_has_the_blocks_that_the_drill_runs() -> None:
    blocks = blocks_of(DOCUMENT.read_text())
    assert set(blocks) == {
        "names of the embedded server", "address of the embedded server", "archive", "base backup", "receiver",
        "restore", "examination", "pages and indexes",
    }  # fmt: skip
    for name, script in blocks.items():
        checked = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, (name, checked.stderr)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- drill: a -->\n\n```bash\ntrue\n```\n",
        "<!-- drill: a -->\n```console\ntrue\n```\n",
        "<!-- drill: a -->\n```bash\ntrue\n```\n<!-- drill: a -->\n```bash\nfalse\n```\n",
    ],
)
def test_a_mark_without_a_block_of_its_own_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="every mark"):
        blocks_of(text)


@pytest.mark.anyio
async def test_a_block_stops_at_the_first_command_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("<!-- drill: a -->\n```bash\nfalse\ntouch reached\n```\n")
    monkeypatch.setattr("proof.restore.document.DOCUMENT", document)
    monkeypatch.setattr("proof.restore.document.ROOT", tmp_path)
    documented = Documented({"PATH": "/usr/bin:/bin"})
    with pytest.raises(CommandFailed, match="a ended with 1"):
        await documented.run("a")
    assert not (tmp_path / "reached").exists()
    assert documented.ran == ["a"]
