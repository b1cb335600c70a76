"""A PostgreSQL database: connections that are given up in time, migrations one at a time."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from service.problems import StorageUnavailable
from service.storage.failures import BoundedPool, translate_failures
from service.storage.location import parsed
from service.storage.patience import Patience

# Any number that other programs in the same database are not likely to take.
_MIGRATIONS = 0x48414E4446554C
# Reading a large classifier takes seconds; waiting for a lock is bounded apart from this.
_STATEMENT = 60
# Seconds; libpq waits no shorter.
_SHORTEST_CONNECT = 2


def open_server(url: str, seconds: float) -> Engine:
    """Connect to a database that is a server, which for Handful is PostgreSQL."""
    patience = Patience(seconds)
    arguments: dict[str, Any] = {}
    drivername = parsed(url).drivername
    libpq = drivername in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2")
    if libpq:
        milliseconds = math.ceil(1000 * seconds)
        arguments = {
            "connect_timeout": max(_SHORTEST_CONNECT, math.ceil(seconds)),
            # A server that vanished without a word is noticed in this time.
            "tcp_user_timeout": milliseconds,
            "keepalives_idle": math.ceil(seconds),
            "application_name": "handful",
            "options": f"-c lock_timeout={milliseconds} -c statement_timeout="
            f"{max(1000 * _STATEMENT, milliseconds)} -c idle_in_transaction_session_timeout="
            f"{1000 * _STATEMENT}",
        }
    engine = create_engine(
        parsed(url),
        poolclass=BoundedPool,
        pool_size=8,
        max_overflow=8,
        pool_timeout=seconds,
        pool_pre_ping=True,
        connect_args=arguments,
    )
    # Clients read this name: no user and no password.
    name = f"{parsed(url).database} on {parsed(url).host}"
    translate_failures(engine, name, None, patience)

    @event.listens_for(engine, "do_connect")
    def hurry(
        _: Dialect, __: ConnectionPoolEntry, ___: list[Any], parameters: dict[str, Any]
    ) -> None:
        if libpq and patience.lost:
            parameters["connect_timeout"] = _SHORTEST_CONNECT

    @event.listens_for(engine, "connect")
    def answered(*_: Any) -> None:
        patience.regain()

    return engine


def wait_for_migrations(connection: Connection) -> None:
    """Until this transaction ends, others that would bring the tables up to date wait.

    Services that start together would otherwise make the same tables.

    Raises:
        StorageUnavailable: They took more than a minute.
    """
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    connection.execute(text(f"SET LOCAL lock_timeout = {1000 * _STATEMENT}"))
    try:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATIONS})"))
    except StorageUnavailable as error:
        raise StorageUnavailable(
            f"Another process has been bringing the tables up to date for more than {_STATEMENT} s."
        ) from error
