"""Write the table of docs/outcomes.md: every code a client can meet, from the catalogue in http/problem.py.

    python scripts/list_outcomes.py [--check]

Writes the part between the two marks of the document; with --check only says whether it is current (exit code 1: no).
"""

import sys
from pathlib import Path
from typing import NamedTuple

from overbookr.http.problem import CATALOGUE

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "outcomes.md"
BEGIN, END = "<!-- codes: begin -->", "<!-- codes: end -->"

NO = "no"
OTHER = "with another request"
LATER = "later"
SOON = "yes, after `Retry-After`"
SOON_AGAIN = "yes"
LOG_IN = "after logging in"


class Meaning(NamedTuple):
    """What a code says about the world, and whether the same request may succeed when it is sent again."""

    text: str
    retry: str


MEANINGS = {
    "invalid_request": Meaning(
        "A field, a parameter or a header is wrong; `errors`, where there, lists path and message of each.", NO
    ),
    "malformed_json": Meaning("The body cannot be read as JSON.", NO),
    "invalid_plan": Meaning(
        "The seating plan breaks a rule of its format; `errors` lists path and message of each.", NO
    ),
    "idempotency_key_required": Meaning("A booking needs an `Idempotency-Key`.", NO),
    "idempotency_key_invalid": Meaning("The key is not 1 to 255 printable ASCII characters, or was sent twice.", NO),
    "unauthorized": Meaning("No token, or one that has expired, was revoked, or is not ours.", LOG_IN),
    "bad_credentials": Meaning("The e-mail is unknown or the password wrong; which of the two is not told.", NO),
    "invalid_refresh_token": Meaning(
        "The refresh token is unknown, expired, revoked or used before; using one twice ends its whole family.", LOG_IN
    ),
    "forbidden": Meaning("The route is for administrators.", NO),
    "role_not_allowed": Meaning("Only an administrator may register somebody in another role than user.", NO),
    "wrong_password": Meaning("The current password, needed to set a new one, is wrong.", NO),
    "not_found": Meaning("There is no such path.", NO),
    "event_not_found": Meaning("The event is unknown, deleted, or a draft that the caller may not see.", NO),
    "seats_not_found": Meaning("`seat_nos` lists the labels that the event does not have.", OTHER),
    "hold_not_found": Meaning("The hold is unknown or another user's.", NO),
    "booking_not_found": Meaning("The booking is unknown or another user's.", NO),
    "waitlist_entry_not_found": Meaning("The user does not wait for this event (any more).", NO),
    "user_not_found": Meaning("The account is gone.", NO),
    "chart_not_found": Meaning("The event has seats by label only, so there is nothing to draw.", NO),
    "ticket_not_found": Meaning("The booking is cancelled, so there is no ticket for it.", NO),
    "method_not_allowed": Meaning("`Allow` lists the methods of this path.", NO),
    "not_acceptable": Meaning("The `Accept` header leaves no form in which to answer.", NO),
    "request_timeout": Meaning("The body stopped halfway or came too slowly; the connection is closed.", SOON_AGAIN),
    "email_taken": Meaning("Somebody has registered with this e-mail.", OTHER),
    "event_in_use": Meaning("An event with live holds, bookings or waiters cannot be deleted.", LATER),
    "capacity_in_use": Meaning("More seats are held and booked than the new capacity allows.", OTHER),
    "seats_in_use": Meaning("The new plan lacks seats that are held or booked; `seat_nos` lists them.", OTHER),
    "seats_unavailable": Meaning(
        "`conflicts` lists every wanted seat that cannot be had, with its status; nothing was taken.", OTHER
    ),
    "hold_limit": Meaning("With what the user holds and has booked, this exceeds a user's share of the event.", OTHER),
    "not_on_sale": Meaning("The event's status, its sale window or its start does not allow it.", LATER),
    "idempotency_in_flight": Meaning("Reserved; a repeated request waits for the first one instead.", SOON),
    "hold_already_booked": Meaning("The hold was booked with another key; `Location` names the booking.", NO),
    "hold_expired": Meaning("The hold has run out or was released; its seats may be somebody else's.", OTHER),
    "hold_event_mismatch": Meaning("The hold is for another event than the request names.", NO),
    "capacity_exceeded": Meaning("The seats are free, but the event's capacity is used up.", LATER),
    "event_started": Meaning(
        "A booking can be cancelled until the event starts (by an administrator after it, too).", NO
    ),
    "seats_available": Meaning("Enough seats are free, so there is nothing to wait for: hold them.", OTHER),
    "already_waiting": Meaning("The user waits for this event already.", NO),
    "hold_over": Meaning("The hold has ended; on `GET`, `hold_status` says how.", NO),
    "payload_too_large": Meaning("The body is larger than this route takes.", NO),
    "unsupported_media_type": Meaning("The body's `Content-Type` is not JSON.", NO),
    "idempotency_key_reused": Meaning("The key belongs to an earlier request with another body.", "with a new key"),
    "rate_limited": Meaning(
        "More requests than one user or address may send, or too many failed logins; nothing was begun.", SOON
    ),
    "internal_error": Meaning("A defect. The log has it under the request id in `instance`.", NO),
    "busy": Meaning("A bounded queue is full or the database did not answer in time; nothing was begun.", SOON),
    "outcome_unknown": Meaning(
        "The connection to the database was lost while it committed; repeat with the same key.", SOON
    ),
    "not_ready": Meaning("This process does not want requests: no database, no schema, or stopping.", SOON),
}


def table() -> str:
    """The table in Markdown. Raises AssertionError unless each code has a meaning, and each meaning a code."""
    assert MEANINGS.keys() == CATALOGUE.keys(), MEANINGS.keys() ^ CATALOGUE.keys()
    lines = ["| Status | Code | Meaning | Again? |", "|---|---|---|---|"]
    for code, kind in CATALOGUE.items():
        meaning = MEANINGS[code]
        lines.append(f"| {kind.status} | `{code}` | {meaning.text} | {meaning.retry} |")
    return "\n".join(lines)


def renewed(document: str) -> str:
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main() -> int:
    document = DOCUMENT.read_text(encoding="utf-8")
    current = renewed(document)
    if document == current:
        return 0
    if "--check" in sys.argv:
        print(f"{DOCUMENT.name} is not current; run: python {Path(__file__).name}", file=sys.stderr)
        return 1
    DOCUMENT.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
