"""Logs as JSON lines and metrics for Prometheus.

With several worker processes, `prepare_metrics_directory` must run before they start, and the process that starts
them must count nothing itself before that.
"""

import hashlib
import logging
import os
import re
import shutil
import sys
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from structlog.typing import EventDict, Processor, WrappedLogger

# The id of the request at work, "" outside of one. Every log line and every problem carries it.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")

# ---------------------------------------------------------------- logs

REDACTED: Final = "[redacted]"

_SECRET_NAME = re.compile(r"authorization|password|passwd|secret|token|cookie|api_?key|_pass$|^pass$", re.IGNORECASE)
_SECRET_TEXT: Final = (
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    # A JSON Web Token wherever it stands: its header always starts like this.
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), REDACTED),
    # The password in a URL such as postgresql://user:password@host.
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), rf"\1:{REDACTED}@"),
    (
        re.compile(r"""(["']?\w*(?:password|secret|token)["']?\s*[:=]\s*)(["'])[^"']*\2""", re.IGNORECASE),
        rf"\1\2{REDACTED}\2",
    ),
)
_DEEPEST = 6

_encode_line = msgspec.json.Encoder(enc_hook=repr).encode


def redact(value: Any, depth: int = 0) -> Any:
    """A copy of a value to be logged in which nothing secret is left, by the names and the looks of its parts."""
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXT:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "replace"))
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, dict):
        return {str(name): _redact_named(str(name), part, depth) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(part, depth + 1) for part in value]
    return value


def _redact_named(name: str, value: Any, depth: int) -> Any:
    if value is not None and not isinstance(value, bool) and _SECRET_NAME.search(name):
        return REDACTED
    return redact(value, depth + 1)


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: _redact_named(name, value, 0) for name, value in event.items()}


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if request_id := current_request_id.get():
        event.setdefault("request_id", request_id)
    return event


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _encode_line(event).decode()


