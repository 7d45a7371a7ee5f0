"""HTTP for analytics."""

from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Response, get
from litestar.datastructures import State
from litestar.params import QueryParameter

from overbookr.analytics.model import (
    TOP_EVENTS_DEFAULT,
    TOP_EVENTS_MAX,
    RangeRefusal,
    TotalBookings,
    read_bound,
)
from overbookr.analytics.spreadsheet import to_csv
from overbookr.http.problem import Refused, invalid


def _bound(name: str, text: str | None, *, is_end: bool) -> datetime | None:
    if text is None or text == "":
        return None
    instant = read_bound(text, is_end=is_end)
    if instant is None:
        message = "must be a date like 2026-05-31 or a datetime like 2026-05-31T18:00:00Z"
        raise Refused("invalid_request", f"{name}: {message}", errors=[{"path": name, "message": message}])
    return instant


@get(
    "/analytics/total_bookings",
    opt={"policy": "admin", "media_types": ("text/csv",)},
    tags=["Analytics"],
    summary="What was booked in a range of time",
    description="The last thirty days when no range is given. A date as `to` includes that day. Seats of bookings that "
    "were cancelled since do not count as booked. `format=csv` answers with one table for a spreadsheet.",
)
async def total_bookings(
    state: State,
    start: Annotated[str | None, QueryParameter(name="from", description="A date or an RFC 3339 datetime")] = None,
    end: Annotated[str | None, QueryParameter(name="to", description="A date or an RFC 3339 datetime")] = None,
    top_n: Annotated[int, QueryParameter(ge=1, le=TOP_EVENTS_MAX, description="Events to list")] = TOP_EVENTS_DEFAULT,
    form: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> Response[TotalBookings]:
    answer: TotalBookings | RangeRefusal = await state.analytics.total_bookings(
        _bound("from", start, is_end=False), _bound("to", end, is_end=True), top_n
    )
    if isinstance(answer, RangeRefusal):
        return invalid("from", answer.value)
    if form == "json":
        return Response(answer)
    table: Response[Any] = Response(
        to_csv(answer).encode(),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="total_bookings.csv"'},
    )
    return table


routes = [total_bookings]
