"""A program's disk and clock, whose faults are switched on and off while it runs."""

from __future__ import annotations

import functools
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("faulty_disk.c")
# As `struct control` of the source.
_FAULTS = (
    "drops_flushes",
    "fails_flushes",
    "fails_writes",
    "is_full",
    "flush_milliseconds",
    "clock_seconds",
)


@functools.cache
def library() -> Path:
    """The library that is preloaded; skips the test where there is no compiler of C."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no compiler of C here (apt-get install gcc libc6-dev)")
    made = Path(tempfile.mkdtemp(prefix="faulty-disk-")) / "faulty_disk.so"
    options = ("-O2", "-shared", "-fPIC", "-ldl", "-pthread")
    subprocess.run([compiler, *options, "-o", str(made), str(_SOURCE)], check=True)
    return made


class FaultyDisk:
    """What is below one program at a time.

    Args:
        folder: Below which files are watched; it is there.
        place: For the log and the control file; not below ``folder``.
    """

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder = folder.resolve()
        self.log = place / "log"
        self._control_file = place / "control"
        self._control_file.write_bytes(bytes(mmap.PAGESIZE))
        with self._control_file.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    @property
    def environment(self) -> Mapping[str, str]:
        """Of the program, beside its own. Its log begins anew."""
        self.log.unlink(missing_ok=True)
        return {
            "LD_PRELOAD": str(library()),
            "FAULTY_DISK": str(self.folder),
            "FAULTY_DISK_LOG": str(self.log),
            "FAULTY_DISK_CONTROL": str(self._control_file),
        }

    @contextmanager
    def faults(self, **given: int) -> Iterator[None]:
        """Faults for as long as the block takes.

        Args:
            given: ``drops_flushes=1``: flushes are acknowledged and not made; ``fails_flushes=1``
                and ``fails_writes=1``: EIO; ``is_full=1``: ENOSPC where a file would grow;
                ``flush_milliseconds``: each flush takes so much longer; ``clock_seconds``: the
                clock of the day is so much ahead, or behind.
        """
        for name, value in given.items():
            self._set(name, value)
        try:
            yield
        finally:
            for name in given:
                self._set(name, 0)

    def _set(self, name: str, value: int) -> None:
        struct.pack_into("=i", self._control, 4 * _FAULTS.index(name), value)

    def close(self) -> None:
        """Let go of it."""
        self._control.close()
        os.unlink(self._control_file)
