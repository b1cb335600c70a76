"""Files of thumbnails: a cache on the disk, bounded in bytes and in time."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import quote, unquote

from adapters.whole_files import written_whole
from service.tenancy import bare, qualified, tenant_of

logger = logging.getLogger("handful")

MOST_BYTES = 2**29
"""Of all thumbnails in one cache folder; beyond them those go that were used longest ago."""
UNUSED_SECONDS = 7 * 86_400.0
"""After which one goes that nobody has asked for, whichever database it was made for."""

# A use is written down as the file's time, once a day at most.
_USE_SECONDS = 86_400.0
# What is left when there were too many: the next look at all of them is some thousands away.
_LEFT = 0.9
_SUFFIX = ".jpg"


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    nbytes: int
    used: float


class ThumbnailFiles:
    """Thumbnails in files named by the SHA-256 of their images: ``DATABASE/TENANT/ab/SHA256.jpg``.

    Methods block, and never raise for want of the disk: what cannot be kept is made again. Each
    process counts what it writes; all of them look at the whole folder when they sweep.

    Args:
        folder: Of all databases whose thumbnails are kept here.
        database: Which one's these are; a name of a folder.
        most_bytes: Of all of them.
    """

    def __init__(self, folder: Path, database: str, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._own = folder / database
        self._most = most_bytes
        self._lock = Lock()
        self._nbytes = 0
        self._was_told = False

    def get(self, content_key: str) -> bytes | None:
        """The thumbnail of an image by its qualified SHA-256; None: it is not kept."""
        path = self._path(content_key)
        try:
            with path.open("rb") as file:
                content = file.read()
                used = os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        if abs(time.time() - used) > _USE_SECONDS:
            with suppress(OSError):  # removed meanwhile, or on a disk that is not written to
                os.utime(path)
        return content

    def put(self, content_key: str, content: bytes) -> None:
        """Keep a thumbnail; one at a time in each process."""
        path = self._path(content_key)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with written_whole(path) as part:
                part.write_bytes(content)
        except OSError as error:
            if not self._was_told:  # once, not for each picture of a list
                logger.warning("thumbnails cannot be kept in %s: %s", self._folder, error)
            self._was_told = True
            return
        with self._lock:
            self._nbytes += len(content)
            too_many = self._nbytes > self._most
        if too_many:
            self._bound(self._files())

    def sweep(self, stored: Callable[[Collection[str]], set[str]]) -> None:
        """Remove thumbnails of images that are gone, those that nobody asks for, and too many.

        Args:
            stored: Which of some images the database has; may raise, and nothing is removed then.
        """
        now = time.time()
        found = [(one, self._content_key(one.path)) for one in self._files()]
        there = stored({key for _, key in found if key is not None})
        left = []
        for one, key in found:
            # A clock that was set back must not keep them for ever.
            if abs(now - one.used) > UNUSED_SECONDS or (key is not None and key not in there):
                _remove(one)
            else:
                left.append(one)
        self._bound(left)

    def _bound(self, files: Collection[_File]) -> None:
        nbytes = sum(one.nbytes for one in files)
        if nbytes > self._most:
            for one in sorted(files, key=lambda one: one.used):
                if nbytes <= _LEFT * self._most:
                    break
                _remove(one)
                nbytes -= one.nbytes
        with self._lock:
            self._nbytes = nbytes

    def _path(self, content_key: str) -> Path:
        tenant, sha256 = quote(tenant_of(content_key), safe="") or "_", bare(content_key)
        return self._own / tenant / sha256[:2] / f"{sha256}{_SUFFIX}"

    def _content_key(self, path: str) -> str | None:
        """Whose thumbnail a file is; None: of another database, or half written."""
        if not (path.startswith(f"{self._own}{os.sep}") and path.endswith(_SUFFIX)):
            return None
        *_, tenant, _, name = path.split(os.sep)
        return qualified("" if tenant == "_" else unquote(tenant), name.removesuffix(_SUFFIX))

    def _files(self) -> list[_File]:
        return list(_below(self._folder))


def _below(folder: str | Path) -> Iterator[_File]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
                continue
            with suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                yield _File(entry.path, about.st_size, about.st_mtime)


def _remove(one: _File) -> None:
    with suppress(OSError):  # another process has, or the disk will not
        os.unlink(one.path)
