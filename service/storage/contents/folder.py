"""An object store that is a folder: a file an object, written whole, read by nobody else."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from service.problems import StorageFull, StorageUnavailable
from service.storage.contents.object_store import AGAIN, MARKER, ObjectMissing

logger = logging.getLogger("handful.storage")

# What an object is called until it is whole.
_PART = ".part"


class Folder:
    """Objects as files of mode 0600 in folders of mode 0700.

    ``put`` returns when file and name are on the disk (fsync of both): a crash leaves the object
    whole, or a part of it under another name that ``delete`` takes away as well.

    Args:
        root: The folder. Where it is not there, the first object that is put makes it: whoever
            only reads leaves nothing in the place of a disk that is not mounted.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._identity: tuple[int, int] | None = None

    @property
    def location(self) -> str:
        """Its URL."""
        return self._root.as_uri()

    def put(self, key: str, content: bytes) -> None:
        """Write a file, whole and on the disk."""
        path = self._root / key
        part = path.with_name(path.name + _PART)
        with self._told():
            self._check()
            try:
                self._make(path.parent)
                file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with open(file, "wb") as written:
                    written.write(content)
                    written.flush()
                    os.fsync(file)
                part.rename(path)
                _sync(path.parent)
            except OSError:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise

    def get(self, key: str) -> bytes:
        """Read a file."""
        with self._told():
            try:
                return (self._root / key).read_bytes()
            except (FileNotFoundError, NotADirectoryError) as error:
                self._check()
                raise ObjectMissing(key) from error

    def delete(self, keys: Sequence[str]) -> None:
        """Delete files, and what is left of such as never became whole."""
        with self._told():
            self._check()
            folders = set()
            for key in keys:
                path = self._root / key
                for name in (path, path.with_name(path.name + _PART)):
                    with suppress(FileNotFoundError):
                        name.unlink()
                        folders.add(name.parent)
            for folder in folders:
                _sync(folder)

    def all_keys(self) -> Iterator[str]:
        """Names of all files, as keys."""
        with self._told():
            self._check()
            for folder, _, names in os.walk(self._root):
                for name in names:
                    yield (Path(folder) / name).relative_to(self._root).as_posix()

    def _check(self) -> None:
        """See that it is the folder that it was: an unmounted disk leaves an empty one behind.

        Raises:
            StorageUnavailable: It is not.
        """
        try:
            found = (self._root / MARKER).stat()
        except FileNotFoundError as error:
            if self._identity is None:
                return
            logger.warning("storage-unavailable: %s is not the folder that it was", self._root)
            raise StorageUnavailable(
                f"The folder of images is gone, or empty. Is its disk mounted? {AGAIN}"
            ) from error
        identity = found.st_dev, found.st_ino
        if self._identity is None:
            self._identity = identity
        elif self._identity != identity:
            logger.warning("storage-unavailable: %s is another folder now", self._root)
            raise StorageUnavailable(
                "Another folder is in the place of that of the images. Restart the service to use "
                f"that one. {AGAIN}"
            )

    def _make(self, folder: Path) -> None:
        """Make a folder, the root or below it, whose names are on the disk then."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            _sync(folder.parent)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Let errors of the file system come as problems."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                logger.warning("storage-full: %s", error)
                raise StorageFull(
                    "There is no room for this on the disk of the images. Free some there. Nothing"
                    " was changed; deleting goes on."
                ) from error
            logger.warning("storage-unavailable: %s", error)
            raise StorageUnavailable(
                f"The folder of images cannot be used now: {error.strerror}. {AGAIN}"
            ) from error


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
