"""The structure of an SQLite database: pages, indexes against rows, references between tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from service.storage.damage.finding import Damage

# What one check says at most.
_MOST = 100
# Errors of damaged pages, and of reading: EIO is CORRUPTFS to newer versions, READ to others.
_OF_SQLITE = (
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_IOERR_READ",
    "SQLITE_IOERR_SHORT_READ",
    "SQLITE_IOERR_CORRUPTFS",
    "SQLITE_IOERR_DATA",
)
# data_corrupted, index_corrupted, io_error, undefined_file.
_OF_POSTGRESQL = ("XX001", "XX002", "58030", "58P01")


def structural_damage(
    file: Path, begun: Callable[[sqlite3.Connection | None], None]
) -> Iterator[Damage]:
    """What ``PRAGMA integrity_check`` and ``foreign_key_check`` say; blocks.

    On a connection of its own, in a read transaction: nobody waits for it, and SQLite's log grows
    meanwhile by what is written. It reads the whole file once, and takes no memory to speak of.
    It does not see into embeddings and images: only that their pages are where they should be.

    Args:
        file: The database; it is there.
        begun: Is given the connection, to be interrupted by another thread, and None afterwards.

    Raises:
        sqlite3.OperationalError: It was interrupted, or is locked.
    """
    address = f"file:{quote(str(file))}?mode=rw"
    with closing(
        sqlite3.connect(address, uri=True, timeout=10, check_same_thread=False)
    ) as connection:
        begun(connection)
        try:
            connection.execute("PRAGMA query_only=ON")
            for (said,) in connection.execute(f"PRAGMA integrity_check({_MOST})"):
                if said != "ok":
                    yield Damage("structure", " ".join(str(said).split()))
            referring = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST)
            for table, row_id, parent, _ in referring:
                said = f"row {row_id} of {table} refers to a row of {parent} that is not there"
                yield Damage("structure", said, str(table))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            yield Damage("structure", f"the database cannot be read: {error}")
        finally:
            begun(None)


def is_damage(error: BaseException | None) -> bool:
    """Whether an error of a driver says that stored pages are damaged, or cannot be read."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(_OF_SQLITE) or getattr(error, "sqlstate", "") in _OF_POSTGRESQL
