"""Pages of mapped files that nobody needs are not in memory, and come back when they are read."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from adapters.kept.given_back import let_go_of_pages


def resident(path: Path) -> int:
    """Kilobytes of a mapped file in this process's memory."""
    parts = Path("/proc/self/smaps").read_text().split(f"{path}\n")[1:]
    found = [re.search(r"^Rss:\s+(\d+) kB", part, re.M) for part in parts]
    return sum(int(one[1]) for one in found if one is not None)


def mapped(path: Path, size: int, access: int) -> mmap.mmap:
    path.write_bytes(bytes(range(256)) * (size // 256))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 0, access=access)


def test_pages_of_read_only_mappings_are_let_go_of(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    inside, outside = tmp_path / "in" / "weights.bin", tmp_path / "other.bin"
    with mapped(inside, 2**20, mmap.ACCESS_READ) as one, mapped(outside, 2**20, mmap.ACCESS_READ):
        before = bytes(one)
        held = resident(inside)
        assert held >= 1024
        let_go_of_pages(tmp_path / "in")
        assert resident(inside) < held / 4
        assert bytes(one) == before


def test_what_was_written_into_a_copy_is_not_lost(tmp_path: Path) -> None:
    with mapped(tmp_path / "weights.bin", 2**20, mmap.ACCESS_COPY) as one:
        one[:5] = b"mine!"
        let_go_of_pages(tmp_path)
        assert one[:5] == b"mine!"
