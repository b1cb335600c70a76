"""The folder of a job on the disk: what it works on, what it has made, and who works on it.

    JOBS/place              which machine these jobs belong to
    JOBS/ID/lock            held by the process that works on the job
    JOBS/ID/input.zip       of a job that a zip was sent for
    JOBS/ID/files.jsonl     the files it takes, a line each
    JOBS/ID/trace           the span of the request that asked for it, where that was traced
    JOBS/ID/results.jsonl   what became of them, a line each

Results are appended and brought to the disk before the database counts them. What lies behind the
bytes that it counts is of a step that was not finished, and is cut off by whoever goes on.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from filelock import FileLock

from service.problems import StorageFull, StorageUnavailable

logger = logging.getLogger("handful")

# Left free on the disk, for the database: so many bytes, or that part of a small disk.
_FREE, _PART = 64 * 2**20, 16
_FULL = (errno.ENOSPC, errno.EDQUOT)


class JobFile(NamedTuple):
    """A file of a job.

    Attributes:
        name: As its sender sees it.
        label: Of its class, where it is to be registered.
        at: Its place among the files of the zip; in a folder none.
    """

    name: str
    label: str | None
    at: int


class JobFolder:
    """The folder of one job. Methods block.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.input = path / "input.zip"
        self._files = path / "files.jsonl"
        self._trace = path / "trace"
        self.results = path / "results.jsonl"

    def make(self) -> None:
        """Make the folder.

        Raises:
            StorageFull, StorageUnavailable: It cannot be made.
        """
        with written_or_refused(self.path):
            self.path.mkdir(parents=True)

    def write_files(self, files: Sequence[JobFile]) -> None:
        """Keep what the job is to take; it is on the disk when this returns.

        Raises:
            StorageFull, StorageUnavailable: It is not.
        """
        with written_or_refused(self.path), self._files.open("wb") as written:
            for some in range(0, len(files), 1000):
                lines = (json.dumps(list(file)) + "\n" for file in files[some : some + 1000])
                written.write("".join(lines).encode())
            sync_file(written)
            self.results.touch()
            sync_folder(self.path)
            sync_folder(self.path.parent)

    def write_trace(self, told: bytes) -> None:
        """Keep the span of the request that asks for the job; nothing depends on it."""
        if told:
            with suppress(OSError):
                self._trace.write_bytes(told)

    def trace(self) -> bytes:
        """What :meth:`write_trace` has kept; empty: nothing."""
        with suppress(OSError):
            return self._trace.read_bytes()
        return b""

    def files(self) -> list[JobFile]:
        """What the job is to take.

        Raises:
            OSError, ValueError: It is gone, or damaged.
        """
        with self._files.open("rb") as lines:
            return [JobFile(*json.loads(line)) for line in lines]

    def write_results(self, at: int, lines: bytes) -> int:
        """Bring results to the disk behind so many bytes; what lay there did not count.

        Returns:
            How many bytes count now.

        Raises:
            ValueError: There are fewer before.
            StorageFull, StorageUnavailable: They are not; none of them counts.
        """
        with written_or_refused(self.path), self.results.open("r+b") as results:
            if results.seek(0, os.SEEK_END) < at:
                raise ValueError(f"{self.results} is shorter than it was")
            check_room(self.path, len(lines))
            results.truncate(at)
            results.seek(at)
            results.write(lines)
            sync_file(results)
            return at + len(lines)

    def blocks(self, size: int, most: int = 2**16) -> Iterator[bytes]:
        """The first bytes of the results, block by block; they are open from the first on."""
        with self.results.open("rb") as results:
            while size > 0 and (block := results.read(min(most, size))):
                size -= len(block)
                yield block

    def lines(self, size: int) -> Iterator[bytes]:
        """The lines among the first bytes of the results."""
        with self.results.open("rb") as results:
            while size > 0 and (line := results.readline(size)):
                size -= len(line)
                yield line

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Have the job for oneself, if nobody who lives has it; whether one has.

        The kernel lets go of the lock with the process, however that ends.
        """
        lock = FileLock(self.path / "lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except FileNotFoundError:  # the folder is gone: whoever opens the job says so
            yield True
            return
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def drop_input(self) -> None:
        """Forget what an ended job has worked on."""
        for path in (self.input, self._files):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget all of it."""
        shutil.rmtree(self.path, ignore_errors=True)


class JobFolders:
    """The folders of all jobs of this machine.

    Args:
        path: Where they are; made when it is needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, job_id: str) -> JobFolder:
        """The folder of a job."""
        return JobFolder(self.path / job_id)

    def place(self) -> str:
        """Which machine's jobs these are, or which volume's where several share one.

        Raises:
            StorageFull, StorageUnavailable: Nothing can be written there.
        """
        file = self.path / "place"
        with written_or_refused(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                made = self.path / f"place.{uuid.uuid4().hex}"
                with made.open("w") as opened:
                    opened.write(uuid.uuid4().hex)
                    sync_file(opened)
                with suppress(FileExistsError):  # another process was quicker
                    os.link(made, file)
                made.unlink()
            return file.read_text()

    def known_place(self) -> str | None:
        """As :meth:`place`, where there has been a job; None otherwise."""
        try:
            return (self.path / "place").read_text()
        except OSError:
            return None

    def ids(self) -> list[str]:
        """Of all jobs that have a folder."""
        try:
            return [one.name for one in self.path.iterdir() if one.is_dir()]
        except OSError:
            return []


def check_room(path: Path, size: int) -> None:
    """See that the disk has room for so much more, and some for the database.

    Raises:
        StorageFull: It has not.
    """
    usage = shutil.disk_usage(path)
    if usage.free - size < min(_FREE, usage.total // _PART):
        raise _full(path)


@contextmanager
def written_or_refused(path: Path) -> Iterator[None]:
    """What the system says of writing below a folder comes as problems.

    Raises:
        StorageFull, StorageUnavailable: As it says.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path) from error
        why = error.strerror or type(error).__name__
        logger.warning("storage-unavailable: the folder of jobs %s cannot be used: %s", path, error)
        raise StorageUnavailable(
            f"The folder of jobs cannot be used ({why}). Look at its disk and its mode "
            "(HANDFUL_DATA_DIR). Nothing was changed; send the request again."
        ) from error


def lines_of(objects: Iterable[bytes]) -> bytes:
    """JSON lines (https://jsonlines.org)."""
    return b"".join(one + b"\n" for one in objects)


def _full(path: Path) -> StorageFull:
    logger.warning("storage-full: the disk of %s is full", path)
    return StorageFull(
        "There is no room for this on the disk of the jobs. Free some, or DELETE jobs that have "
        "ended, whose results take room. Nothing was changed."
    )


def sync_file(file: IO[Any]) -> None:
    """Bring what was written to a file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
