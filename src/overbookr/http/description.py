"""The description of the interface (OpenAPI): what Litestar reads off the handlers, and what they have in common.

Litestar knows bodies, parameters and successes. Who may use a route, what a refusal looks like and which headers count
is this application's own; handlers say it in their `opt`, where requests are judged by it too:

- `policy`: see `http.auth`.
- `idempotency_key`: "required" or "optional".
- `body`: the schema of a body that the handler reads by itself.
"""

from typing import Any, Final

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from overbookr import limits
from overbookr.http.auth import policy_of
from overbookr.http.problem import CATALOGUE, MEDIA_TYPE

_TEXT: Final = {"type": "string"}
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


def describe(app: Litestar) -> dict[str, Any]:
    """The OpenAPI document of the application."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["components"]["schemas"]["Problem"] = _PROBLEM
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            operations = document["paths"].get(route.path_format, {})
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    if method.lower() in operations:
                        _complete(operations[method.lower()], handler)
    return document


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
    for status in _refusals(policy, [parameter["in"] for parameter in parameters], "requestBody" in operation):
        responses[status] = _refusal(" or ".join(k.title for k in CATALOGUE.values() if str(k.status) == status))
    responses["default"] = _refusal("Any other refusal")


def _refusals(policy: str, places: list[str], has_body: bool) -> list[str]:
    """The statuses that follow from the shape of a route alone."""
    statuses = ["400"] if has_body or "query" in places else []
    if policy != "anyone":
        statuses.append("401")
    if policy == "admin":
        statuses.append("403")
    if "path" in places:
        statuses.append("404")
    return statuses + (["413", "415"] if has_body else [])


def _refusal(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _key_parameter(*, required: bool) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "New for each thing you mean to do; the same again when an answer was lost.",
        "schema": {**_TEXT, "minLength": 1, "maxLength": limits.IDEMPOTENCY_KEY_LENGTH_MAX},
    }
