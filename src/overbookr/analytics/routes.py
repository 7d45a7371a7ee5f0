"""HTTP for analytics."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, get
from litestar.datastructures import State
from litestar.params import FromPath, QueryParameter

from overbookr.analytics.model import (
    TOP_EVENTS_DEFAULT,
    TOP_EVENTS_MAX,
    EventSales,
    RangeRefusal,
    TotalBookings,
    read_bound,
)
from overbookr.analytics.spreadsheet import to_csv
from overbookr.http.problem import Refused, invalid, problem


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


_Version = Annotated[int | None, QueryParameter(ge=0, le=2**63 - 1, description="A version of the event")]


@get(
    "/analytics/events/{event_id:uuid}/sales",
    opt={"policy": "admin", "refusals": ("event_not_found",)},
    tags=["Analytics"],
    summary="What became of an event's seats, minute by minute",
    description="Without parameters the latest changes of the event. `before` goes back, with the `after` of an "
    "answer; `after` goes on, with the `version` of one, and is what to ask again and again. One answer counts 20,000 "
    "changes at most.",
)
async def event_sales(
    event_id: FromPath[UUID], state: State, after: _Version = None, before: _Version = None
) -> Response[EventSales]:
    sales: EventSales | None = await state.analytics.event_sales(event_id, after=after, before=before)
    return problem("event_not_found") if sales is None else Response(sales)


routes = [total_bookings, event_sales]
