"""Problem details (RFC 9457): every refusal a client can see, by a stable code.

Clients branch on `code`; `title` and `error` are the same short text, and `detail` is for people.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from litestar.response import Response
from litestar.response.base import ASGIResponse

from overbookr.telemetry import current_request_id

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar.background_tasks import BackgroundTask, BackgroundTasks
    from litestar.connection import Request
    from litestar.datastructures import Cookie
    from litestar.enums import MediaType
    from litestar.types import TypeEncodersMap

MEDIA_TYPE: Final = "application/problem+json"


class Kind(NamedTuple):
    """What all problems of one code share. `retry_after` is in seconds; None sends no Retry-After by itself."""

    status: int
    title: str
    retry_after: int | None = None


CATALOGUE: Final[Mapping[str, Kind]] = {
    "invalid_request": Kind(400, "The request is not valid"),
    "malformed_json": Kind(400, "The body is not well-formed JSON"),
    "invalid_plan": Kind(400, "The seating plan is not valid"),
    "idempotency_key_required": Kind(400, "An Idempotency-Key header is required"),
    "idempotency_key_invalid": Kind(400, "The Idempotency-Key is not usable"),
    "unauthorized": Kind(401, "Please log in"),
    "bad_credentials": Kind(401, "Wrong e-mail or password"),
    "invalid_refresh_token": Kind(401, "The refresh token is not valid"),
    "forbidden": Kind(403, "You may not do this"),
    "role_not_allowed": Kind(403, "You may not choose this role"),
    "wrong_password": Kind(403, "The current password is wrong"),
    "not_found": Kind(404, "There is nothing here"),
    "event_not_found": Kind(404, "There is no such event"),
    "seats_not_found": Kind(404, "The event has no such seats"),
    "hold_not_found": Kind(404, "There is no such hold"),
    "booking_not_found": Kind(404, "There is no such booking"),
    "waitlist_entry_not_found": Kind(404, "You are not on this waitlist"),
    "user_not_found": Kind(404, "There is no such user"),
    "chart_not_found": Kind(404, "The event has no seating plan"),
    "ticket_not_found": Kind(404, "There is no such ticket"),
    "method_not_allowed": Kind(405, "This method is not allowed here"),
    "not_acceptable": Kind(406, "This cannot be answered in a form you accept"),
    "request_timeout": Kind(408, "The body did not come in time"),
    "email_taken": Kind(409, "This e-mail is taken"),
    "event_in_use": Kind(409, "The event has holds, bookings or waiters"),
    "capacity_in_use": Kind(409, "More seats than that are taken"),
    "seats_in_use": Kind(409, "Seats that would vanish are taken"),
    "seats_unavailable": Kind(409, "Seats are not available"),
    "hold_limit": Kind(409, "That is more seats than one person may have"),
    "not_on_sale": Kind(409, "The event is not on sale"),
    "idempotency_in_flight": Kind(409, "The first request with this key is still running", 1),
    "hold_already_booked": Kind(409, "The hold is already booked"),
    "hold_expired": Kind(409, "The hold is over"),
    "hold_event_mismatch": Kind(409, "The hold belongs to another event"),
    "capacity_exceeded": Kind(409, "The event has no capacity left for this"),
    "event_started": Kind(409, "The event has started"),
    "seats_available": Kind(409, "Enough seats are free right now"),
    "already_waiting": Kind(409, "You are already on this waitlist"),
    "hold_over": Kind(410, "The hold is over"),
    "payload_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "Send application/json"),
    "idempotency_key_reused": Kind(422, "The Idempotency-Key was used for another request"),
    "rate_limited": Kind(429, "Too many requests", 1),
    "internal_error": Kind(500, "Something went wrong on our side"),
    "busy": Kind(503, "The service is busy, please try again", 1),
    "outcome_unknown": Kind(503, "The outcome is unknown, please repeat the request", 1),
    "not_ready": Kind(503, "The service is not ready", 1),
}

_encode = msgspec.json.Encoder().encode
_RESERVED = frozenset({"type", "title", "status", "detail", "instance", "code", "error"})


class Problem(NamedTuple):
    """A problem ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes


def build_problem(
    code: str,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Problem:
    """Status, headers and body of a problem. Raises KeyError for a code that the catalogue does not list.

    `headers` win over the Retry-After and WWW-Authenticate that the code brings along.
    """
    kind = CATALOGUE[code]
    content: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.title,
        "instance": current_request_id.get(),
        "code": code,
        "error": kind.title,
    }
    if members:
        if not _RESERVED.isdisjoint(members):
            raise ValueError(f"members may not be called {sorted(_RESERVED & members.keys())}")
        content.update(members)
    sent: dict[str, str] = {}
    if kind.retry_after is not None:
        sent["retry-after"] = str(kind.retry_after)
    if kind.status == 401:
        sent["www-authenticate"] = "Bearer"
    if headers:
        sent.update((name.lower(), value) for name, value in headers.items())
    return Problem(kind.status, sent, _encode(content))


class ProblemResponse(Response[Any]):
    """A Litestar response whose body is encoded already, so that sending it is cheap."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)

    def to_asgi_response(
        self,
        app: "Litestar | None",
        request: "Request[Any, Any, Any]",
        *,
        background: "BackgroundTask | BackgroundTasks | None" = None,
        cookies: "Iterable[Cookie] | None" = None,
        encoded_headers: Iterable[tuple[bytes, bytes]] | None = None,
        headers: dict[str, str] | None = None,
        is_head_response: bool = False,
        media_type: "MediaType | str | None" = None,
        status_code: int | None = None,
        type_encoders: "TypeEncodersMap | None" = None,
    ) -> ASGIResponse:
        """The response without what the handler would have added to a success, such as its cookies and headers."""
        return ASGIResponse(
            body=self.content, headers=self.headers, media_type=MEDIA_TYPE, status_code=self.status_code
        )


def problem(
    code: str,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response[Any]:
    """The response for a refusal: what a handler returns instead of its success."""
    return ProblemResponse(build_problem(code, detail, headers=headers, members=members))


def invalid(path: str, message: str) -> Response[Any]:
    """A 400 about one field; `path` is like `$.seat_nos[0]` in the body, or the bare name of a query parameter."""
    return invalid_fields([(path, message)])


def invalid_fields(faults: Iterable[tuple[str, str]]) -> Response[Any]:
    """A 400 about several fields, as pairs of path and message."""
    errors = [{"path": path, "message": message} for path, message in faults]
    return problem("invalid_request", describe_faults(errors), errors=errors)


def describe_faults(errors: list[dict[str, str]]) -> str:
    """One sentence a fault, for people who only read `detail`."""
    return "; ".join(f"{error['path']}: {error['message']}" for error in errors)


class Refused(Exception):
    """A refusal from where no response can be returned: guards, dependencies, middlewares, request streams."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.headers = headers
        self.members = members

    def to_problem(self) -> Problem:
        return build_problem(self.code, self.detail, headers=self.headers, members=self.members)
