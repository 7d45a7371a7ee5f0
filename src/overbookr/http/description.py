"""The description of the interface (OpenAPI): what Litestar reads off the handlers, and what they have in common.

Litestar knows parameters and successes, msgspec what it takes as a body. Who may use a route, what a refusal looks like
and which headers count is this application's own; handlers say it in their `opt`, where requests are judged by it too:

- `policy`: see `http.auth`.
- `allowance`: see `http.allowances`.
- `refusals`: the codes that are this route's own; what follows from its shape is added.
- `idempotency_key`: "required" or "optional".
- `conditional`: whether If-None-Match is honoured.
- `body`: the schema of a body that the handler reads by itself.
- `media_types`: what a success may be besides JSON.
"""

from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from overbookr import limits
from overbookr.http.allowances import allowance_of
from overbookr.http.auth import policy_of
from overbookr.http.problem import CATALOGUE, MEDIA_TYPE

_TEXT: Final = {"type": "string"}
_COMPONENTS: Final = "#/components/schemas/{name}"
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Why a request was refused. `code` is stable; some codes bring members of their own.",
    "required": ["type", "title", "status", "detail", "instance", "code", "error"],
    "properties": {
        "type": {**_TEXT, "description": "Where the code is explained."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": {**_TEXT, "description": "For people."},
        "instance": {**_TEXT, "description": "The id of the request, as in X-Request-Id."},
        "code": {**_TEXT, "enum": list(CATALOGUE)},
        "error": {**_TEXT, "description": "The same text as title."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": _TEXT, "message": _TEXT},
            },
        },
    },
    "additionalProperties": True,
}
_REQUEST_ID: Final = {"X-Request-Id": {"schema": _TEXT, "required": True}}
_PAGE: Final = {
    "X-Total-Count": {"schema": {"type": "integer", "minimum": 0}, "required": True},
    "Link": {"schema": _TEXT, "required": True, "description": "first, prev, next and last (RFC 8288)"},
}
# What a status always brings along.
_HEADERS_OF: Final[dict[str, dict[str, Any]]] = {
    "401": {"WWW-Authenticate": {"schema": _TEXT, "required": True}},
    "429": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "required": True}},
    "503": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "required": True}},
}
# The way of a buyer through the operations: what an answer of 201 is good for next.
_HELD: Final = {"hold_token": "$response.body#/hold_token"}
_BOOKED: Final = {"booking_id": "$response.body#/id"}
_LINKS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "EventsEventIdSeatsAddSeats": {
        "HoldsPlaceHold": {
            "requestBody": {"event_id": "$request.path.event_id", "seat_nos": ["$response.body#/0/seat_no"]},
        },
    },
    "HoldsPlaceHold": {
        "HoldsHoldTokenGetHold": {"parameters": _HELD},
        "HoldsHoldTokenReleaseHold": {"parameters": _HELD},
        "BookingsCreateBooking": {"requestBody": {"event_id": "$response.body#/event_id", **_HELD}},
    },
    "BookingsCreateBooking": {
        "BookingsBookingIdGetBooking": {"parameters": _BOOKED},
        "BookingsBookingIdCancelBooking": {"parameters": _BOOKED},
    },
}


def describe(app: Litestar) -> dict[str, Any]:
    """The OpenAPI document of the application."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["components"]["schemas"]["Problem"] = _PROBLEM
    bodies = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            operations = document["paths"].get(route.path_format, {})
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    if method.lower() in operations:
                        _complete(operations[method.lower()], handler)
                        if handler.parsed_data_field is not None:
                            bodies[operations[method.lower()]["operationId"]] = handler.parsed_data_field.annotation
    _describe_bodies(document, bodies)
    # Litestar keeps the paths of a handler in a set; every process is to give the same document.
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _describe_bodies(document: dict[str, Any], bodies: dict[str, Any]) -> None:
    """Bodies as msgspec judges them: with every bound and pattern, and without members that it does not know."""
    schemas, components = msgspec.json.schema_components(bodies.values(), ref_template=_COMPONENTS)
    document["components"]["schemas"] |= _as_described(components)
    schema_of = dict(zip(bodies, schemas, strict=True))
    for operations in document["paths"].values():
        for operation in operations.values():
            if (schema := schema_of.get(operation["operationId"])) is not None:
                operation["requestBody"]["content"] = {"application/json": {"schema": schema}}


def _as_described(schema: Any) -> Any:
    """The schema with what `text.described` says put in the place of what msgspec says."""
    match schema:
        case dict():
            members = {name: _as_described(member) for name, member in schema.items() if name != "x-described"}
            return members | schema.get("x-described", {})
        case list():
            return [_as_described(item) for item in schema]
        case _:
            return schema


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler) -> None:
    parameters = operation.setdefault("parameters", [])
    if need := handler.opt.get("idempotency_key"):
        parameters.append(_key_parameter(required=need == "required"))
    if schema := handler.opt.get("body"):
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}, "required": True}
    policy = policy_of(handler)
    if policy != "anyone":
        operation["security"] = [{"bearer": []}]
    responses = operation["responses"]
    responses.pop("400", None)
    success = next(answer for status, answer in responses.items() if status.startswith("2"))
    success["headers"] = (
        success.get("headers", {}) | _REQUEST_ID | (_PAGE if "page" in (handler.dependencies or {}) else {})
    )
    if "204" in responses:
        responses["204"].pop("content", None)
    if links := _LINKS.get(operation["operationId"]):
        success["links"] = {name: {"operationId": name, **link} for name, link in links.items()}
    for media_type in handler.opt.get("media_types", ()):
        success["content"][media_type] = {"schema": _TEXT}
    if handler.opt.get("conditional"):
        parameters.append({"name": "If-None-Match", "in": "header", "required": False, "schema": _TEXT})
        responses["304"] = {"description": "Nothing has changed", "headers": _REQUEST_ID}
    own = handler.opt.get("refusals", ())
    places = {parameter["in"] for parameter in parameters}
    limited = ["429"] if allowance_of(handler) is not None else []
    for status in sorted({*_refusals(policy, places, "requestBody" in operation), *limited, *map(_status_of, own)}):
        codes = [code for code in own if _status_of(code) == status]
        kinds = codes or [code for code in CATALOGUE if _status_of(code) == status]
        responses[status] = _refusal(" or ".join(CATALOGUE[code].title for code in kinds), _HEADERS_OF.get(status, {}))
    responses["default"] = _refusal("Any other refusal")


def _status_of(code: str) -> str:
    return str(CATALOGUE[code].status)


def _refusals(policy: str, places: set[str], has_body: bool) -> list[str]:
    """The statuses that follow from the shape of a route alone."""
    statuses = ["503"]
    if has_body or places & {"query", "header"}:
        statuses.append("400")
    if policy != "anyone":
        statuses.append("401")
    if policy == "admin":
        statuses.append("403")
    if "path" in places:
        statuses.append("404")
    return statuses + (["413", "415"] if has_body else [])


def _refusal(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _REQUEST_ID | (headers or {}),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _key_parameter(*, required: bool) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "New for each thing you mean to do; the same again when an answer was lost.",
        "schema": {
            **_TEXT,
            "minLength": 1,
            "maxLength": limits.IDEMPOTENCY_KEY_LENGTH_MAX,
            "pattern": "^[!#-~]([ -~]*[!-~])?$",
        },
    }
