"""Whether SQLite's log has lost what was acknowledged, as far as what it left behind can tell.

A log that is gone, or cut off by a damaged frame, is none to SQLite: it opens the database as it
was before, and says nothing (https://sqlite.org/walformat.html). So the service leaves a mark
beside the database while it has it, and looks at the log before SQLite does.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

_HEADER, _FRAME = 32, 24


class InUse:
    """The mark of who has an SQLite database to itself: ``handful.db.in-use``, an empty file.

    Args:
        database: The file.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._log = database.with_name(f"{database.name}-wal")
        self._mark = database.with_name(f"{database.name}.in-use")

    def begin(self) -> str | None:
        """Leave the mark; says what the last one's log has lost, if it has; before it is opened.

        A log that was damaged is copied to ``handful.db-wal.damaged``.

        """
        lost = None
        if not self._log.exists():
            # A connection has its log as long as it is open, and the last one that closes removes
            # it: whoever left the mark and no log did not do so.
            if self._mark.exists() and self._database.exists():
                lost = f"{self._log.name} is gone, and the service before did not end by itself"
        elif self._frames_are_lost():
            lost = f"{self._log.name} is damaged, and a copy was put aside"
        with suppress(OSError):  # of which opening it tells
            self._mark.touch(mode=0o600)
        return lost

    def end(self) -> None:
        """Take the mark away, if the log is: all connections are closed."""
        if not self._log.exists():
            with suppress(OSError):
                self._mark.unlink(missing_ok=True)

    def _frames_are_lost(self) -> bool:
        """Whether the log holds commits behind the last one that SQLite recovers.

        One may be there: it was being written when the power failed, and was not acknowledged. The
        next one is begun when that one is on the disk (``synchronous=FULL``).
        """
        commits = [place for place, ends in enumerate(self._own_frames(), 1) if ends]
        address = f"file:{quote(str(self._database))}?mode=rw"
        copy = self._log.with_name(f"{self._log.name}.damaged")
        if not commits:
            return False
        try:
            shutil.copyfile(self._log, copy)
            with closing(sqlite3.connect(address, uri=True, timeout=30)) as connection:
                _, recovered, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except (OSError, sqlite3.Error):
            recovered = commits[-1]  # of which opening it tells
        lost = len([place for place in commits if place > recovered]) > 1
        if not lost:
            with suppress(OSError):
                copy.unlink()
        return lost

    def _own_frames(self) -> Iterator[bool]:
        """Of each frame of the log that was not overwritten, whether a transaction ends with it."""
        with suppress(OSError), self._log.open("rb") as file:
            header = file.read(_HEADER)
            if len(header) < _HEADER:
                return
            page = int.from_bytes(header[8:12], "big")
            while len(frame := file.read(_FRAME)) == _FRAME:
                if frame[8:16] == header[16:24]:
                    yield frame[4:8] != bytes(4)
                file.seek(page, 1)
