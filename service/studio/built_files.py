"""Built files of the studio, in memory: each as it is and compressed, with a tag of its content."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = "index.html"
"""The page itself."""
_FOLDER = Path(__file__).parent / "built"
# By themselves and not by the machine's table, so that they are the same everywhere.
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """A file of the studio.

    Attributes:
        content: As it is.
        compressed: By gzip; None: that makes it no smaller.
        media_type: Of the content.
        tag: Entity tag of the content, to be sent as a weak one: it is that of both.
    """

    content: bytes
    compressed: bytes | None
    media_type: str
    tag: str


@cache
def built_files() -> Mapping[str, BuiltFile]:
    """All of them by their paths in the folder; read once, which takes some milliseconds."""
    files = (path for path in _FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(_FOLDER).as_posix(): _read(path) for path in files}


def _read(path: Path) -> BuiltFile:
    content = path.read_bytes()
    compressed = gzip.compress(content, 9, mtime=0)
    return BuiltFile(
        content=content,
        compressed=compressed if len(compressed) < len(content) else None,
        media_type=_MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        tag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
    )
