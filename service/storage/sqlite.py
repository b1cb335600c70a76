"""An SQLite database: one file, which must stay the same and which one writer at a time changes."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.pool import ConnectionPoolEntry

from service.problems import StorageFull, StorageUnavailable
from service.storage.errors import StorageError
from service.storage.failures import BoundedPool, full, translate_failures
from service.storage.location import parsed, sqlite_file
from service.storage.lost_log import InUse
from service.storage.ours import check_ours
from service.storage.patience import Patience
from service.storage.reserve import Reserve

# The write-ahead log is cut back to this when it begins anew: one large registration would leave
# one as large for ever.
_LOG_BYTES = 64 * 2**20
# Own writers wait for each other this many times as long as for other processes: each of them
# ends by itself.
_TURNS = 6
# Seconds; a start has nobody waiting for an answer.
_START = 30.0
_HEADER = b"SQLite format 3\x00"


logger = logging.getLogger("handful.storage")


class SQLiteFile:
    """The file under an engine: its identity, its single-writer lock, its reserve for deleting.

    SQLite has one writer at a time. Threads of this process wait for each other at the lock here,
    so that one of them at most waits for another process, in SQLite, as long as is set for that.

    Args:
        path: Of the database.
        seconds: Longest wait for another process that has it locked.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self.path = path
        self.patience = Patience(seconds)
        self.reserve = Reserve(path)
        self.in_use = InUse(path)
        self._seconds = seconds
        self._writer_lock = Lock()
        self._was_full = False
        self._identity: tuple[int, int] | None = None

    @property
    def waits(self) -> float:
        """Seconds to wait now for another process that has it locked."""
        return self.patience.seconds if self._identity else max(self._seconds, _START)

    def pin(self) -> None:
        """It is open: this very file must be there from now on, and room is kept to delete."""
        found = self.path.stat()
        self._identity = found.st_dev, found.st_ino
        self.in_use.begin()
        self.reserve.keep()

    def check(self) -> None:
        """See that the file is where it was.

        SQLite goes on with a file that was deleted or moved, and loses what is written to it.

        Raises:
            StorageUnavailable: It is gone, or another one is in its place.
        """
        if self._identity is None:
            return
        try:
            found = self.path.stat()
        except OSError as error:
            logger.warning("storage-unavailable: %s is gone: %s", self.path, error.strerror)
            raise StorageUnavailable(
                f"The database is gone ({error.strerror}). Put its folder (HANDFUL_DATA_DIR) back "
                "with all that was in it, or stop the service and start it with another. Nothing "
                "was changed."
            ) from error
        if (found.st_dev, found.st_ino) != self._identity:
            logger.warning("storage-unavailable: %s is another file now", self.path)
            raise StorageUnavailable(
                "Another file is in the place of the database. Restart the service to use that "
                "one. Nothing was changed."
            )

    @contextmanager
    def exclusively(self, *, frees: bool) -> Iterator[None]:
        """Hold the single-writer lock for one write transaction; other threads' wait meanwhile.

        Args:
            frees: Whether the transaction deletes, and may use the room that is kept for it.

        Raises:
            StorageFull: There is not even the room that is kept for deleting.
            StorageUnavailable: The writers before took too long, or the file is gone.
        """
        if not self._writer_lock.acquire(timeout=self._seconds * _TURNS):
            logger.warning("storage-unavailable: writers of %s take too long", self.path)
            raise StorageUnavailable(
                f"Others have been writing to the database for {_TURNS} times "
                "HANDFUL_DATABASE_SECONDS. Nothing was changed; send the request again."
            )
        try:
            self.check()
            if not frees:
                if not self.reserve.keep():
                    logger.warning("storage-full: the disk of %s is full", self.path)
                    raise full()
                yield
            elif self._was_full or self.reserve.scarce:
                yield from self._deleting_on_a_full_disk()
            else:
                yield
            self._was_full = False
        except StorageFull:
            self._was_full = True  # by a quota, perhaps, which the free space does not show
            raise
        finally:
            self._writer_lock.release()

    def _deleting_on_a_full_disk(self) -> Iterator[None]:
        self.reserve.give_up()
        try:
            yield
        finally:
            self._cut_log()
            self.reserve.keep()

    def _cut_log(self) -> None:
        """Give back the room of the write-ahead log, as far as nobody reads from it."""
        try:
            with closing(sqlite3.connect(_uri(self.path, "rw"), uri=True, timeout=0)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # the next delete tries again


def open_sqlite(url: str, seconds: float) -> tuple[Engine, SQLiteFile | None]:
    """Connect to an SQLite database, which is made if it is not there.

    Raises:
        StorageError: Its folder cannot be made, or it is not a database of Handful. Its file is
            untouched then.
    """
    path = sqlite_file(url)
    file = None
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = SQLiteFile(path, seconds)
        except OSError as error:
            raise StorageError(f"the folder of {path} cannot be made: {error}") from error
        _look_at(path)
        if file.reserve.scarce:
            file.reserve.give_up()  # opening needs some room itself
        file.in_use.look()
    patience = Patience(seconds) if file is None else file.patience
    pooled: dict[str, Any] = {}
    if file is not None:
        # As many as there are threads at most: none of them waits for a connection.
        pooled = {"poolclass": BoundedPool, "pool_size": 16, "max_overflow": 64}
    engine = create_engine(
        parsed(url),
        connect_args={"timeout": seconds},
        execution_options={"file": file},
        **pooled,
    )
    translate_failures(engine, str(path or "in memory"), path, patience)

    @event.listens_for(engine, "do_connect")
    def find(_: Dialect, __: ConnectionPoolEntry, ___: list[Any], ____: dict[str, Any]) -> None:
        if file is not None:
            file.check()  # SQLite would make a new one

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
        cursor.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
        # Deleted bytes are overwritten where that takes no more room or time. With ON, deleting
        # needs as much room in the log as all that is deleted.
        cursor.execute("PRAGMA secure_delete=FAST")
        cursor.close()

    @event.listens_for(engine, "engine_disposed")
    def leave(_: Engine) -> None:
        if file is not None:
            file.in_use.end()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if file is not None:
            file.check()
        waits = round(1000 * (patience.seconds if file is None else file.waits))
        if connection.info.get("waits") != waits:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={waits}")
            connection.info["waits"] = waits
        # A writer takes its lock at once: one that starts as a reader may have to give up later.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
        if writes:
            patience.regain()

    return engine, file


def _look_at(path: Path) -> None:
    """See that a file is an SQLite database of Handful, without changing it.

    Raises:
        StorageError: It is not.
    """
    try:
        with path.open("rb") as opened:
            begin = opened.read(len(_HEADER))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    if not begin:
        return
    if begin != _HEADER:
        raise StorageError(
            f"{path} is no SQLite database, and was left as it is; move it away, or use another "
            "--data-dir"
        )
    try:
        # As if it were on a read-only disk: no log, no lock, and nothing is written beside it.
        with closing(sqlite3.connect(_uri(path, "ro&immutable=1"), uri=True)) as connection:
            tables = {
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                )
            }
            revision = None
            if "alembic_version" in tables:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
                revision = row and row[0]
    except (sqlite3.Error, UnicodeDecodeError):
        return  # it is being written, or damaged; opening it tells more
    check_ours(str(path), tables, revision)


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path))}?mode={mode}"
