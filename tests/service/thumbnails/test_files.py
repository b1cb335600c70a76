"""Files of thumbnails: their bound, their age, and whose they are."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

import pytest

from service.thumbnails.files import UNUSED_SECONDS, ThumbnailFiles

DAY = 86_400.0


def key(number: int, tenant: str = "") -> str:
    digest = sha256(str(number).encode()).hexdigest()
    return f"{tenant}/{digest}" if tenant else digest


def everything(keys: Collection[str]) -> set[str]:
    return set(keys)


def path_of(folder: Path, content_key: str) -> Path:
    [path] = folder.rglob(f"{content_key.rpartition('/')[2]}.jpg")
    return path


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_tenants_and_databases_have_their_own(tmp_path: Path) -> None:
    mine, theirs = ThumbnailFiles(tmp_path, "a"), ThumbnailFiles(tmp_path, "b")
    for i, one in enumerate((key(1), key(1, "acme"), key(1, "a b"))):
        assert mine.get(one) is None
        mine.put(one, bytes([i]))
    assert [mine.get(key(1, t)) for t in ("", "acme", "a b")] == [b"\0", b"\1", b"\2"]
    assert theirs.get(key(1)) is None


def test_the_sweep_asks_for_its_own_and_removes_what_is_not_there(tmp_path: Path) -> None:
    files, others = ThumbnailFiles(tmp_path, "a"), ThumbnailFiles(tmp_path, "b")
    for owner in (files, others):
        for content_key in (key(1), key(2), key(1, "acme")):
            owner.put(content_key, b"content")
    told: set[str] = set()

    def stored(keys: Collection[str]) -> set[str]:
        told.update(keys)
        return {key(2), key(1, "acme")}

    files.sweep(stored)
    assert told == {key(1), key(2), key(1, "acme")}
    assert files.get(key(1)) is None
    assert files.get(key(2)) == files.get(key(1, "acme")) == b"content"
    assert others.get(key(1)) == b"content"


def test_a_sweep_that_cannot_ask_removes_nothing(tmp_path: Path) -> None:
    files = ThumbnailFiles(tmp_path, "a")
    files.put(key(1), b"content")

    def fails(_: Collection[str]) -> set[str]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.sweep(fails)
    assert files.get(key(1)) == b"content"


@pytest.mark.parametrize("age", [UNUSED_SECONDS + DAY, -UNUSED_SECONDS - DAY])
def test_what_nobody_asks_for_goes_whichever_database_it_is_of(tmp_path: Path, age: float) -> None:
    files, others = ThumbnailFiles(tmp_path, "a"), ThumbnailFiles(tmp_path, "b")
    files.put(key(1), b"content")
    files.put(key(2), b"used")
    others.put(key(3), b"content")
    half_written = path_of(tmp_path, key(3)).with_suffix(".jpg.1.part")
    half_written.write_bytes(b"content")
    for path in (*(path_of(tmp_path, key(i)) for i in (1, 2, 3)), half_written):
        aged(path, age)
    assert files.get(key(2)) == b"used"
    files.sweep(everything)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{key(2)}.jpg"]


def test_beyond_the_bound_those_go_that_were_used_longest_ago(tmp_path: Path) -> None:
    files = ThumbnailFiles(tmp_path, "a", most_bytes=1000)
    for i in range(10):
        files.put(key(i), bytes(100))
        aged(path_of(tmp_path, key(i)), (20 - i) * 3600)
    aged(path_of(tmp_path, key(0)), 2 * DAY)
    assert files.get(key(0)) is not None  # used today
    files.put(key(10), bytes(100))
    there = {i for i in range(11) if files.get(key(i)) is not None}
    assert there == {0, *range(3, 11)}
    total = sum(path.stat().st_size for path in tmp_path.rglob("*.jpg"))
    assert total <= 900


def test_what_other_processes_have_written_is_counted_by_the_sweep(tmp_path: Path) -> None:
    for i in range(8):
        ThumbnailFiles(tmp_path, "a", most_bytes=1000).put(key(i), bytes(200))
    files = ThumbnailFiles(tmp_path, "a", most_bytes=1000)
    files.sweep(everything)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) == 800
    files.put(key(20), bytes(150))
    files.put(key(21), bytes(150))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jpg")) <= 900
