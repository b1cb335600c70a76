"""Who may use an SQLite database: one service at a time, or one command."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import make_url

from service.storage.engine import StorageError


def lock_database(database_url: str) -> FileLock | None:
    """Claim an SQLite database; None for others, which cannot be claimed.

    Raises:
        StorageError: Another service has it, or its folder cannot be written.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    path = Path(f"{url.database}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StorageError(
            f"{url.database} is in use by another handful process; stop it, or use another "
            "--data-dir"
        ) from error
    except OSError as error:
        raise StorageError(f"{path.parent} cannot be written: {error}") from error
    return lock
