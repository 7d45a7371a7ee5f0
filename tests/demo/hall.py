"""A small hall for the demonstration's tests: its plan as a file, and evidence of a sale in which all was well."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from overbookr.audit.model import AuditReport
from overbookr.audit.store import LAWS, QUIESCENT_LAWS
from overbookr.demo.ledger import Ledger
from overbookr.demo.model import Operation
from overbookr.demo.recorder import Recorder
from overbookr.demo.store import StoredBooking, StoredHouse
from overbookr.demo.verdict import Evidence
from overbookr.seats.plan import SeatingPlan, parse_plan

EVENT = uuid.UUID(int=1)
IDA, JON, KIM = (uuid.UUID(int=number) for number in (11, 12, 13))
FIRST, SECOND, PROMOTED = (uuid.UUID(int=number) for number in (21, 22, 23))
WALKED_AWAY = uuid.UUID(int=31)


def plan_bytes(rows: int = 3, seats: int = 8, *, stage: bool = True, aisle_after: int = 4) -> bytes:
    """Rows A, B, C ... away from the stage, each with an aisle; seats are called "Hall-A-1"."""
    return msgspec.json.encode(
        {
            "name": "Hall",
            "categories": [{"name": "All", "color": "#336699"}],
            "size": {"width": 500, "height": 500},
            "zones": [
                {
                    "name": "Hall",
                    "zone_id": "hall",
                    "position": {"x": 0, "y": 100},
                    "rows": [_row(number, seats, aisle_after) for number in range(rows)],
                    "areas": [_STAGE] if stage else [],
                }
            ],
        }
    )


_STAGE = {
    "shape": "rectangle",
    "color": "#000000",
    "border_color": "#000000",
    "rotation": 0,
    "position": {"x": 100, "y": -50},
    "rectangle": {"width": 100, "height": 20},
    "text": {"position": {"x": 0, "y": 0}, "color": "#ffffff", "text": "Stage"},
}


def _row(number: int, seats: int, aisle_after: int) -> dict[str, Any]:
    return {
        "row_number": chr(ord("A") + number),
        "row_number_position": "both",
        "position": {"x": 0, "y": 30 * number},
        "seats": [
            {
                "seat_number": str(seat + 1),
                "seat_guid": f"{number}-{seat}",
                "position": {"x": 25 * seat + (40 if seat >= aisle_after else 0), "y": 0},
                "category": "All",
            }
            for seat in range(seats)
        ],
    }


def small_plan(**shape: Any) -> SeatingPlan:
    plan = parse_plan(plan_bytes(**shape))
    assert isinstance(plan, SeatingPlan), plan
    return plan


def sound_evidence(**changes: Any) -> Evidence:
    """Two seats booked by Ida, one cancelled by Jon and handed on to Kim, one hold that lapsed. All is well with it."""
    ledger = Ledger()
    ledger.acknowledge(FIRST, IDA, ("A1", "A2"), promoted=False)
    ledger.acknowledge(SECOND, JON, ("A3",), promoted=False)
    ledger.cancel(SECOND)
    ledger.acknowledge(PROMOTED, KIM, ("A3",), promoted=True)
    ledger.abandoned.append(WALKED_AWAY)
    recorder = Recorder()
    recorder.record(Operation.BOOK, 201, "", 0.01)
    sound = Evidence(
        seats=3,
        event_id=EVENT,
        ledger=ledger,
        recorder=recorder,
        house=StoredHouse(
            seats_count=3,
            held_count=0,
            booked_count=3,
            waiting_count=1,
            version=9,
            seats=3,
            held=0,
            booked=3,
            waiting=1,
            promoted=1,
            gone=0,
            joined=2,
            unsent=0,
        ),
        bookings=[
            StoredBooking(FIRST, IDA, ("A1", "A2"), "active", "one", False, 1),
            StoredBooking(SECOND, JON, ("A3",), "cancelled", "two", False, 2),
            StoredBooking(PROMOTED, KIM, ("A3",), "active", None, True, 1),
        ],
        abandoned={WALKED_AWAY: "expired"},
        audit=audit_report(),
    )
    return replace(sound, **changes)


def audit_report(**violations: list[dict[str, Any]]) -> AuditReport:
    """A report of every law; the named ones are broken by these rows."""
    counts = dict.fromkeys(LAWS + QUIESCENT_LAWS, 0) | {law: len(rows) for law, rows in violations.items()}
    return AuditReport(
        at=datetime(2031, 5, 1, tzinfo=UTC),
        seconds=0.1,
        violations=violations,
        counts=counts,
        population={"events": 1},
        event_ids=frozenset({EVENT} if violations else ()),
    )
