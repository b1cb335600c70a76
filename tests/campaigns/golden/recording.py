"""What is kept of a version: JSON documents by part, and the files that they name."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save

Json = Any
_SECONDS = re.compile(r'\b\d+(?:\.\d+)? s\b|\b\d+:\d\d:\d\d\b|"seconds": [\d.]+')
_COORDINATE = re.compile(r"(?<![\w.])\d+\.\d{3,}(?![\w.])")
_SHAPE = re.compile(r"""(?<=["#])(?:[a-z]|image)[0-9a-f]{10}(?=[")])""")
_LONGEST = 2000
"""Longer texts and all other bytes are kept as files."""


class Recording:
    """A folder with ``record/PART/NAME.json`` (compared), ``files/`` (named there) and ``work/``.

    Args:
        folder: Of the recording; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.work = self.folder / "work"
        self.work.mkdir(parents=True, exist_ok=True)

    def write(self, part: str, name: str, document: Json) -> None:
        """Keep a document."""
        path = self.folder / "record" / part / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def text(self, name: str, text: str) -> Json:
        """A text as it is, or as a file if it is long."""
        return text if len(text) <= _LONGEST else self.content(name, text.encode())

    def content(self, name: str, content: bytes) -> Json:
        """Bytes by their digest, and where they are kept."""
        path = self.folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"sha256": hashlib.sha256(content).hexdigest(), "kept": f"files/{name}"}

    def tensors(self, path: Path, clean: Callable[[str], str]) -> Json:
        """The tensors of a safetensors file by their digests, and its metadata."""
        kept = str(path.relative_to(self.folder))
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_tensor(name) for name in sorted(file.keys())}
            metadata = {
                name: _parsed(clean(text)) for name, text in (file.metadata() or {}).items()
            }
        return {
            "metadata": dict(sorted(metadata.items())),
            "tensors": {
                name: {
                    "shape": list(tensor.shape),
                    "dtype": str(tensor.dtype),
                    "sha256": hashlib.sha256(save({"": tensor.contiguous()})).hexdigest(),
                    "kept": kept,
                    "tensor": name,
                }
                for name, tensor in found.items()
            },
        }


class Placeholders:
    """Stands for ids and times, which differ from one recording to another.

    The same id has the same number wherever it occurs, so that it is still compared. A time has
    none, unless an earlier part of the same story, whose database is read again, has seen it.

    Args:
        known: By what they stand for, from that part.

    Attributes:
        seen: The same, of this part as well.
    """

    _PATTERN = re.compile(
        r"(?P<id>(?<![0-9a-fA-F])[0-9a-f]{32}(?![0-9a-fA-F]))"
        r"|(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?)"
    )

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})
        self.seen = dict(self._known)
        self._counts = Counter(name[1:].partition(" ")[0] for name in self._known.values())
        self._literal: dict[str, str] = {}

    def literally(self, text: object, placeholder: str) -> None:
        """Replace a path or an address; the longest first."""
        self._literal[str(text)] = placeholder
        self._literal = dict(sorted(self._literal.items(), key=lambda item: -len(item[0])))

    def __call__(self, text: str) -> str:
        """The text with placeholders."""
        for found, placeholder in self._literal.items():
            text = text.replace(found, placeholder)
        return self._PATTERN.sub(self._number, text)

    def _number(self, found: re.Match[str]) -> str:
        kind = found.lastgroup or ""
        if found[0] not in self.seen:
            self._counts[kind] += 1
            self.seen[found[0]] = f"<{kind} {self._counts[kind]}>"
        if kind == "time" and found[0] not in self._known:
            return "<time>"
        return self.seen[found[0]]


def without_seconds(text: str) -> str:
    """A text without how long things took."""
    return _SECONDS.sub("<seconds>", text)


def plain_svg(text: str) -> str:
    """A drawing with numbers in the place of the random ids that matplotlib gives to its shapes.

    Coordinates have two decimals: the sixth is now and then another one.
    """
    numbers: dict[str, str] = {}
    text = _COORDINATE.sub(lambda found: f"{float(found[0]):.2f}", text)
    return _SHAPE.sub(lambda found: numbers.setdefault(found[0], f"shape-{len(numbers)}"), text)


def _parsed(text: str) -> Json:
    if text[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text
