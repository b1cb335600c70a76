"""What differs between two recordings, by part, with the largest difference of numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open

from tests.campaigns.golden.recording import Json, plain_svg, without_seconds

_SHOWN = 5
_BY_PROCESS = {"http/80-several.json": 1e-5}
"""Of two processes the one that made a change answers from what it added to, the other from what
it has read anew; they differ in the last digits, and either may be asked."""


@dataclass(frozen=True)
class Difference:
    """One place at which two recordings differ.

    Attributes:
        size: Of numbers: the absolute difference over the larger of 1 and both; else None.
    """

    where: str
    what: str
    size: float | None = None


class Comparison:
    """Two recordings side by side.

    Args:
        one: Folder of the first.
        other: Folder of the second.
        rounding: Numbers that differ by no more than this count as the same; see `Difference`.
    """

    def __init__(self, one: Path, other: Path, rounding: float = 0.0) -> None:
        self.one, self.other, self.rounding = one, other, rounding
        self._rounding = rounding
        self.values = 0

    def names(self) -> list[tuple[str, bool, bool]]:
        """Each ``PART/NAME``, and whether it is in the first and in the second."""
        first, second = (
            {str(path.relative_to(folder / "record")) for path in folder.glob("record/*/*.json")}
            for folder in (self.one, self.other)
        )
        return [(name, name in first, name in second) for name in sorted(first | second)]

    def of(self, name: str) -> list[Difference]:
        """The differences of a document that both have; those of rounding included.

        Where numbers may be rounded, the length of what is written may differ.
        """
        self._rounding = max(self.rounding, _BY_PROCESS.get(name, 0.0))
        first, second = (
            json.loads((folder / "record" / name).read_text("utf-8"))
            for folder in (self.one, self.other)
        )
        return list(self._between(first, second, ""))

    def counts(self, difference: Difference) -> bool:
        """Whether a difference of the document looked at last is more than rounding."""
        return difference.size is None or difference.size > self._rounding

    def _between(self, a: Json, b: Json, where: str) -> Iterator[Difference]:
        if isinstance(a, dict) and isinstance(b, dict):
            if "kept" in a and "kept" in b and a.get("sha256") != b.get("sha256"):
                yield from self._kept(a, b, where)
            else:
                yield from self._members(a, b, where)
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                yield Difference(where, f"{len(a)} entries, and {len(b)}")
            for i, (left, right) in enumerate(zip(a, b, strict=False)):
                yield from self._between(left, right, f"{where}[{i}]")
        else:
            self.values += 1
            if (difference := _plain(a, b, where)) is not None:
                yield difference

    def _members(self, a: dict[str, Json], b: dict[str, Json], where: str) -> Iterator[Difference]:
        for name in a.keys() - b.keys():
            yield Difference(f"{where}.{name}", "only in the first")
        for name in b.keys() - a.keys():
            yield Difference(f"{where}.{name}", "only in the second")
        shared = [name for name in a if name in b]
        if shared != [name for name in b if name in a]:
            # Objects are unordered (RFC 8259): told, and no difference beyond rounding.
            yield Difference(where, "the members are in another order", 0.0)
        for name in shared:
            if name == "content-length" and self._rounding > 0:
                continue
            yield from self._between(a[name], b[name], f"{where}.{name}")

    def _kept(self, a: dict[str, Json], b: dict[str, Json], where: str) -> Iterator[Difference]:
        self.values += 1
        one, other = self.one / a["kept"], self.other / b["kept"]
        if "tensor" in a:
            if (a["shape"], a["dtype"]) != (b["shape"], b["dtype"]):
                shapes = f"{a['dtype']} {a['shape']}, and {b['dtype']} {b['shape']}"
                yield Difference(where, shapes)
                return
            left, right = (_tensor(path, a["tensor"]) for path in (one, other))
            size = float((abs(left - right) / np.maximum(1, abs(left))).max())
            yield Difference(where, "a tensor differs", size)
        elif one.suffix == ".png":
            yield Difference(where, _pixels(one, other))
        else:
            text, another = (path.read_text("utf-8", "replace") for path in (one, other))
            if one.suffix == ".svg":
                text, another = plain_svg(text), plain_svg(another)
            if (difference := _plain(text, another, where)) is not None:
                yield difference


def compare(one: Path, other: Path, rounding: float) -> bool:
    """Print what differs; whether nothing does beyond the rounding."""
    comparison = Comparison(one, other, rounding)
    same = True
    for name, in_first, in_second in comparison.names():
        title = name.removesuffix(".json")
        if not (in_first and in_second):
            print(f"{title:44} only in the {'first' if in_first else 'second'}")
            same = False
            continue
        before = comparison.values
        found = comparison.of(name)
        beyond = [difference for difference in found if comparison.counts(difference)]
        same = same and not beyond
        if not found:
            print(f"{title:44} identical ({comparison.values - before} values)")
            continue
        sized = [(d.size, d.where) for d in found if d.size is not None]
        largest = f"; largest {max(sized)[0]:.3g} at {max(sized)[1]}" if sized else ""
        print(f"{title:44} {len(found)} differences, {len(beyond)} beyond rounding{largest}")
        for difference in beyond[:_SHOWN]:
            print(f"    {difference.where}: {difference.what[:300]}")
    print("the same" if same else "NOT the same", f"(rounding {rounding:g})")
    return same


def _plain(a: Json, b: Json, where: str) -> Difference | None:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b))
    if numbers:
        if a == b or (math.isnan(a) and math.isnan(b)):
            return None
        size = abs(a - b) / max(1.0, abs(a), abs(b))
        return Difference(where, f"{a!r}, and {b!r}", size)
    if type(a) is type(b) and a == b:
        return None
    if isinstance(a, str) and isinstance(b, str):
        if without_seconds(a) == without_seconds(b):
            return None
        at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        begin = max(0, at - 40)
        a, b = a[begin : at + 60], b[begin : at + 60]
    return Difference(where, f"{str(a)[:140]!r}, and {str(b)[:140]!r}")


def _tensor(path: Path, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    with safe_open(path, framework="pt") as file:
        tensor = file.get_tensor(name)
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = tensor.double().numpy()
    return values


def _pixels(one: Path, other: Path) -> str:
    left, right = (Image.open(path).convert("RGBA") for path in (one, other))
    if left.size != right.size:
        return f"a picture of {left.size}, and of {right.size}"
    difference = np.abs(np.asarray(left, dtype=int) - np.asarray(right, dtype=int))
    return f"a picture; pixels differ by up to {difference.max()} of 255"
