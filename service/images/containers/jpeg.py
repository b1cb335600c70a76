"""JPEG files: segments (ITU-T T.81, annex B), JFIF, Exif, and profiles (ICC.1, annex B.4)."""

from __future__ import annotations

import re

from service.images.containers.cleaned import MOST_ICC, Cleaned, DamagedFile, UnsupportedFile
from service.images.containers.exif import orientation

END = b"\xff\xd9"

MOST_SCANS = 100
"""Each goes over all pixels. Encoders make 1 to 20; libtiff draws the same line."""
_MOST_SEGMENTS = 10_000

_SOS = 0xDA
_EOI = 0xD9
_ALONE = {0x01, *range(0xD0, 0xD9)}
_APP = range(0xE0, 0xF0)
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = (0xC0, 0xC1)
_COMMENT = 0xFE
_ICC = b"ICC_PROFILE\0"
# In what is coded, FF is followed by 0 or by a restart marker; all else begins a segment.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def clean(content: bytes) -> Cleaned:
    """Keep what decoding takes: tables, frame, scans, and what JFIF and Adobe say of colours.

    Dropped are text, thumbnails, and the index of further pictures in the file (CIPA DC-007), so
    that a multi-picture file is the JPEG that it begins with.

    Raises:
        DamagedFile: There are no pixels.
        UnsupportedFile: It has more scans or segments than any camera makes.
    """
    kept = [content[:2]]
    icc: list[tuple[int, int, int]] = []
    turn = 0
    at = 2
    jfif = False
    frames: list[tuple[int, int]] = []
    for _ in range(_MOST_SEGMENTS):
        # Any number of FF may come before a marker, and decoders pass over what is none.
        if at + 4 > len(content) or content[at] != 0xFF or content[at + 1] == 0xFF:
            at = _next_marker(content, at)
        marker = content[at + 1]
        if marker in (_SOS, _EOI):
            break
        if marker in _ALONE or marker == 0:
            at += 2
            continue
        start, end = at, at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        at = max(end, start + 4)
        head = content[start + 4 : start + 16]
        if marker == 0xE1 and not turn and head.startswith(b"Exif\0"):
            turn = orientation(content[start + 4 : end])
        elif marker == 0xE2 and head == _ICC and end > start + 18:
            icc.append((content[start + 16], start + 18, end))
        elif marker == 0xE0 and not jfif and head.startswith(b"JFIF\0"):
            # Without the thumbnail: its two sides are the last two bytes of what is kept.
            kept.append(b"\xff\xe0\0\x10" + head.ljust(12, b"\0") + b"\0\0")
            jfif = True
        elif marker == 0xEE or (marker not in _APP and marker != _COMMENT):
            kept.append(content[start:end])
            if marker in _FRAMES:
                frames.append((marker, content[start + 9] if start + 9 < len(content) else 0))
    else:
        raise UnsupportedFile(
            f"is a JPEG of more than {_MOST_SEGMENTS} segments; save it anew without its metadata."
        )
    # Decoders stop after the first scan where it holds all that a sequential frame has.
    alone = at + 4 < len(content) and frames in [[(kind, content[at + 4])] for kind in _SEQUENTIAL]
    # Rarely more than a few, and then it is worth a closer look.
    if (
        not alone
        and content.count(b"\xff\xda", at) > MOST_SCANS
        and _scans(content, at) > MOST_SCANS
    ):
        raise UnsupportedFile(
            f"is a JPEG of more than {MOST_SCANS} scans, each of which costs as much as a whole "
            "picture; save it anew as an ordinary JPEG."
        )
    # Without a copy of its own, of what may be most of a large file.
    return Cleaned(b"".join([*kept, memoryview(content)[at:]]), _profile(content, icc), turn or 1)


def _next_marker(content: bytes, at: int) -> int:
    found = _MARKER.search(content, at)
    if found is None or found.end() + 2 > len(content):
        raise DamagedFile("it ends before its pixels begin")
    return found.start()


def _scans(content: bytes, at: int) -> int:
    """Scans up to the end marker; what comes after it is not part of the picture."""
    scans = 0
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(content, at)
        if found is None or content[found.start() + 1] == _EOI:
            return scans
        scans += content[found.start() + 1] == _SOS
        if scans > MOST_SCANS:
            return scans
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return MOST_SCANS + 1


def _profile(content: bytes, parts: list[tuple[int, int, int]]) -> bytes | None:
    """Put the parts of a profile together by their numbers."""
    if not parts or sum(end - start for _, start, end in parts) > MOST_ICC:
        return None
    return b"".join(content[start:end] for _, start, end in sorted(parts))
