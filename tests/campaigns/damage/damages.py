"""Kinds of damage to the files of a service that is stopped, or was killed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.campaigns.damage.flips import flip

Inflict = Callable[[Path, random.Random], bool]
"""Damages a copy of a base; whether there was anything to damage."""
_FEW = 40


def _database(folder: Path) -> Path:
    return folder / "data" / "handful.db"


def _forty_bytes(folder: Path, draw: random.Random) -> bool:
    flip(_database(folder), draw)
    return True


def _a_page(folder: Path, draw: random.Random) -> bool:
    file = _database(folder)
    with file.open("r+b") as opened:
        opened.seek(4096 * draw.randrange(file.stat().st_size // 4096))
        opened.write(draw.choice((bytes(4096), draw.randbytes(4096))))
    return True


def _cut_off(folder: Path, draw: random.Random) -> bool:
    file = _database(folder)
    with file.open("r+b") as opened:
        opened.truncate(draw.randrange(file.stat().st_size))
    return True


def _log_gone(folder: Path, draw: random.Random) -> bool:
    log = folder / "data" / "handful.db-wal"
    was_there = log.exists()
    log.unlink(missing_ok=True)
    return was_there


def _log_flipped(folder: Path, draw: random.Random) -> bool:
    log = folder / "data" / "handful.db-wal"
    return log.exists() and _flipped(log, draw)


def _index_gone(folder: Path, draw: random.Random) -> bool:
    index = folder / "data" / "handful.db-shm"
    was_there = index.exists()
    index.unlink(missing_ok=True)
    return was_there


def _of(pattern: str, where: str) -> Inflict:
    """Flip bytes of one of the files that are so named."""

    def inflict(folder: Path, draw: random.Random) -> bool:
        files = sorted(path for path in (folder / where).rglob(pattern) if path.is_file())
        return bool(files) and _flipped(draw.choice(files), draw)

    return inflict


def _compiled_gone(folder: Path, draw: random.Random) -> bool:
    shutil.rmtree(folder / "cache" / "compiled")
    return True


def _flipped(file: Path, draw: random.Random) -> bool:
    content = bytearray(file.read_bytes())
    if not content:
        return False
    for _ in range(_FEW):
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    file.write_bytes(content)
    return True


DAMAGES: Mapping[str, Inflict] = {
    "forty bytes": _forty_bytes,
    "a page": _a_page,
    "cut off": _cut_off,
    "log gone": _log_gone,
    "log flipped": _log_flipped,
    "index of the log gone": _index_gone,
    "compiled image tower": _of("image.*", "cache/compiled"),
    "compiled text tower": _of("text.*", "cache/compiled"),
    "description of the compiled model": _of("model.*", "cache/compiled"),
    "compiled models gone": _compiled_gone,
    "checkpoint": _of("*.safetensors", "vit"),
    "configuration of the checkpoint": _of("*.json", "vit"),
    "thumbnails": _of("*.jpg", "cache/thumbnails"),
}
"""By their names."""
OF_KILLED = frozenset({"log gone", "log flipped", "index of the log gone"})
"""Those of what a killed service leaves."""
EVERYTHING = "forty bytes", "forty bytes", "forty bytes", *DAMAGES
"""As often as they are to be drawn."""
