"""Files that are there whole or not at all: written beside their place, then put there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give the path to write a file to, which then takes the place of what is at ``path``.

    Who reads meanwhile finds the old file. If writing raises, that one stays and nothing is left
    beside it; a process that is killed leaves a ``.part``. Processes that write the same file do
    not meet; threads of one may not. Nothing is flushed: what must outlast a loss of power is to
    be synchronised by whoever writes it.

    Args:
        path: Of the file; its folder is there.

    Raises:
        OSError: It cannot be put there.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
