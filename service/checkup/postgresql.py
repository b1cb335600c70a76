"""A PostgreSQL database, looked at in transactions that can only read."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from service.checkup.finding import Finding, ok, problem, warning
from service.settings import Settings
from service.storage.location import parsed, shown

_SECONDS = 5
# Of round trips: a query asks once, a change some ten times.
_SLOW = 0.005
_SKEW = 1.0


def look_at_postgresql(
    settings: Settings, revision: Callable[[str | None], Finding]
) -> Iterator[Finding]:
    """Look at a server.

    Args:
        settings: All of them.
        revision: Says what a revision of the tables means.
    """
    url = settings.sqlalchemy_url
    try:
        engine = create_engine(
            parsed(url), poolclass=NullPool, connect_args={"connect_timeout": _SECONDS}
        )
    except (ImportError, NoSuchModuleError) as error:
        yield problem(
            f"there is no driver for {shown(url)}: {error}",
            "pip install 'handful[postgres]', and write postgresql+psycopg://",
        )
        return
    try:
        begun = perf_counter()
        with engine.connect() as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(text(f"SET LOCAL statement_timeout = {1000 * _SECONDS}"))
            connected = perf_counter() - begun
            yield from _server(connection, settings, connected)
            yield revision(_revision(connection))
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        yield problem(
            f"{shown(url)} cannot be used: {' '.join(str(cause).split())}",
            "look at host, port, user, password and grants in HANDFUL_DATABASE_URL, and at"
            " the server",
        )
    finally:
        engine.dispose()


def _server(connection: Connection, settings: Settings, connected: float) -> Iterator[Finding]:
    size = _one(connection, "SELECT pg_size_pretty(pg_database_size(current_database()))")
    version = _one(connection, "SHOW server_version")
    yield ok(f"PostgreSQL {version}, {shown(settings.sqlalchemy_url)}, {size}")
    if _one(connection, "SELECT pg_is_in_recovery()"):
        yield problem("it is a standby, which takes no writes", "name the primary")
    elif _one(connection, "SHOW default_transaction_read_only") == "on":
        yield problem(
            "its transactions are read-only", "ALTER DATABASE ... SET default_transaction_read_only"
        )
    yield _checksums(_one(connection, "SHOW data_checksums"))
    trips = []
    for _ in range(5):
        begun = perf_counter()
        connection.execute(text("SELECT 1"))
        trips.append(perf_counter() - begun)
    trip = statistics.median(trips)
    told = f"connected in {1000 * connected:.1f} ms, a round trip takes {1000 * trip:.2f} ms"
    if trip > _SLOW:
        yield warning(told, "bring it nearer: a change asks some ten times, one after the other")
    else:
        yield ok(told)
    begun = time.time()
    there = float(_one(connection, "SELECT extract(epoch FROM clock_timestamp())"))
    skew = there - (begun + time.time()) / 2
    told = f"its clock is {abs(skew):.3f} s {'ahead of' if skew > 0 else 'behind'} this one"
    yield warning(told, "set both by NTP") if abs(skew) > _SKEW else ok(told)
    yield _pools(connection, settings)


def _checksums(state: Any) -> Finding:
    if state == "on":
        return ok("the server compares its pages with their checksums (data_checksums)")
    return warning(
        f"data_checksums is {state}: of pages that a disk has changed the server notices few",
        "stop it, and run pg_checksums --enable; embeddings and images are compared by Handful",
    )


def _pools(connection: Connection, settings: Settings) -> Finding:
    """Whether all processes of this service find a connection, as many as they may open."""
    most = int(_one(connection, "SHOW max_connections"))
    kept = int(_one(connection, "SHOW superuser_reserved_connections"))
    used = int(_one(connection, "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL"))
    each = settings.database_pool_size + settings.database_pool_overflow + _beside(settings)
    ours = settings.processes * each
    told = (
        f"{used} of {most - kept} connections are in use; this service may open {ours}"
        f" ({settings.processes} x {each})"
    )
    if ours > most - kept:
        return problem(told, "raise max_connections, use PgBouncer, or take fewer processes")
    if used + ours > most - kept:
        return warning(told, "count the replicas: raise max_connections, or use PgBouncer")
    return ok(f"{told}: {(most - kept) // ours} replicas fit")


def _beside(settings: Settings) -> int:
    """Connections of a process beside its pool: for revisions, notifications and rates."""
    shared_rates = settings.rate_limits == "database"
    return 1 + (not settings.database_transaction_pooling) + shared_rates


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = _one(connection, "SELECT version_num FROM alembic_version")
    return None if found is None else str(found)


def _one(connection: Connection, statement: str) -> Any:
    return connection.scalar(text(statement))
