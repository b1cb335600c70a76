"""Room on the disk that is kept for deleting."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger("handful.storage")

_MOST = 4 * 2**20
# Of a small file system it takes this share at most.
_SHARE = 16


class Reserve:
    """A file that takes up room beside the database, to be given up for a delete.

    SQLite appends what a transaction changes to its log before it changes the database, also
    where a transaction deletes; on a full disk nothing could be deleted without this.

    Attributes:
        nbytes: Its size: 4 MiB, or a sixteenth of a file system that is smaller than 64 MiB.
    """

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}.reserve")
        self._folder = database.parent
        self.nbytes = min(_MOST, shutil.disk_usage(self._folder).total // _SHARE)

    @property
    def scarce(self) -> bool:
        """Whether the disk has less left than the reserve itself."""
        try:
            return shutil.disk_usage(self._folder).free < self.nbytes
        except OSError:
            return False

    def keep(self) -> bool:
        """Take the room up, unless that is done; returns False where there is none left."""
        with suppress(OSError):
            if self._path.stat().st_size >= self.nbytes:
                return True
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(file, 0, self.nbytes)
            finally:
                os.close(file)
        except OSError as error:
            self.give_up()
            # Where it cannot be kept for other reasons, writes tell of them.
            return error.errno not in (errno.ENOSPC, errno.EDQUOT)
        return True

    def give_up(self) -> None:
        """Let the room be used."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
