"""A PostgreSQL database: connections that are given up in time, migrations one at a time."""

from __future__ import annotations

import logging
import math
import time
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from service.settings.postgresql import PostgreSQLSettings
from service.storage.failures import BoundedPool, translate_failures
from service.storage.location import parsed
from service.storage.patience import Patience

logger = logging.getLogger("handful.storage")

#: Option of an engine: whether the next transaction has another session.
TRANSACTION_POOLING = "transaction_pooling"

# Any number that other programs in the same database are not likely to take.
_MIGRATIONS = 0x48414E4446554C
# Seconds; a change of a table waits so long for those who use it.
_MIGRATION_LOCKS = 60
# Seconds between two looks whether the others are done, and between two lines in the log.
_LOOK, _SAY = 0.2, 30.0
# Seconds; libpq waits no shorter.
_SHORTEST_CONNECT = 2


def open_server(url: str, seconds: float, settings: PostgreSQLSettings) -> Engine:
    """Connect to a database that is a server, which for Handful is PostgreSQL.

    What the URL says of connections (https://www.postgresql.org/docs/current/libpq-connect.html)
    wins over what is said here.
    """
    place = parsed(url)
    patience = Patience(seconds)
    hosts = _hosts(place)
    # For each host, one after the other.
    connecting = max(_SHORTEST_CONNECT, math.ceil(seconds / len(hosts)))
    psycopg = place.drivername == "postgresql+psycopg"
    libpq = psycopg or place.drivername in ("postgresql", "postgresql+psycopg2")
    session = _time_outs(seconds, settings)
    ours: dict[str, Any] = {}
    if libpq:
        ours = {
            "connect_timeout": connecting,
            # A server that vanished without a word is noticed in this time.
            "tcp_user_timeout": math.ceil(1000 * seconds),
            "keepalives_idle": math.ceil(seconds),
            "application_name": "handful",
            # A standby is behind: it would answer from what was.
            "target_session_attrs": "primary",
        }
    arguments = {name: value for name, value in ours.items() if name not in place.query}
    if libpq and not settings.database_transaction_pooling:
        given = place.query.get("options", ())
        theirs = (given,) if isinstance(given, str) else given
        options = [f"-c {name}={value}" for name, value in session.items()]
        arguments["options"] = " ".join([*options, *theirs])
    if psycopg and settings.database_transaction_pooling:
        # Statements are prepared in a session, of which the next transaction has another.
        arguments["prepare_threshold"] = None
    engine = create_engine(
        place,
        poolclass=BoundedPool,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_overflow,
        pool_timeout=seconds,
        pool_pre_ping=True,
        connect_args=arguments,
        execution_options={TRANSACTION_POOLING: settings.database_transaction_pooling},
    )
    # Clients read this name: no user and no password.
    translate_failures(engine, f"{place.database} on {','.join(hosts)}", None, patience)

    @event.listens_for(engine, "do_connect")
    def connect(
        _: Dialect, __: ConnectionPoolEntry, where: list[Any], parameters: dict[str, Any]
    ) -> DBAPIConnection | None:
        if libpq and patience.lost:
            parameters["connect_timeout"] = _SHORTEST_CONNECT
        if not psycopg:
            return None  # SQLAlchemy connects
        from service.storage.acknowledged import AcknowledgingConnection

        made = AcknowledgingConnection.connect(*where, **parameters)
        made.patience = seconds
        return cast(DBAPIConnection, made)

    @event.listens_for(engine, "connect")
    def answered(*_: Any) -> None:
        patience.regain()

    if settings.database_transaction_pooling:
        local = ", ".join(f"set_config('{name}', '{it}', true)" for name, it in session.items())

        @event.listens_for(engine, "begin")
        def bound(connection: Connection) -> None:
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                connection.exec_driver_sql(f"SELECT {local}")

    return engine


def wait_for_migrations(connection: Connection) -> None:
    """Until this transaction ends, others that would bring the tables up to date wait.

    Services that start together would otherwise make the same tables. There is no end to the wait:
    a large database takes long, and whoever dies lets go of it.
    """
    local = {
        "statement_timeout": 0,
        "idle_in_transaction_session_timeout": 0,
        "lock_timeout": 1000 * _MIGRATION_LOCKS,
        # One who vanished without a word is noticed by the server, too.
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    for name, value in local.items():
        connection.execute(text(f"SET LOCAL {name} = {value}"))
    said = -math.inf
    while not connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_MIGRATIONS})")):
        if time.monotonic() - said > _SAY:
            said = time.monotonic()
            logger.warning("waits for another process, which brings the tables up to date")
        time.sleep(_LOOK)


def _time_outs(seconds: float, settings: PostgreSQLSettings) -> dict[str, int]:
    """Settings of each session, or of each transaction, in milliseconds."""
    statement = math.ceil(1000 * settings.database_statement_seconds)
    return {
        "lock_timeout": math.ceil(1000 * seconds),
        "statement_timeout": statement,
        "idle_in_transaction_session_timeout": statement,
    }


def _hosts(place: URL) -> list[str]:
    """Those of a URL: there may be several, of which the first that is the primary is taken."""
    named = place.query.get("host", place.host or "localhost")
    given = [named] if isinstance(named, str) else list(named)
    return [host for one in given for host in one.split(",")]