def configure_logging(level: str = "info") -> None:
    """Send structlog's and the standard library's records to standard error, one JSON object a line.

    Fields and texts that look like credentials are replaced by "[redacted]".
    """
    shared: list[Processor] = [
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # A plain traceback: the richer ones print local variables, and those hold passwords.
                structlog.processors.format_exc_info,
                _redact_event,
                _render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


# ---------------------------------------------------------------- metrics

_MEMORY: Final = Path("/dev/shm")
_DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_REGISTRY: Final = CollectorRegistry()

_DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

# Counting is not free, so one metric serves as the counter (its _count) and as the distribution.
_REQUEST_SECONDS = Histogram(
    "overbookr_http_request_seconds",
    "Seconds from the arrival of a request to the end of its answer.",
    ["method", "path", "status"],
    buckets=_DURATIONS,
    registry=_REGISTRY,
)
_BATCH_SIZE = Histogram(
    "overbookr_batch_size", "Commands or reads in one batch.", ["batch"], buckets=_BATCH_SIZES, registry=_REGISTRY
)
_QUEUE_DEPTH = Gauge(
    "overbookr_queue_depth", "Items that wait for a batch.", ["queue"], multiprocess_mode="livesum", registry=_REGISTRY
)
_REFUSED = Counter(
    "overbookr_overload_refusals",
    "Requests refused at the door, by what they were. They are not in the histogram of requests.",
    ["kind"],
    registry=_REGISTRY,
)
_UNCOUNTED = Counter(
    "overbookr_rate_limit_uncounted",
    "Requests that the shared storage of the limits did not hear of: it failed, or rested after it had.",
    ["reason"],
    registry=_REGISTRY,
)
_CONNECTIONS = Gauge(
    "overbookr_database_connections_in_use",
    "Connections that are taken out of a pool, by the last look.",
    ["pool"],
    multiprocess_mode="livesum",
    registry=_REGISTRY,
)
_DUTY_WORK = Counter("overbookr_duty_work", "Things done by background duties.", ["duty"], registry=_REGISTRY)
_INVARIANT_VIOLATIONS = Gauge(
    "overbookr_invariant_violations",
    "Rows that break an invariant, by the last check. Anything but 0 is a bug.",
    ["name"],
    multiprocess_mode="mostrecent",
    registry=_REGISTRY,
)

# Looking a child up by its labels costs more than counting, so each is looked up once.
_requests: dict[tuple[str, str, int], Histogram] = {}
_batches: dict[str, Histogram] = {}


def observe_request(method: str, path: str, status: int, seconds: float) -> None:
    """Count an answered request. `path` is a route's template, never the path as sent: that has no end of values."""
    key = (method, path, status)
    child = _requests.get(key)
    if child is None:
        child = _requests[key] = _REQUEST_SECONDS.labels(method, path, str(status))
    child.observe(seconds)


def observe_batch(name: str, size: int) -> None:
    """Count a batch of `size` items of the batcher or lane `name`."""
    child = _batches.get(name)
    if child is None:
        child = _batches[name] = _BATCH_SIZE.labels(name)
    child.observe(size)


def set_queue_depth(name: str, depth: int) -> None:
    """Say how many items wait in this process's queue `name`; the metric is the sum over living processes."""
    _QUEUE_DEPTH.labels(name).set(depth)


def count_refused(kind: str, amount: int) -> None:
    """Add requests of a kind that were refused at the door."""
    _REFUSED.labels(kind).inc(amount)


def count_uncounted(reason: str) -> None:
    """Add a request that a limit's shared storage could not be asked about."""
    _UNCOUNTED.labels(reason).inc()


@cache
def _viewers() -> Gauge:
    """Made when it is first set: a metric without labels chooses where its number lives when it is made, and before the
    directory is named that is where only its own process sees it."""
    return Gauge(
        "overbookr_stream_viewers",
        "Clients that watch an event's seats.",
        multiprocess_mode="livesum",
        registry=_REGISTRY,
    )


def set_viewers(viewers: int) -> None:
    """Say how many clients watch a stream of this process; the metric is the sum over living processes."""
    _viewers().set(viewers)


def set_connections_in_use(pool: str, connections: int) -> None:
    """Say how many of this process's connections are taken out of a pool; the metric is the sum over processes."""
    _CONNECTIONS.labels(pool).set(connections)


def count_duty_work(name: str, amount: int) -> None:
    """Add what a run of the duty `name` has done."""
    _DUTY_WORK.labels(name).inc(amount)


def set_invariant_violations(name: str, rows: int) -> None:
    """Say how many rows the last check of the invariant `name` has found."""
    _INVARIANT_VIOLATIONS.labels(name).set(rows)


def render_metrics() -> tuple[bytes, str]:
    """The metrics of all processes in Prometheus' text format, and its Content-Type."""
    registry = _REGISTRY
    if os.environ.get(_DIRECTORY_VARIABLE):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def prepare_metrics_directory(data_dir: Path, port: int) -> Path:
    """Make an empty directory and name it in the environment, for the worker processes started after this.

    In memory where the system offers that, else in the data folder. The files are mapped into each process, and a
    process that touches a mapped page for which a full disk has no room is killed at once (SIGBUS).
    """
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    for directory in (_MEMORY / f"overbookr-{os.geteuid()}-{digest}-{port}", data_dir / f"metrics-{port}"):
        try:
            shutil.rmtree(directory, ignore_errors=True)
            # Not one that somebody else has made there meanwhile: that folder is everybody's.
            directory.mkdir(mode=0o700)
        except OSError:
            continue
        break
    else:
        raise OSError(f"no directory for metrics can be made in {data_dir}")
    os.environ[_DIRECTORY_VARIABLE] = str(directory)
    # The library chose where numbers live when it was imported, before the variable was there; forked workers inherit
    # the choice, and numbers in their own memory would be seen by nobody.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
    return directory


def forget_process(pid: int) -> None:
    """Take a dead worker's gauges out of the sums. Its counters stay, as they must never go down."""
    if os.environ.get(_DIRECTORY_VARIABLE):
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
