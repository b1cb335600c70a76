"""Latest states: which state classifiers are in, read for many threads by one statement."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from threading import Event, Lock
from time import perf_counter
from typing import Any

from sqlalchemy import ARRAY, Connection, Engine, Executable, String, any_, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from service.problems import StorageUnavailable
from service.storage.observation import SECONDS
from service.storage.records import State
from service.storage.tables import ClassifierRow
from service.telemetry.request_trace import traced_part

_COLUMNS = (
    ClassifierRow.name,
    ClassifierRow.id,
    ClassifierRow.created_at,
    ClassifierRow.revision,
    ClassifierRow.fingerprint,
    ClassifierRow.content_revision,
)
_NAMES = bindparam("names", type_=ARRAY(String()))
_BY_DRIVER = (
    "SELECT name, id, created_at, revision, fingerprint, content_revision FROM classifiers"
    " WHERE name = ANY(%s)"
)
_OF_SERVER = select(*_COLUMNS).where(ClassifierRow.name == any_(_NAMES))
_OF_FILE = select(*_COLUMNS).where(ClassifierRow.name.in_(bindparam("names", expanding=True)))


class _Read:
    """One statement: the names that it asks for, and what it has found.

    Attributes:
        names: Until it begins, more are added.
        done: Set when it has ended.
        found: The states of those that there are.
        error: Why there are none.
    """

    __slots__ = ("done", "error", "found", "names")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.done = Event()
        self.found: dict[str, State] = {}
        self.error: Exception | None = None


class LatestStates:
    """Combining reads of states: one statement is under way at a time, for all who wait.

    Whoever asks while one is under way shares the next one with all others who do, whichever
    classifiers they ask about. That one begins after they have asked, so each is told of whatever
    was acknowledged to anybody before (linearizability; Herlihy and Wing, ACM TOPLAS 12(3), 1990),
    as if they had asked alone. Who asks alone is the one who reads, and waits for nobody.

    So a process has one such statement under way, however many queries it answers. On PostgreSQL
    it has a connection of its own, on which a read is one message there and one back: prepared, no
    transaction around it, no test of the connection before it. Where that fails the statement is
    made again on a new one, which tells what is wrong.

    Methods block, and may be called from many threads.

    Args:
        engine: Of ``open_database``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told = {"db.system.name": engine.dialect.name}
        self._seconds = SECONDS.labels(engine.dialect.name, "SELECT")
        self._lock = Lock()  # of the next read's names; held for microseconds
        self._turn = Lock()  # of the read that is under way
        self._next = _Read()
        self._connection: Connection | None = None
        self._driver: Any = None  # psycopg's of that one

    def of(self, name: str) -> State | None:
        """The state of a classifier at some moment after the call; None: there is none.

        Raises:
            StorageUnavailable: The database cannot be used.
        """
        with traced_part("revision", self._told):
            with self._lock:
                read = self._next
                alone = not read.names
                read.names.add(name)
            if alone:
                self._carry_out(read)
            else:
                read.done.wait()
        if read.error is not None:
            raise read.error
        return read.found.get(name)

    def close(self) -> None:
        """Let go of the connection."""
        with self._turn:
            self._let_go()

    def _carry_out(self, read: _Read) -> None:
        with self._turn:
            with self._lock:
                self._next = _Read()  # for whoever asks from now on
            try:
                read.found = self._states(list(read.names))
            except Exception as error:  # told to all who wait
                read.error = error
            finally:
                read.done.set()

    def _states(self, names: Sequence[str]) -> dict[str, State]:
        if self._engine.dialect.name != "postgresql":
            with self._engine.connect() as connection:
                return _read(connection, _OF_FILE, names)
        if self._driver is not None:
            with suppress(Exception):  # it was perhaps ended while nobody asked
                begun = perf_counter()
                found = _read_by_driver(self._driver, names)
                self._seconds.observe(perf_counter() - begun)
                return found
        self._let_go()
        connection = self._engine.execution_options(isolation_level="AUTOCOMMIT").connect()
        self._connection = connection
        try:
            driver = connection.connection.driver_connection
            connection.detach()  # the pool's are for whoever needs a transaction
            found = _read(connection, _OF_SERVER, names)
        except BaseException:
            self._let_go()
            raise
        if self._engine.dialect.driver == "psycopg":
            self._driver = driver
        else:
            self._let_go()
        return found

    def _let_go(self) -> None:
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            with suppress(SQLAlchemyError, StorageUnavailable):
                connection.close()


def _read_by_driver(driver: Any, names: Sequence[str]) -> dict[str, State]:
    """Without what SQLAlchemy does for a statement, which takes more time than all the rest."""
    rows = driver.execute(_BY_DRIVER, [names], prepare=True, binary=True).fetchall()
    return {
        name: State(id_, created_at.astimezone(UTC), *others)
        for name, id_, created_at, *others in rows
    }


def _read(connection: Connection, statement: Executable, names: Sequence[str]) -> dict[str, State]:
    rows = connection.execute(statement, {"names": names})
    return {name: State(*columns) for name, *columns in rows}
