"""The database connection, set so that what was acknowledged stays."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import alembic.command
import alembic.config
import alembic.util
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from service.problems import StorageFull, StorageUnavailable
from service.settings.postgresql import PostgreSQLSettings
from service.storage.errors import Damaged, StorageError
from service.storage.location import parsed, shown
from service.storage.observation import observe
from service.storage.ours import check_ours
from service.storage.postgresql import open_server, wait_for_migrations
from service.storage.sqlite import SQLiteFile, open_sqlite

MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(
    url: str, seconds: float = 10.0, server: PostgreSQLSettings | None = None
) -> Engine:
    """Connect, and bring the tables up to date.

    Args:
        url: An SQLAlchemy URL.
        seconds: Longest wait for a lock or a connection, from now on.
        server: Of a PostgreSQL database; by default as they are without any settings.

    Returns:
        An engine whose failures come as problems (``service/storage/failures.py``).

    Raises:
        StorageError: It cannot be reached, it is another program's, or a newer version of
            Handful wrote it.
    """
    engine, file = connect(url, seconds, server)
    try:
        _migrate(engine, url)
        if file is not None:
            file.pin()
    except (Damaged, UnicodeDecodeError) as error:  # of a text; or of SQLite's own message
        engine.dispose()
        raise StorageError(
            f"{shown(url)} is damaged: {error}. Keep the file, and restore it from a backup"
        ) from error
    except (StorageFull, StorageUnavailable) as error:
        engine.dispose()
        raise StorageError(f"{error.detail} ({' '.join(str(error.__cause__).split())})") from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def connect(
    url: str, seconds: float = 10.0, server: PostgreSQLSettings | None = None
) -> tuple[Engine, SQLiteFile | None]:
    """Connect, and leave the tables as they are.

    Args:
        url: An SQLAlchemy URL. An SQLite file is made if it is not there.
        seconds: Longest wait for a lock or a connection, from now on.
        server: Of a PostgreSQL database; by default as they are without any settings.

    Returns:
        An engine whose failures come as problems, and the file of an SQLite database.

    Raises:
        StorageError: There is no driver for it, or the file is another program's.
    """
    file = None
    try:
        if parsed(url).get_backend_name() == "sqlite":
            engine, file = open_sqlite(url, seconds)
        else:
            engine = open_server(url, seconds, server or PostgreSQLSettings())
    except (ImportError, NoSuchModuleError) as error:
        raise StorageError(
            f"there is no driver for {shown(url)} ({error}). For PostgreSQL install "
            "handful[postgres] and write postgresql+psycopg://"
        ) from error
    observe(engine)
    if engine.dialect.is_async:
        raise StorageError(f"{shown(url)} names an asynchronous driver; use another one")
    return engine, file


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables up to a revision, in the transaction of the connection.

    Raises:
        alembic.util.CommandError: This version of Handful does not know the revision, or that
            which the tables are at.
    """
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, revision)


def _migrate(engine: Engine, url: str) -> None:
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                wait_for_migrations(connection)
            shared = engine.dialect.name != "sqlite"
            if _checked_revision(connection, shown(url), shared=shared) != _newest_revision():
                upgrade(connection)
    except alembic.util.CommandError as error:
        raise StorageError(
            f"{shown(url)} was written by another version of Handful ({error}); use that version, "
            "or another data folder"
        ) from error
    except SQLAlchemyError as error:
        raise StorageError(f"{shown(url)} cannot be used: {error}") from error


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _checked_revision(connection: Connection, name: str, *, shared: bool) -> str | None:
    """The revision that a database is at, if it is one of Handful; None: it has no tables yet."""
    tables = set(inspect(connection).get_table_names())
    revision = None
    if "alembic_version" in tables:
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    check_ours(name, tables, revision, shared=shared)
    return revision
