"""Memory that was needed once: the system may have it back."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

_DONT_NEED = 4  # MADV_DONTNEED, in Linux


def let_go_of_pages(folder: Path) -> None:
    """Take the pages of files that are mapped from a folder out of this process's memory.

    What compiles a model reads all of its weights once, packs most of them into memory of its own,
    and keeps the file mapped. What is read again comes from the file. Only read-only mappings are
    touched, which have nothing to lose. Elsewhere than on Linux it does nothing.

    Args:
        folder: Absolute, without symbolic links.
    """
    with suppress(OSError, AttributeError):
        advise = ctypes.CDLL(None).madvise
        for line in Path("/proc/self/maps").read_text().splitlines():
            fields = line.split(maxsplit=5)
            if len(fields) < 6 or not fields[5].startswith(f"{folder}/"):
                continue
            if fields[1].startswith("r--"):
                start, end = (int(address, 16) for address in fields[0].split("-"))
                advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED)


def give_back_memory() -> None:
    """Give the system back what nobody holds any more."""
    with suppress(OSError, AttributeError):  # of the GNU library alone
        ctypes.CDLL(None).malloc_trim(0)
