"""Who may use an SQLite database: one service at a time, or one command."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from service.storage.errors import InUse, StorageError
from service.storage.location import sqlite_file


def lock_database(database_url: str) -> FileLock | None:
    """Claim an SQLite database; None for others, which cannot be claimed.

    The lock belongs to the file, by whatever links, relative path or URI it is named.

    Raises:
        StorageError: Another service has it, its folder cannot be written, or the file has a
            second name.
    """
    database = sqlite_file(database_url)
    if database is None:
        return None
    path = Path(f"{database}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if database.exists() and (links := database.stat().st_nlink) > 1:
            # SQLite keeps its log and its locks beside a name: https://sqlite.org/howtocorrupt.html
            raise StorageError(
                f"{database} has {links} names (hard links), and SQLite would keep a log beside "
                "each: remove the other names, or copy the file instead of linking it"
            )
        lock = FileLock(path)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InUse(
            f"{database} is in use by another handful process; stop it, or use another --data-dir"
        ) from error
    except OSError as error:
        raise StorageError(f"{path.parent} cannot be written: {error}") from error
    return lock
