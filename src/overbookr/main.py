"""The composition root: the one place where the parts meet. Read it top to bottom to see what runs, in what order."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Litestar, Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler, ExceptionHandlersMap

from overbookr import __version__, limits
from overbookr.analytics.duties import SalesFolder
from overbookr.analytics.routes import routes as analytics_routes
from overbookr.analytics.store import AnalyticsStore
from overbookr.audit.duties import Reconciler
from overbookr.audit.routes import routes as audit_routes
from overbookr.audit.store import AuditStore
from overbookr.batching import MicroBatcher
from overbookr.bookings.routes import routes as booking_routes
from overbookr.bookings.store import BookingStore
from overbookr.database.pool import Pool
from overbookr.duty import DutyRunner
from overbookr.events.pages import EventPages
from overbookr.events.routes import routes as event_routes
from overbookr.events.store import EventStore
from overbookr.holds.routes import routes as hold_routes
from overbookr.holds.store import HoldStore
from overbookr.http.addresses import ClientAddresses, networks_of
from overbookr.http.admission import Admission, Kind
from overbookr.http.allowances import OF_ADDRESS, AllowanceMiddleware, Allowances
from overbookr.http.auth import PrincipalMiddleware, ReadStanding, TokenVerifier, check_policies
from overbookr.http.body import StrictRequest
from overbookr.http.failures import EXCEPTION_HANDLERS, AnyRequest, answer_overload
from overbookr.http.front import Front, Ready
from overbookr.http.joint_counts import JointCounts
from overbookr.http.options import options_of
from overbookr.http.problem import problem
from overbookr.http.rate_limits import RateLimits
from overbookr.machine import ProcessorTimes
from overbookr.mail.delivery import post_of, sender_of
from overbookr.mail.duties import MailDelivery
from overbookr.mail.render import MailComposer
from overbookr.mail.routes import routes as ticket_routes
from overbookr.mail.store import MailStore
from overbookr.mail.ticket import derive_ticket_key
from overbookr.maps.boards import Boards
from overbookr.maps.ready import ReadyMaps
from overbookr.maps.routes import routes as map_routes
from overbookr.maps.store import MapStore
from overbookr.maps.streams import Streams
from overbookr.operations.readiness import Readiness
from overbookr.operations.routes import OPEN
from overbookr.operations.routes import routes as operations_routes
from overbookr.processes import (
    SUPERVISOR_VARIABLE,
    collect_garbage_rarely,
    drain_before_stopping,
    end_unread_connections,
    end_with_parent,
    tell_started,
)
from overbookr.seats.routes import routes as seat_routes
from overbookr.seats.store import SeatStore
from overbookr.settings import Settings, load_settings
from overbookr.stores import make_users, open_pools
from overbookr.telemetry import (
    configure_logging,
    count_duty_work,
    count_refused,
    forget_process,
    observe_batch,
    set_connections_in_use,
    set_invariant_violations,
    set_queue_depth,
    set_viewers,
)
from overbookr.ui.routes import routes as ui_routes
from overbookr.users.duties import ForgetExpiredTokens
from overbookr.users.page_sessions import routes as page_session_routes
from overbookr.users.routes import routes as user_routes
from overbookr.users.store import UserStore
from overbookr.users.tokens import load_secret
from overbookr.waitlist.routes import routes as waitlist_routes
from overbookr.waitlist.store import WaitlistStore
from overbookr.writes.duties import EventSettler
from overbookr.writes.lane import LaneBusy, OutcomeUnknown
from overbookr.writes.writer import Writer

# The rooms whose functions.sql are kept up to date in the database, in the order of creation.
FUNCTION_SOURCES = [
    (f"overbookr.{room}", "functions.sql")
    for room in ("writes", "holds", "waitlist", "events", "seats", "bookings", "analytics", "audit")
]

_HANDLERS: Sequence[HTTPRouteHandler] = [
    *user_routes,
    *page_session_routes,
    *event_routes,
    *seat_routes,
    *map_routes,
    *hold_routes,
    *booking_routes,
    *waitlist_routes,
    *analytics_routes,
    *audit_routes,
    *ticket_routes,
    *operations_routes,
    *ui_routes,
]
ROUTES: Sequence[ControllerRouterHandler] = [*options_of(_HANDLERS), *_HANDLERS]

OPENAPI = OpenAPIConfig(
    title="Overbookr",
    version=__version__,
    description="Sells every seat of a venue exactly once, at on-sale speed.",
    # The pages and the document are served by the room `operations`; nothing here may load from other hosts.
    openapi_router=Router("/schema", route_handlers=[], opt=OPEN, include_in_schema=False),
    render_plugins=[JsonRenderPlugin()],
    components=Components(
        security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")},
    ),
)


def _answer_unknown_outcome(request: AnyRequest, error: Exception) -> Response[Any]:
    return problem("outcome_unknown", "The connection to the database was lost; repeat the request with the same key.")


_EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    **EXCEPTION_HANDLERS,
    LaneBusy: answer_overload,
    OutcomeUnknown: _answer_unknown_outcome,
}


def application() -> Front:
    """The ASGI application of one API process; granian calls this in each of them."""
    # A supervisor that was killed cannot stop its workers, and they would go on answering beside its successor's.
    end_with_parent(int(os.environ[SUPERVISOR_VARIABLE]) if SUPERVISOR_VARIABLE in os.environ else None)
    settings = load_settings()
    configure_logging(settings.log_level)
    return build_application(settings, str(settings.database_url))


def build_application(settings: Settings, dsn: str) -> Front:
    """The application on a database that is migrated already. Raises SecretRefused, PolicyMissing."""
    secret = load_secret(settings)
    standings: list[MicroBatcher[UUID, tuple[int, str] | None]] = []
    writers: list[Writer] = []
    fronts: list[Front] = []
    ready, pages = ReadyMaps(), EventPages()
    addresses, joint = ClientAddresses(networks_of(settings.trusted_proxies)), _joint_counts(settings)

    def observe_writes(size: int) -> None:
        observe_batch("writes", size)
        set_queue_depth("writes", writers[0].depth)

    async def read_standing(user_id: UUID) -> tuple[int, str] | None:
        return await standings[0].submit(user_id)

    def begin_drain() -> None:
        app.state.readiness.draining = True
        fronts[0].draining = True
        app.state.streams.end_all()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            reads, writes = await open_pools(stack, dsn, settings, "api", settings.lanes)
            stack.push_async_callback(_close, joint)
            users = make_users(stack, reads, settings, secret)
            standings[:] = [_standing_reader(users)]
            boards = Boards(MapStore(reads), observe=lambda size: observe_batch("maps", size))
            writer = Writer(
                writes,
                lanes=settings.lanes,
                time_to_live=timedelta(seconds=settings.hold_ttl_seconds),
                user_seats_max=settings.user_max_seats_per_event,
                observe=observe_writes,
                changed=boards.doubt,
            )
            writers[:] = [writer]
            _fill_state(app, settings, reads, writes, users, writer, boards, pages)
            app.state.ticket_key = derive_ticket_key(secret)
            for part in (writer, standings[0], boards, app.state.streams):
                part.start()
                stack.push_async_callback(part.stop)
            ready.boards = boards
            _watch(stack, settings, reads, writes)
            drain_before_stopping(settings.drain_seconds, begin_drain, settings.port)
            collect_garbage_rarely()
            tell_started()
            yield
            app.state.readiness.draining = True
            forget_process(os.getpid())

    app = Litestar(
        route_handlers=ROUTES,
        lifespan=[lifespan],
        request_class=StrictRequest,
        middleware=[
            DefineMiddleware(PrincipalMiddleware, verifier=TokenVerifier(secret), read_standing=read_standing),
            *_allowance_middleware(settings, addresses, joint, read_standing),
        ],
        exception_handlers=_EXCEPTION_HANDLERS,
        openapi_config=OPENAPI,
        # The front bounds bodies, seating plans wider than the rest.
        request_max_body_size=None,
        logging_config=None,
    )
    check_policies(app)
    app.state.update({"client_addresses": addresses, "rate_limits": _rate_limits(settings, joint)})
    fronts.append(_front(app, settings, lambda scope: ready(scope) or pages.ready(scope)))
    return fronts[0]


async def run_duties(dsn: str, settings: Settings, stop: asyncio.Event) -> None:
    """Run the background duties until `stop` is set; each finishes the piece it is at."""
    secret = load_secret(settings)
    async with AsyncExitStack() as stack:
        reads, writes = await open_pools(stack, dsn, settings, "duties", 0)
        user_seats_max = settings.user_max_seats_per_event
        composer = MailComposer(
            base_url=settings.base_url, mail_from=sender_of(settings), ticket_key=derive_ticket_key(secret)
        )
        runner = DutyRunner(
            [
                EventSettler(writes, user_seats_max=user_seats_max),
                SalesFolder(AnalyticsStore(reads)),
                MailDelivery(MailStore(reads), composer, post_of(settings), is_busy=ProcessorTimes().are_taken),
                Reconciler(
                    AuditStore(reads),
                    user_seats_max=user_seats_max,
                    set_invariant_violations=set_invariant_violations,
                    # Of its own, since each tells what was done since it was asked last.
                    is_busy=ProcessorTimes().are_taken,
                ),
                ForgetExpiredTokens(make_users(stack, reads, settings, secret)),
            ],
            report=count_duty_work,
        )
        runner.start()
        await stop.wait()
        await runner.stop()


def _front(app: Litestar, settings: Settings, ready: Ready) -> Front:
    return Front(
        app,
        cors_origins=settings.cors_origin_list,
        transport_security=settings.is_secure,
        admission=Admission(report=_report_refused),
        ready=ready,
        idle_seconds=settings.idle_seconds,
    )


def _joint_counts(settings: Settings) -> JointCounts | None:
    storage = settings.rate_limit_storage
    return None if storage is None or settings.rate_limit == "off" else JointCounts(storage.get_secret_value())


def _rate_limits(settings: Settings, joint: JointCounts | None) -> RateLimits:
    return RateLimits(enabled=settings.rate_limit == "on", shared=joint)


async def _close(joint: JointCounts | None) -> None:
    if joint is not None:
        await joint.close()


def _allowance_middleware(
    settings: Settings, addresses: ClientAddresses, shared: JointCounts | None, read_standing: ReadStanding
) -> list[DefineMiddleware]:
    if settings.rate_limit == "off":
        return []
    per_minute = {
        "reads": settings.reads_per_minute,
        "holds": settings.holds_per_minute,
        "bookings": settings.bookings_per_minute,
        "waitlist joins": settings.waitlist_joins_per_minute,
        OF_ADDRESS: settings.address_reads_per_minute,
    }
    return [
        DefineMiddleware(
            AllowanceMiddleware,
            allowances=Allowances(per_minute, shared),
            addresses=addresses,
            read_standing=read_standing,
        )
    ]


def _fill_state(
    app: Litestar,
    settings: Settings,
    reads: Pool,
    writes: Pool,
    users: UserStore,
    writer: Writer,
    boards: Boards,
    pages: EventPages,
) -> None:
    """What the routes find in the application's state."""
    user_seats_max = settings.user_max_seats_per_event
    state = app.state
    state.writer = writer
    state.maps = boards
    state.streams = Streams(boards, report=set_viewers)
    state.users = users
    state.event_pages = pages
    state.events = EventStore(reads, writes, user_seats_max=user_seats_max)
    state.seats = SeatStore(writes, user_seats_max=user_seats_max)
    state.holds = HoldStore(reads)
    state.bookings = BookingStore(reads)
    state.waitlist = WaitlistStore(reads, writes, user_seats_max=user_seats_max)
    state.analytics = AnalyticsStore(reads)
    state.audits = AuditStore(reads)
    state.readiness = Readiness(reads, FUNCTION_SOURCES)
    state.open_roles = settings.open_roles == "on"
    state.refresh_ttl_seconds = settings.refresh_ttl_seconds
    state.is_secure = settings.is_secure
    state.hold_max_seats = settings.hold_max_seats
    state.user_seats_max = user_seats_max


