"""Files that are nobody else's business: modes of what the service writes."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from sqlalchemy import make_url

from service.settings import Settings

logger = logging.getLogger("handful")

_OTHERS = stat.S_IRWXO


def keep_private(settings: Settings) -> None:
    """Make everything that this process and its children create theirs alone: 0700 and 0600.

    Whatever umask the process was started with. What is there already keeps its mode, which may be
    somebody's intent, such as a volume that is shared with a group; it is said where every user of
    the machine can get at the database.
    """
    os.umask(os.umask(0o077) | 0o077)
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return
    database = Path(str(url.database))
    folder = _mode(database.parent)
    if folder & stat.S_IWOTH or (folder & stat.S_IXOTH and _mode(database) & _OTHERS):
        logger.warning(
            "other users of this machine can get at %s; its mode was left as it is: chmod 700 %s",
            database,
            database.parent,
        )


def _mode(path: Path) -> int:
    """Its permissions; none if it is not there."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
