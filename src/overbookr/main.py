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
from litestar.types import ControllerRouterHandler

from overbookr import __version__, limits
from overbookr.analytics.duties import SalesFolder
from overbookr.analytics.routes import routes as analytics_routes
from overbookr.analytics.store import AnalyticsStore
from overbookr.audit.duties import Reconciler
from overbookr.audit.store import AuditStore
from overbookr.batching import MicroBatcher
from overbookr.bookings.routes import routes as booking_routes
from overbookr.bookings.store import BookingStore
from overbookr.database.pool import Pool, open_pool
from overbookr.duty import DutyRunner
from overbookr.events.routes import routes as event_routes
from overbookr.events.store import EventStore
from overbookr.holds.routes import routes as hold_routes
from overbookr.holds.store import HoldStore
from overbookr.http.admission import Admission, Kind
from overbookr.http.auth import PrincipalMiddleware, TokenVerifier, check_policies
from overbookr.http.body import StrictRequest
from overbookr.http.failures import EXCEPTION_HANDLERS, AnyRequest, answer_overload
from overbookr.http.front import Front
from overbookr.http.options import options_of
from overbookr.http.problem import problem
from overbookr.http.rate_limits import RateLimits
from overbookr.mail.delivery import post_of, sender_of
from overbookr.mail.duties import MailDelivery
from overbookr.mail.render import MailComposer
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
    end_with_parent,
    tell_started,
)
from overbookr.seats.routes import routes as seat_routes
from overbookr.seats.store import SeatStore
from overbookr.settings import Settings, load_settings
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
from overbookr.users.passwords import Passwords
from overbookr.users.routes import routes as user_routes
from overbookr.users.store import UserStore
from overbookr.users.tokens import TokenIssuer, load_secret
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
    *event_routes,
    *seat_routes,
    *map_routes,
    *hold_routes,
    *booking_routes,
    *waitlist_routes,
    *analytics_routes,
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
    ready = ReadyMaps()

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
            reads, writes = await _open_pools(stack, dsn, settings, "api", settings.lanes)
            users = _users(stack, reads, settings, secret)
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
            _fill_state(app, settings, reads, writes, users, writer, boards)
            for part in (writer, standings[0], boards, app.state.streams):
                part.start()
                stack.push_async_callback(part.stop)
            ready.boards = boards
            stack.push_async_callback(_stop, asyncio.create_task(_watch_pools(reads, writes)))
            drain_before_stopping(settings.drain_seconds, begin_drain)
            collect_garbage_rarely()
            tell_started()
            yield
            app.state.readiness.draining = True
            forget_process(os.getpid())

    app = Litestar(
        route_handlers=ROUTES,
        lifespan=[lifespan],
        request_class=StrictRequest,
        middleware=[DefineMiddleware(PrincipalMiddleware, verifier=TokenVerifier(secret), read_standing=read_standing)],
        exception_handlers={
            **EXCEPTION_HANDLERS,
            LaneBusy: answer_overload,
            OutcomeUnknown: _answer_unknown_outcome,
        },
        openapi_config=OPENAPI,
        # The front bounds bodies, seating plans wider than the rest.
        request_max_body_size=None,
        logging_config=None,
    )
    check_policies(app)
    fronts.append(_front(app, settings, ready))
    return fronts[0]


async def run_duties(dsn: str, settings: Settings, stop: asyncio.Event) -> None:
    """Run the background duties until `stop` is set; each finishes the piece it is at."""
    secret = load_secret(settings)
    async with AsyncExitStack() as stack:
        reads, writes = await _open_pools(stack, dsn, settings, "duties", 0)
        user_seats_max = settings.user_max_seats_per_event
        composer = MailComposer(
            base_url=settings.base_url, mail_from=sender_of(settings), ticket_key=derive_ticket_key(secret)
        )
        runner = DutyRunner(
            [
                EventSettler(writes, user_seats_max=user_seats_max),
                SalesFolder(AnalyticsStore(reads)),
                MailDelivery(MailStore(reads), composer, post_of(settings)),
                Reconciler(
                    AuditStore(reads),
                    user_seats_max=user_seats_max,
                    set_invariant_violations=set_invariant_violations,
                ),
                ForgetExpiredTokens(_users(stack, reads, settings, secret)),
            ],
            report=count_duty_work,
        )
        runner.start()
        await stop.wait()
        await runner.stop()


