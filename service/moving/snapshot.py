"""One state of a database, read while others go on writing, or while nobody may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, Engine, inspect, text

from service.moving.cells import Row, encoded_row
from service.moving.digests import RunningDigest, TableDigest, digested
from service.moving.errors import MovingError, told_as_moving_errors
from service.moving.held_bytes import HeldBytes, locations
from service.moving.reading import current_revision, last_ids, rows_of
from service.moving.schema import MovedTable, Schema, schema_of
from service.storage.contents import Contents
from service.storage.engine import connect
from service.storage.errors import InUse
from service.storage.location import shown, sqlite_file
from service.storage.lock import lock_database


class Snapshot:
    """One state of a database.

    Args:
        connection: In a transaction that sees that state alone.
        schema: Of its tables.
        name: Of the database, without a password.
        contents: What gives the bytes that rows refer to; None: rows are read as they are.

    Attributes:
        schema: Of its tables.
        dialect: ``sqlite`` or ``postgresql``.
    """

    def __init__(
        self, connection: Connection, schema: Schema, name: str, contents: Contents | None = None
    ) -> None:
        self._connection = connection
        self._name = name
        self._held = None if contents is None else HeldBytes(connection, contents)
        self.schema = schema
        self.dialect = connection.dialect.name

    def rows(self, moved: MovedTable, digest: RunningDigest) -> Iterator[Row]:
        """All rows of a table, by primary key, few of them in memory at a time."""
        with told_as_moving_errors(f"{self._name}, reading {moved.name}"):
            yield from digested(self._rows(moved), moved, digest)

    def encoded(self, moved: MovedTable, digest: RunningDigest) -> Iterator[bytes]:
        """The same rows, encoded."""
        with told_as_moving_errors(f"{self._name}, reading {moved.name}"):
            for row in self._rows(moved):
                encoded = encoded_row(row, moved.kinds)
                digest.add(encoded)
                yield encoded

    def last_ids(self) -> dict[str, int]:
        """The last id of each table that gives none twice."""
        with told_as_moving_errors(self._name):
            return last_ids(self._connection, self.schema.tables)

    def refers_to(self) -> tuple[str, ...]:
        """Where bytes are that its rows refer to, as URLs without secrets."""
        with told_as_moving_errors(self._name):
            return () if self._held is not None else locations(self._connection, self.schema)

    def verify(self, read: Mapping[str, TableDigest]) -> None:
        """Nothing: there is nothing else that it could be compared with."""

    def _rows(self, moved: MovedTable) -> Iterator[Row]:
        rows = rows_of(self._connection, moved)
        return rows if self._held is None else self._held.rows(moved, rows)


@contextmanager
def snapshot(
    url: str, seconds: float, *, halts: bool = False, holds_bytes: bool = False
) -> Iterator[Snapshot]:
    """One state of a database, whose tables are left as they are, of whatever revision.

    Args:
        url: Of the database.
        seconds: Longest wait for a lock or a connection.
        halts: Whether nobody may write until the block ends, and no service may be there. Else
            everybody goes on.
        holds_bytes: Whether bytes of images outside the database are read as if they were in it.

    Raises:
        MovingError: It cannot be read, or is none of this version's.
        InUse: Nobody may write, and a service has it.
    """
    name, file = shown(url), sqlite_file(url)
    with ExitStack() as stack, told_as_moving_errors(name):
        if file is not None and not file.exists():
            raise MovingError(f"there is no database {file}")
        if file is not None and halts:
            stack.enter_context(_locked(url))
        engine, _ = connect(url, seconds)
        stack.callback(engine.dispose)
        if engine.dialect.name == "sqlite" and file is None:
            raise MovingError("a database in memory cannot be read by another process")
        contents = None
        if holds_bytes:
            contents = Contents.opened(engine, None, seconds)
            stack.callback(contents.close)
        yield stack.enter_context(_state(engine, name, contents, halts=halts))


@contextmanager
def _locked(url: str) -> Iterator[None]:
    try:
        lock = lock_database(url)
    except InUse as error:
        raise InUse(
            f"a service has {sqlite_file(url)}: stop it, so that no change is lost that it makes "
            "meanwhile. A copy of a database that is served is made by handful backup"
        ) from error
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def _state(
    engine: Engine, name: str, contents: Contents | None, *, halts: bool
) -> Iterator[Snapshot]:
    sqlite = engine.dialect.name == "sqlite"
    options: dict[str, object] = {}
    if sqlite:
        options["writes"] = halts  # then it has the only writer's lock
    else:
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect() as connection:
        connection.execution_options(**options)
        with connection.begin():
            schema = _schema(connection, name)
        with connection.begin():
            if not sqlite:  # a transaction's state is that of its first SELECT, after the locks
                _lock_tables(connection, schema, halts=halts)
            if current_revision(connection) != schema.revision:
                raise MovingError(f"{name} is being brought up to date: try again")
            if halts and not sqlite:
                _check_alone(connection, name)
            yield Snapshot(connection, schema, name, contents)


def _schema(connection: Connection, name: str) -> Schema:
    revision = current_revision(connection)
    if revision is None:
        raise MovingError(f"{name} is no database of Handful: it has none of its tables")
    schema = schema_of(revision)
    if missing := schema.names - set(inspect(connection).get_table_names()):
        raise MovingError(f"{name} lacks the tables {', '.join(sorted(missing))}")
    return schema


def _lock_tables(connection: Connection, schema: Schema, *, halts: bool) -> None:
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET LOCAL {setting} = 0"))
    names = ", ".join(
        connection.dialect.identifier_preparer.quote(table.name) for table in schema.tables
    )
    # SHARE keeps writers out; ACCESS SHARE keeps out what changes tables themselves.
    mode = "SHARE" if halts else "ACCESS SHARE"
    connection.execute(text(f"LOCK TABLE {names} IN {mode} MODE"))


def _check_alone(connection: Connection, name: str) -> None:
    others = connection.scalar(
        text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'handful%' AND pid <> pg_backend_pid()"
        )
    )
    if others:
        raise InUse(
            f"{others} connections of services are in {name}: stop these, so that no change is "
            "lost that they make meanwhile. A copy of a database that is served is made by "
            "handful backup"
        )
