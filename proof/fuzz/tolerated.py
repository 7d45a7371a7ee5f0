"""What schemathesis reports and is no defect here, each with its reason. Everything else fails the proof."""

import json
from typing import Any, Final

# Rules between fields, or about the meaning of a text, that a JSON Schema cannot say. By operation, what such a refusal
# says in its `detail`; any other refusal of a body that is as described stays a failure.
BEYOND_SCHEMA: Final[dict[str, tuple[str, ...]]] = {
    "POST /events": (
        "sales_open_at must be before sales_close_at",
        "must lie between the years 1900 and 9000",
        "metadata must not hold NUL characters",
        "metadata is larger than",
    ),
    "PATCH /events/{event_id}": (
        "sales_open_at must be before sales_close_at",
        "must lie between the years 1900 and 9000",
        "metadata must not hold NUL characters",
        "metadata is larger than",
    ),
    # A seat may be named twice only where that is harmless.
    "POST /holds": ("a seat is named twice",),
    "POST /events/{event_id}/seats/block": ("a seat is named twice",),
    "POST /events/{event_id}/seats/unblock": ("a seat is named twice",),
    # The description leaves the plan's format to pretix's own.
    "PUT /events/{event_id}/seating-plan": ("",),
    "POST /seating-plans/preview": ("",),
    # A password is changed together with the one before.
    "PATCH /users/me": ("is needed to set a new password", "is missing beside current_password"),
    # The part before the @ has a length of its own.
    "POST /users/register": ("$.email: is not an e-mail address",),
    # Two ways to write a moment, and a range between two of them.
    "GET /analytics/total_bookings": ("must be a date like", "from:", "to:"),
}

# JSON Schema takes 2.0 for an integer; here it is none, as it is none in most languages that clients are written in.
NOT_INTEGERS: Final = ", got `float`"

# Having created an event does not mean that one waits for it, nor that it has these seats or a seating plan.
NOT_PARTS_OF_AN_EVENT: Final = ("waitlist_entry_not_found", "seats_not_found", "chart_not_found")

REASONS: Final = (
    "fuzz: whether every body as described is accepted, where a rule is between fields or about the meaning of a text "
    "(sale window, years, NUL in metadata, seats named twice, seating plans, passwords in pairs, ranges of dates), or "
    "where 2.0 stands for an integer",
    "fuzz: the stream of an event, which ends after a minute only; tests of their own watch it",
    "fuzz: whether a place in the queue, seats and a chart exist right after their event was created; they need not",
)


def is_tolerated(failure: Any, case: Any, response: Any) -> bool:
    """`failure`, `case` and `response` are schemathesis' own."""
    kind, problem = type(failure).__name__, _problem_of(response)
    if kind == "RejectedPositiveData":
        allowed = (*BEYOND_SCHEMA.get(case.operation.label, ()), NOT_INTEGERS)
        return response.status_code == 400 and any(text in problem["detail"] for text in allowed)
    return kind == "EnsureResourceAvailability" and problem["code"] in NOT_PARTS_OF_AN_EVENT


def _problem_of(response: Any) -> dict[str, str]:
    try:
        problem = json.loads(response.content)
        return {"code": str(problem["code"]), "detail": str(problem["detail"])}
    except (ValueError, KeyError, TypeError):
        return {"code": "", "detail": ""}
