"""Whether SQLite's log has lost what was acknowledged, as far as what it left behind can tell.

A log that is gone, or cut off by a damaged frame, is none to SQLite: it opens the database as it
was before, and says nothing (https://sqlite.org/walformat.html). So everybody who opens a database
looks at the log before SQLite does, leaves a mark beside it, and takes that away with the log.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count, islice
from pathlib import Path
from urllib.parse import quote

logger = logging.getLogger("handful.storage")

_HEADER, _FRAME = 32, 24
# Seconds in which who has closed a database as the last one takes the mark away, too.
_MOMENT = 0.2


class InUse:
    """The mark that an SQLite database is open: ``handful.db.in-use``.

    It is empty, or says what was lost: whoever finds that out need not be a service, which tells.

    Args:
        database: The file.

    Attributes:
        lost: What was, and no service has told until it ended; None: nothing.
    """

    def __init__(self, database: Path) -> None:
        self.lost: str | None = None
        self._database = database
        self._log = database.with_name(f"{database.name}-wal")
        self._mark = database.with_name(f"{database.name}.in-use")

    def look(self) -> None:
        """See what the last one has left; before the database is opened.

        A log that was damaged is kept as ``handful.db-wal.damaged-1``, the next as ``-2``.
        """
        with suppress(OSError):
            self.lost = self._mark.read_text("utf-8", "replace") or None
        if self._log.exists():
            self._look_at_log()
        elif self.lost is None and self._log_is_gone():
            self._note("is gone, and who had the database open did not end by itself")

    def begin(self) -> None:
        """Leave the mark; the database is open, and has its log."""
        if self._log.exists():
            with suppress(OSError):
                self._mark.touch(mode=0o600)

    def forget(self) -> None:
        """A service that ends by itself has told what was lost."""
        self.lost = None
        with suppress(OSError):
            os.truncate(self._mark, 0)

    def end(self) -> None:
        """Take the mark away, unless others have the database open or there is something to tell.

        All own connections are closed, and the last one of all that is closed removes the log.
        """
        with suppress(OSError):
            if not self._log.exists() and self._mark.stat().st_size == 0:
                self._mark.unlink()

    def _look_at_log(self) -> None:
        """Take the log into the database, if nobody else has that open, and see what is left.

        Of errors opening it tells.
        """
        address = f"file:{quote(str(self._database))}?mode=rw"
        with (
            suppress(OSError, sqlite3.Error),
            closing(sqlite3.connect(address, uri=True, timeout=0)) as connection,
        ):
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            _, recovered, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            commits_behind = sum(islice(self._own_frames(), max(recovered, 0), None))
            # One may be there: it was being written when the power failed, and was not
            # acknowledged. The next one is begun when that is on the disk (synchronous=FULL).
            if commits_behind > 1:
                self._note(f"is damaged, and {self._put_aside()}")
            elif self.lost is None:
                self._mark.unlink(missing_ok=True)  # before SQLite removes the log

    def _put_aside(self) -> str:
        """Keep the log, of which the database has what SQLite can read of it."""
        names = (self._log.with_name(f"{self._log.name}.damaged-{number}") for number in count(1))
        kept = next(name for name in names if not name.exists())
        try:
            self._log.rename(kept)
        except OSError as error:
            return f"could not be kept ({error.strerror})"
        return f"was kept as {kept.name}"

    def _log_is_gone(self) -> bool:
        for _ in range(2):
            if self._log.exists() or not (self._mark.exists() and self._database.exists()):
                return False
            time.sleep(_MOMENT)
        return True

    def _note(self, what: str) -> None:
        self.lost = f"{self._log.name} {what}: changes that were acknowledged last may be lost"
        logger.error("%s", self.lost)
        with suppress(OSError):
            self._mark.touch(mode=0o600)
            self._mark.write_text(self.lost, "utf-8")

    def _own_frames(self) -> Iterator[bool]:
        """Of each frame of the log that was not overwritten, whether a transaction ends with it."""
        with self._log.open("rb") as file:
            header = file.read(_HEADER)
            if len(header) < _HEADER:
                return
            page = int.from_bytes(header[8:12], "big")
            while len(frame := file.read(_FRAME)) == _FRAME:
                if frame[8:16] == header[16:24]:
                    yield frame[4:8] != bytes(4)
                file.seek(page, 1)
