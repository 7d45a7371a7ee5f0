"""JSON bodies, read once and strictly."""

from functools import cache
from typing import Any

import msgspec
from litestar.connection import Request

from overbookr.http.failures import body_fault
from overbookr.http.problem import Refused, describe_faults


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body becomes the type of its handler's `data` with nothing coerced into it.

    Litestar converts leniently, as it must for query strings: "3" would pass for a number, "null" for nothing, and 3
    for a time.
    """

    async def json(self) -> Any:
        """The body as the handler wants it. Raises Refused."""
        field = self.route_handler.parsed_data_field
        body = await self.body()
        try:
            return _decoder(Any if field is None else field.annotation).decode(body)
        except msgspec.ValidationError as error:
            path, message = body_fault(str(error))
            errors = [{"path": path, "message": message}]
            raise Refused("invalid_request", describe_faults(errors), errors=errors) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused("malformed_json") from error


@cache
def _decoder(annotation: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(annotation)
