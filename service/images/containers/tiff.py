"""TIFF files: the directory of the first page (TIFF 6.0, sections 2 and 8; BigTIFF)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from service.images.containers.cleaned import (
    MOST_PARTS,
    Cleaned,
    DamagedFile,
    Samples,
    UnsupportedFile,
    capped,
)

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_SIZES |= {17: 8, 18: 8}
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q", 17: "q"}

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 256, 257, 258, 262
_PER_PIXEL, _ORIENTATION, _ICC = 277, 274, 34675
_KIND, _LOWEST, _HIGHEST = 339, 340, 341  # SampleFormat, SMinSampleValue, SMaxSampleValue
_LEAST, _MOST = 280, 281  # MinSampleValue, MaxSampleValue

# Where the pixels are, and how they are packed.
_STRIPS = {273, 279, 324, 325}
_NEEDED = _STRIPS | {_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _PER_PIXEL, _KIND}
_NEEDED |= {259, 266, 278, 284, 292, 293, 317, 320, 322, 323, 332, 338, 347}
_NEEDED |= {*range(512, 522), *range(529, 533)}
_MOST_VALUES = 3 * 2**16
_MOST_ENTRIES = 2**16


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    kind: int
    count: int
    raw: bytes
    start: int

    @property
    def bytes(self) -> int:
        return _SIZES[self.kind] * self.count


def clean(content: bytes) -> Cleaned:
    """Give the file a directory of one page, with nothing in it but what its pixels need.

    Tags may be thousands and may all point at the same megabytes, and decoders read each. The
    new directory is put at the end, so what the old one pointed at stays where it is. Deep greys
    are told as what decoders know: black at zero, and 32 bits as signed ones; see
    :class:`Samples`.

    Raises:
        DamagedFile: There is no directory.
        UnsupportedFile: The picture is cut into too many pieces.
    """
    order = "<" if content[:2] == b"II" else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    entries = _entries(content, order, big)
    for tag in _STRIPS & entries.keys():
        if entries[tag].count > MOST_PARTS:
            raise UnsupportedFile(
                f"is a TIFF cut into {entries[tag].count} pieces; save it with larger strips, or "
                "as PNG."
            )
    samples = _samples(content, order, entries)
    needed = {
        e.tag: e.raw for e in entries.values() if e.tag in _NEEDED and e.count <= _MOST_VALUES
    }
    if samples.bits > 8 and samples.white_is_zero:
        needed[_PHOTOMETRIC] = _short(order, big, _PHOTOMETRIC, 1)
    if samples.bits == 32 and samples.kind == 1:
        needed[_KIND] = _short(order, big, _KIND, 2)
    turn = _numbers(content, order, entries.get(_ORIENTATION))
    profile = entries.get(_ICC)
    return Cleaned(
        _with_directory(content, order, big, [needed[tag] for tag in sorted(needed)]),
        capped(content[profile.start : profile.start + profile.bytes]) if profile else None,
        int(turn[0]) if turn and 1 <= turn[0] <= 8 else 1,
        samples=samples,
    )


def described(content: bytes) -> str:
    """What the pixels are made of, for a message."""
    order = "<" if content[:2] == b"II" else ">"
    entries = _entries(content, order, content[2:4] in (b"+\0", b"\0+"))
    samples = _samples(content, order, entries)
    per_pixel = (*_numbers(content, order, entries.get(_PER_PIXEL)), 1)[0]
    kind = {2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}.get(samples.kind, "")
    each = "sample" if per_pixel == 1 else "samples"
    return f"{per_pixel:g} {kind}{each} of {samples.bits} bits a pixel"


def _entries(content: bytes, order: str, big: bool) -> dict[int, _Entry]:
    """Those whose values lie in the file, by their tags."""
    head, counted, layout, size, inline = (8, "Q", "HHQ", 20, 8) if big else (4, "H", "HHI", 12, 4)
    try:
        at = struct.unpack_from(order + ("Q" if big else "I"), content, head)[0]
        number = struct.unpack_from(order + counted, content, at)[0]
    except (struct.error, OverflowError) as error:  # which offset no file is as long as
        raise DamagedFile("it has no directory") from error
    at += 8 if big else 2
    found: dict[int, _Entry] = {}
    for i in range(min(number, _MOST_ENTRIES)):
        place = at + i * size
        raw = content[place : place + size]
        if len(raw) < size:
            break
        tag, kind, count = struct.unpack_from(order + layout, raw)
        if kind not in _SIZES or tag in found:
            continue
        length = _SIZES[kind] * count
        start = place + size - inline
        if length > inline:
            start = struct.unpack_from(order + ("Q" if big else "I"), raw, size - inline)[0]
        if start + length <= len(content):
            found[tag] = _Entry(tag, kind, count, raw, start)
    return found


def _numbers(content: bytes, order: str, entry: _Entry | None) -> tuple[float, ...]:
    """The first few values of an entry; none if they are no numbers."""
    if entry is None or entry.kind not in _FORMATS:
        return ()
    count = min(entry.count, 16)
    return struct.unpack_from(f"{order}{count}{_FORMATS[entry.kind]}", content, entry.start)


def _samples(content: bytes, order: str, entries: dict[int, _Entry]) -> Samples:
    def first(*tags: int) -> float | None:
        for tag in tags:
            if values := _numbers(content, order, entries.get(tag)):
                return values[0]
        return None

    return Samples(
        int(first(_BITS) or 1),
        int(first(_KIND) or 1),
        first(_PHOTOMETRIC) == 0,
        first(_LOWEST, _LEAST),
        first(_HIGHEST, _MOST),
    )


def _short(order: str, big: bool, tag: int, value: int) -> bytes:
    return struct.pack(order + ("HHQH6x" if big else "HHIH2x"), tag, 3, 1, value)


def _with_directory(content: bytes, order: str, big: bool, entries: list[bytes]) -> bytes:
    end = len(content) + len(content) % 2
    counted, offset, head = ("Q", "Q", 8) if big else ("H", "I", 4)
    return b"".join(
        [
            content[:head],
            struct.pack(order + offset, end),
            memoryview(content)[head + (8 if big else 4) :],
            b"\0" * (end - len(content)),
            struct.pack(order + counted, len(entries)),
            *entries,
            struct.pack(order + offset, 0),
        ]
    )
