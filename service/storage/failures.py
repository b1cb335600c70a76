"""Failures of the database, told as problems that name the cause and the mend.

Where the database is stands in the log, and not in problems: these go to tenants.

One listener on the engine translates what its driver raises, whichever statement it was. What is
a defect of ours (a syntax error, a constraint) stays what it is.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import TimeoutError as CheckoutTimeout
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from service.problems import OutcomeUnknown, StorageFull, StorageUnavailable
from service.storage.errors import Damaged, Outdated
from service.storage.observation import ERRORS
from service.storage.patience import Patience

logger = logging.getLogger("handful.storage")

# Some file systems report what is too little for a page of shared memory as an I/O error.
_FULL_BELOW = 2**16

_AGAIN = "Nothing was changed; send the request again."
_UNKNOWN = (
    "It was lost in the moment of the commit: whether the change was made is not known. Look"
    " before you send it again; images that are there already are recognised."
)
_ALONE = (
    "Its synchronous standby did not answer: the change was made, and is lost if that standby takes"
    " over. Look before you send it again; images that are there already are recognised."
)
_POOLER = "A pooler in transaction mode is between: set HANDFUL_DATABASE_TRANSACTION_POOLING=true."
_SQLITE: dict[str, str] = {
    "BUSY": "Another process holds it locked: a backup, perhaps, or a program with an open"
    " transaction. End that one.",
    "READONLY": "It can only be read: the file, its folder or the file system is read-only. Make"
    " them writable for the user of this service.",
    "CANTOPEN": "The file cannot be opened: its folder is gone, or not writable for the user of"
    " this service.",
    "IOERR": "Reading or writing failed. Look at the disk and its file system.",
    "CORRUPT": "The file is damaged. Stop the service and restore it from a backup.",
    "NOMEM": "There was no memory for it.",
}
# Result codes (https://sqlite.org/rescode.html) that mean the same to whoever mends them.
_LIKE = {
    "LOCKED": "BUSY",
    "PROTOCOL": "BUSY",
    "PERM": "CANTOPEN",
    "AUTH": "CANTOPEN",
    "NOLFS": "IOERR",
    "NOTADB": "CORRUPT",
}
_READ_ONLY = "25006"
# SQLSTATE classes and codes (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRESQL: dict[str, str] = {
    "55P03": "A row or table was locked for too long by another transaction.",
    "57014": "The statement took too long and was cancelled.",
    _READ_ONLY: "It can only be read: it is a standby, or its transactions are read-only.",
    "26000": _POOLER,
    "42P05": _POOLER,
    "08": "The connection was lost, or could not be made.",
    "28": "It does not let this service in: look at user and password.",
    "3D": "There is no such database.",
    "42501": "The user of this service may not do this: look at its grants.",
    "53": "The server has no resources left, such as connections.",
    "57P": "The server is stopping or starting, or its administrator ended the connection.",
    "58": "The server's reading or writing failed. Look at its disk.",
    "XX": "The server reports an internal error or damage. Look at its log.",
}
# A row that this transaction refers to, or one that it waits for, was changed by another one.
_QUICKER = {"23503", "40001", "40P01"}


class BoundedPool(QueuePool):
    """Connections, as many as are allowed; whoever waits too long for one is told."""

    def connect(self) -> PoolProxiedConnection:
        """Take a connection.

        Raises:
            StorageUnavailable: All of them were in use for the longest wait.
        """
        try:
            return super().connect()
        except CheckoutTimeout as error:
            raise StorageUnavailable(
                f"All connections to the database are in use. {_AGAIN}"
            ) from error


def translate_failures(engine: Engine, name: str, file: Path | None, patience: Patience) -> None:
    """Let failures of an engine's statements, connections and commits come as problems.

    Args:
        engine: Whose.
        name: What the database is called in the log.
        file: Where an SQLite database lies.
        patience: Is told of waits that were in vain.
    """

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        error = context.original_exception
        if context.is_pre_ping and context.is_disconnect:
            return  # the pool makes another connection
        if getattr(error, "sqlstate", None) in _QUICKER:
            ERRORS.labels("outdated").inc()
            raise Outdated from error
        if str(error).startswith("Could not decode to UTF-8"):
            ERRORS.labels("damaged").inc()
            raise Damaged("a text in it is no UTF-8") from error
        if getattr(error, "sqlstate", None) == _READ_ONLY:
            # Another server takes writes now, perhaps: all connections are made anew.
            context.is_disconnect = True
        committing = context.connection is not None and context.statement is None
        problem = problem_of(
            error,
            file,
            disconnected=context.is_disconnect,
            committing=committing and context.is_disconnect,
        )
        if problem is None:
            return
        ERRORS.labels(problem.type_).inc()
        if isinstance(problem, StorageUnavailable):
            patience.lose()
        logger.warning("%s: %s (%s)", problem.type_, " ".join(str(error).split()), name)
        raise problem from error


def problem_of(
    error: BaseException,
    file: Path | None,
    *,
    disconnected: bool = False,
    committing: bool = False,
) -> StorageFull | StorageUnavailable | None:
    """The problem that an error of a driver is; None if it is a defect.

    Args:
        error: As the driver raised it.
        file: Where an SQLite database lies.
        disconnected: Whether the driver lost its connection with it.
        committing: Whether that was while it waited for the answer to a commit.
    """
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, file)
    if type(error).__name__ == "NotReplicated":  # its module needs the driver
        return OutcomeUnknown(_ALONE)
    if committing:
        return OutcomeUnknown(f"The database cannot be used now. {_POSTGRESQL['08']} {_UNKNOWN}")
    if "unsupported startup parameter" in str(error):
        return _unavailable(_POOLER)
    if "hot standby" in str(error):
        return _unavailable(_POSTGRESQL[_READ_ONLY])
    code: Any = getattr(error, "sqlstate", None)
    if code == "53100":
        return StorageFull(
            "The disk of the database server is full. Free space there. Nothing was changed;"
            " deleting goes on if the server's log still has room."
        )
    if isinstance(code, str):
        for cause in (code, code[:3], code[:2]):
            if cause in _POSTGRESQL:
                return _unavailable(_POSTGRESQL[cause])
    # The driver's own, such as a connection that is not answered, have no code.
    operational = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    if disconnected or (code is None and operational):
        return _unavailable(_POSTGRESQL["08"])
    return None


def full() -> StorageFull:
    """The problem of a disk that has no room for a write."""
    return StorageFull(
        "There is no room for this on the disk of the database. Free some on its file system. "
        "Nothing was changed. Deleting images, classes and classifiers goes on while there is a "
        "little left, and makes room for others in the database; where even that is refused, "
        "delete less at a time."
    )


def _of_sqlite(error: sqlite3.Error, file: Path | None) -> StorageFull | StorageUnavailable | None:
    # "SQLITE_IOERR_FSYNC": the second word is the primary result code.
    code = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_").partition("_")[0]
    code = _LIKE.get(code, code)
    if code == "FULL" or (code in ("IOERR", "CANTOPEN") and _no_room(file)):
        return full()
    return _unavailable(_SQLITE[code]) if code in _SQLITE else None


def _no_room(file: Path | None) -> bool:
    try:
        return file is not None and shutil.disk_usage(file.parent).free < _FULL_BELOW
    except OSError:
        return False


def _unavailable(cause: str) -> StorageUnavailable:
    return StorageUnavailable(f"The database cannot be used now. {cause} {_AGAIN}")
