"""What is told of the database: metrics of statements and connections, spans where traced.

Names and labels are those of OpenTelemetry's semantic conventions for database clients. Neither
statements nor their parameters are told.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.pool import QueuePool

from service.telemetry.request_trace import current_trace

SECONDS = Histogram(
    "db_client_operation_duration_seconds",
    "Duration of statements of the database.",
    ["db_system_name", "db_operation_name"],
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
)
USED = Gauge(
    "db_client_connection_count",
    "Connections to the database that are in use.",
    ["db_client_connection_state"],
    multiprocess_mode="livesum",
)
MOST = Gauge(
    "db_client_connection_max",
    "Connections to the database that may be in use.",
    multiprocess_mode="livesum",
)
ERRORS = Counter(
    "handful_database_errors_total",
    "Statements, connections and commits that have failed, by the kind of problem.",
    ["kind"],
)
WRITE_SECONDS = Histogram(
    "handful_write_seconds",
    "Duration of write transactions, from the wait for the lock until all is on the disk.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
_OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN"})
_BEGUN = "handful.begun"

for kind in ("storage-full", "storage-unavailable", "outcome-unknown", "damaged", "outdated"):
    ERRORS.labels(kind)  # told from the start


def observe(engine: Engine) -> None:
    """Tell of an engine's statements and connections from now on."""
    system = engine.dialect.name
    used = USED.labels("used")
    series = {name: SECONDS.labels(system, name) for name in (*_OPERATIONS, "OTHER")}
    if isinstance(engine.pool, QueuePool):
        MOST.set(engine.pool.size() + engine.pool._max_overflow)

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Connection, *_: Any) -> None:
        connection.info[_BEGUN] = perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def end(connection: Connection, _: Any, statement: str, *__: Any) -> None:
        begun, now = connection.info.get(_BEGUN), perf_counter()
        if begun is None:
            return
        operation = operation_of(statement)
        series[operation].observe(now - begun)
        if (trace := current_trace()) is not None:
            told = {"db.system.name": system, "db.operation.name": operation}
            trace.end(trace.begin(operation, begun, told, kind=SpanKind.CLIENT), now)

    @event.listens_for(engine, "handle_error", insert=True)
    def fail(context: ExceptionContext) -> None:
        if context.connection is None or (trace := current_trace()) is None:
            return
        begun = context.connection.info.get(_BEGUN)
        if begun is not None and context.statement is not None:
            operation = operation_of(context.statement)
            told = {"db.system.name": system, "db.operation.name": operation}
            span = trace.begin(operation, begun, told, kind=SpanKind.CLIENT)
            trace.end(span, perf_counter(), context.original_exception)

    @event.listens_for(engine, "checkout")
    def checkout(*_: Any) -> None:
        used.inc()

    @event.listens_for(engine, "checkin")
    def checkin(*_: Any) -> None:
        used.dec()


def operation_of(statement: str) -> str:
    """The first word of a statement, where it is one of those that there are; else ``OTHER``."""
    word = statement.lstrip()[:9].split(None, 1)[0].upper() if statement.strip() else ""
    return word if word in _OPERATIONS else "OTHER"
