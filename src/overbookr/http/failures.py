"""Exceptions that reach Litestar, each turned into a problem. Nothing of an unforeseen one is told to the client."""

import re
from collections.abc import Mapping
from typing import Any, Final

import structlog
from litestar.connection import Request
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.response import Response
from litestar.types import ExceptionHandlersMap

from overbookr.batching import DeadlinePassed, QueueFull
from overbookr.database.errors import is_outcome_unknown, is_retryable, sqlstate_of
from overbookr.database.pool import PoolExhausted
from overbookr.http.problem import ProblemResponse, Refused, describe_faults, problem

AnyRequest = Request[Any, Any, Any]

_log = structlog.get_logger("overbookr.http")

_CODE_BY_STATUS: Final[Mapping[int, str]] = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "busy",
}
_FIRST_SERVER_ERROR = 500

# What msgspec says about a body that Litestar has put beside the other arguments under the name `data`.
_BODY_FAULT = re.compile(r"(?P<message>.*) - at `\$\.data(?P<rest>[^`]*)`", re.DOTALL)

# Insufficient resources, object not in prerequisite state (a lock waited for too long), cancelled by its timeout.
_OVERLOAD_STATES = ("53", "55P03", "57014")
# Characters that text columns cannot hold, such as NUL.
_UNSTORABLE_STATES = frozenset({"22021", "22P05"})


def answer_http_exception(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """Litestar's own refusals: no route, wrong method, a body that is too large or not JSON."""
    if isinstance(error.__cause__, SerializationException):
        return problem("malformed_json")
    code = _CODE_BY_STATUS.get(error.status_code)
    if code is None and error.status_code < _FIRST_SERVER_ERROR:
        code = "invalid_request"
    if code is None:
        if not _client_left(error):
            _log_failure(request, error)
        return problem("internal_error")
    detail = error.detail if code == "invalid_request" else None
    return problem(code, detail, headers=error.headers)


def answer_validation_exception(request: AnyRequest, error: ValidationException) -> Response[Any]:
    """Arguments of the wrong type or size, as `errors: [{path, message}]`."""
    errors = _faults_of(error)
    if not errors:
        return problem("invalid_request", error.detail)
    return problem("invalid_request", describe_faults(errors), errors=errors)


def answer_refused(request: AnyRequest, error: Refused) -> Response[Any]:
    return ProblemResponse(error.to_problem())


def answer_overload(request: AnyRequest, error: Exception) -> Response[Any]:
    """A bounded queue is full, or the wait in it was too long: nothing was begun."""
    return problem("busy")


def answer_failure(request: AnyRequest, error: Exception) -> Response[Any]:
    """Everything nobody foresaw, which includes the database being away."""
    if _is_unreadable_json(error):
        return problem("malformed_json")
    state = sqlstate_of(error)
    if state in _UNSTORABLE_STATES:
        return problem("invalid_request", "the text has characters that cannot be stored")
    _log_failure(request, error)
    if is_retryable(error) or (state is not None and state.startswith(_OVERLOAD_STATES)):
        return problem("busy")
    if is_outcome_unknown(error):
        return problem("busy" if request.scope["method"] in ("GET", "HEAD") else "outcome_unknown")
    return problem("internal_error")


# For `Litestar(exception_handlers=EXCEPTION_HANDLERS)`.
EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {
    ValidationException: answer_validation_exception,
    HTTPException: answer_http_exception,
    Refused: answer_refused,
    QueueFull: answer_overload,
    DeadlinePassed: answer_overload,
    PoolExhausted: answer_overload,
    Exception: answer_failure,
}


def body_fault(message: str) -> tuple[str, str]:
    """Path and message of what msgspec says about a body, as in "Expected `str`, got `int` - at `$.seat_nos[0]`"."""
    text, marker, place = message.rpartition(" - at `")
    return (place.rstrip("`"), text) if marker else ("$", message)


def _faults_of(error: ValidationException) -> list[dict[str, str]]:
    body = _BODY_FAULT.fullmatch(str(error.__cause__)) if error.__cause__ is not None else None
    faults: list[dict[str, str]] = []
    if body is not None:
        faults.append({"path": f"${body['rest']}", "message": body["message"]})
    for entry in error.extra if isinstance(error.extra, list) else []:
        key, message = str(entry.get("key", "")), str(entry.get("message", "is not valid"))
        if entry.get("source") != "body":
            faults.append({"path": key, "message": message})
        elif body is None:
            # The body is absent: Litestar then reports the name of its parameter.
            faults.append({"path": "$", "message": "a JSON body is required" if key == "data" else message})
    return faults


def _is_unreadable_json(error: Exception) -> bool:
    """Whether parsing the body failed in a way that Litestar does not recognise: bad UTF-8, or nesting without end."""
    if not isinstance(error, UnicodeDecodeError | RecursionError):
        return False
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("__name__") == "litestar.serialization.msgspec_hooks":
            return True
        frame = frame.tb_next
    return False


def _client_left(error: HTTPException) -> bool:
    return error.detail == "client disconnected prematurely"


def _log_failure(request: AnyRequest, error: Exception) -> None:
    path = request.scope.get("path_template") or "unmatched"
    _log.error("request failed", method=request.scope["method"], path=path, exc_info=error)