@asynccontextmanager
async def open_users(dsn: str, settings: Settings) -> AsyncIterator[UserStore]:
    """The users' store for a command of the command line."""
    async with AsyncExitStack() as stack:
        reads, _ = await _open_pools(stack, dsn, settings, "command", 0)
        yield _users(stack, reads, settings, load_secret(settings))


@asynccontextmanager
async def open_seats(dsn: str, settings: Settings) -> AsyncIterator[SeatStore]:
    """The seats' store for a command of the command line."""
    async with AsyncExitStack() as stack:
        _, writes = await _open_pools(stack, dsn, settings, "command", 0)
        yield SeatStore(writes, user_seats_max=settings.user_max_seats_per_event)


@asynccontextmanager
async def open_events(dsn: str, settings: Settings) -> AsyncIterator[EventStore]:
    """The events' store for a command of the command line."""
    async with AsyncExitStack() as stack:
        reads, writes = await _open_pools(stack, dsn, settings, "command", 0)
        yield EventStore(reads, writes, user_seats_max=settings.user_max_seats_per_event)


@asynccontextmanager
async def open_audit(dsn: str, settings: Settings) -> AsyncIterator[AuditStore]:
    """The audit's store for a command of the command line."""
    async with AsyncExitStack() as stack:
        reads, _ = await _open_pools(stack, dsn, settings, "command", 0)
        yield AuditStore(reads)


def _front(app: Litestar, settings: Settings, ready: ReadyMaps) -> Front:
    return Front(
        app,
        cors_origins=settings.cors_origin_list,
        transport_security=settings.base_url.startswith("https://"),
        admission=Admission(report=_report_refused),
        ready=ready,
    )


def _fill_state(
    app: Litestar, settings: Settings, reads: Pool, writes: Pool, users: UserStore, writer: Writer, boards: Boards
) -> None:
    """What the routes find in the application's state."""
    user_seats_max = settings.user_max_seats_per_event
    state = app.state
    state.writer = writer
    state.maps = boards
    state.streams = Streams(boards, report=set_viewers)
    state.users = users
    state.events = EventStore(reads, writes, user_seats_max=user_seats_max)
    state.seats = SeatStore(writes, user_seats_max=user_seats_max)
    state.holds = HoldStore(reads)
    state.bookings = BookingStore(reads)
    state.waitlist = WaitlistStore(reads, writes, user_seats_max=user_seats_max)
    state.analytics = AnalyticsStore(reads)
    state.readiness = Readiness(reads, FUNCTION_SOURCES)
    state.rate_limits = RateLimits(enabled=settings.rate_limit == "on")
    state.open_roles = settings.open_roles == "on"
    state.hold_max_seats = settings.hold_max_seats
    state.user_seats_max = user_seats_max


def _users(stack: AsyncExitStack, reads: Pool, settings: Settings, secret: bytes) -> UserStore:
    passwords = Passwords()
    stack.callback(passwords.close)
    issuer = TokenIssuer(
        secret, access_ttl_seconds=settings.access_ttl_seconds, refresh_ttl_seconds=settings.refresh_ttl_seconds
    )
    return UserStore(reads, passwords, issuer)


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


async def _watch_pools(reads: Pool, writes: Pool) -> None:
    """Keep the metric of connections in use up to date; a connection that never comes back shows there."""
    while True:
        for name, pool in (("reads", reads), ("writes", writes)):
            set_connections_in_use(name, pool.get_size() - pool.get_idle_size())
        await asyncio.sleep(limits.POOL_LOOK_SECONDS)


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _answer_unknown_outcome(request: AnyRequest, error: Exception) -> Response[Any]:
    return problem("outcome_unknown", "The connection to the database was lost; repeat the request with the same key.")


async def _open_pools(stack: AsyncExitStack, dsn: str, settings: Settings, role: str, lanes: int) -> tuple[Pool, Pool]:
    """A pool for reads and one for writes, the latter with a connection for each lane and two for organisers."""
    reads = await open_pool(
        dsn,
        size=settings.read_connections,
        application_name=f"overbookr {role} reads",
        statement_cache=settings.statement_cache,
    )
    stack.push_async_callback(reads.close)
    writes = await open_pool(
        dsn,
        size=lanes + 2,
        application_name=f"overbookr {role} writes",
        statement_cache=settings.statement_cache,
        write=True,
    )
    stack.push_async_callback(writes.close)
    return reads, writes