def _standing_reader(users: UserStore) -> MicroBatcher[UUID, tuple[int, str] | None]:
    return MicroBatcher(
        users.read_standings,
        name="standings",
        batch_max=limits.PRINCIPAL_BATCH_MAX,
        queue_max=limits.PRINCIPAL_QUEUE_MAX,
        wait_seconds_max=limits.READ_WAIT_SECONDS_MAX,
        observe=lambda size: observe_batch("standings", size),
    )


def _report_refused(refused: list[int]) -> None:
    for kind in Kind:
        if refused[kind]:
            count_refused(kind.name.lower(), refused[kind])


def _watch(stack: AsyncExitStack, settings: Settings, reads: Pool, writes: Pool) -> None:
    """What a process does beside answering, until the stack is closed."""
    for work in (_watch_pools(reads, writes), end_unread_connections(settings.port, settings.idle_seconds)):
        stack.push_async_callback(_stop, asyncio.create_task(work))


async def _watch_pools(reads: Pool, writes: Pool) -> None:
    """Keep the metric of connections in use up to date; a connection that never comes back shows there."""
    while True:
        for name, pool in (("reads", reads), ("writes", writes)):
            set_connections_in_use(name, pool.get_size() - pool.get_idle_size())
        await asyncio.sleep(limits.POOL_LOOK_SECONDS)


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
