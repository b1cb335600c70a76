"""The database connection, set so that what was acknowledged stays."""

from __future__ import annotations

from pathlib import Path

import alembic.command
import alembic.config
import alembic.util
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

_MIGRATIONS = Path(__file__).parent / "migrations"


class StorageError(RuntimeError):
    """The database cannot be used; the message says why."""


def open_database(url: str) -> Engine:
    """Connect, and bring the tables up to date.

    Raises:
        StorageError: It cannot be reached, or a newer version of Handful wrote it.
    """
    if make_url(url).get_backend_name() == "sqlite":
        engine = _open_sqlite(url)
    else:
        engine = create_engine(url, pool_pre_ping=True)
    shown = make_url(url).render_as_string(hide_password=True)
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")
    except alembic.util.CommandError as error:
        raise StorageError(
            f"{shown} was written by another version of Handful ({error}); use that version, "
            "or another data folder"
        ) from error
    except SQLAlchemyError as error:
        raise StorageError(f"{shown} cannot be used: {error}") from error
    return engine


def _open_sqlite(url: str) -> Engine:
    database = make_url(url).database
    if database and database != ":memory:":
        try:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the folder of {database} cannot be made: {error}") from error
    engine = create_engine(url, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Transactions begin where SQLAlchemy says so, not where the driver guesses.
        connection.isolation_level = None
        cursor = connection.cursor()
        # Readers see the last commit while a writer works; FULL makes a commit reach the disk
        # before it is acknowledged.
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its lock at once: one that starts as a reader may have to give up later.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
