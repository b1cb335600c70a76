"""A database that is there whole, once all that goes into it was verified, or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from service.moving.errors import MovingError, told_as_moving_errors
from service.moving.reading import current_revision
from service.moving.schema import VERSION_TABLE, Schema, schema_of
from service.moving.writing import NewTables
from service.storage.engine import connect
from service.storage.failures import translate_failures
from service.storage.location import parsed, shown, sqlite_file
from service.storage.lock import lock_database
from service.storage.lost_log import InUse
from service.storage.patience import Patience
from service.storage.postgresql import wait_for_migrations

_LOGS = ("-wal", "-shm", "-journal")


@contextmanager
def new_database(url: str, schema: Schema, seconds: float) -> Iterator[NewTables]:
    """Make the tables of a schema in an empty database, to be filled in the block.

    Until that ends nobody sees any of it: a file is put in its place then, and on a server one
    transaction is committed. If it raises, or the process dies, the database is as empty as it
    was; what a killed process leaves beside a file is taken away by the next one.

    Args:
        url: Of the database.
        schema: Of the tables.
        seconds: Longest wait for a lock or a connection.

    Raises:
        MovingError: It is not empty, or cannot be written.
        InUse: Another process has it.
    """
    with told_as_moving_errors(shown(url)):
        if parsed(url).get_backend_name() == "sqlite":
            file = sqlite_file(url)
            if file is None:
                raise MovingError("a database in memory ends with this command: give a file")
            with _file(url, file, schema) as tables:
                yield tables
        else:
            with _on_server(url, schema, seconds) as tables:
                yield tables


@contextmanager
def _file(url: str, file: Path, schema: Schema) -> Iterator[NewTables]:
    with ExitStack() as stack:
        lock = lock_database(url)
        if lock is not None:
            stack.callback(lock.release)
        _check_no_file(file)
        part = file.with_name(f"{file.name}.new")
        _remove(part)  # of one that was killed; nobody else has the lock
        stack.callback(_remove, part)
        engine = _engine(part)
        stack.callback(engine.dispose)
        with engine.begin() as connection:
            tables = NewTables(connection, schema)
            yield tables
        engine.dispose()
        _sync(part)
        part.replace(file)
        of_before = InUse(file)
        of_before.forget()
        of_before.end()
        _sync(file.parent)


def _check_no_file(file: Path) -> None:
    with suppress(FileNotFoundError):
        if file.stat().st_size > 0:
            raise MovingError(
                f"{file} is there already, and was left as it is: move it away, or give another"
            )
    # SQLite would take the log of another database for that of the new one.
    if left := [name for log in _LOGS if (name := file.with_name(file.name + log)).exists()]:
        raise MovingError(
            f"{left[0]} is there, the log of a database that is not: move it away, with that"
        )


def _engine(part: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(part)), poolclass=NullPool)
    translate_failures(engine, str(part), part, Patience(1))

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        # Nobody else reads it, and whoever is killed begins anew.
        connection.execute("PRAGMA journal_mode=MEMORY")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-32768")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")

    return engine


def _remove(part: Path) -> None:
    for name in ("", *_LOGS):
        part.with_name(part.name + name).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _on_server(url: str, schema: Schema, seconds: float) -> Iterator[NewTables]:
    engine, _ = connect(url, seconds)
    try:
        with engine.begin() as connection:
            wait_for_migrations(connection)  # and let services that start wait, too
            _check_empty(connection, shown(url), schema)
            yield NewTables(connection, schema)
    finally:
        engine.dispose()


def _check_empty(connection: Connection, name: str, schema: Schema) -> None:
    ours = {*schema.names, *schema_of("head").names, VERSION_TABLE}
    if found := sorted(ours & set(inspect(connection).get_table_names())):
        at = current_revision(connection)
        raise MovingError(
            f"{name} is not empty, and was left as it is: it has {len(found)} tables, such as "
            f"{found[-1]}{f', at revision {at}' if at else ''}. Make another database (CREATE "
            "DATABASE) and give that; a service that was started on it has made these tables, even "
            "where it has stored nothing"
        )
