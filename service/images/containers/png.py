"""PNG files: chunks (W3C PNG, third edition, sections 5 and 11)."""

from __future__ import annotations

import struct
import zlib

from service.images.containers.cleaned import MOST_ICC, MOST_PARTS, Cleaned, UnsupportedFile
from service.images.containers.exif import orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_NEEDED = {b"IHDR", b"PLTE", b"tRNS"}
_MOST_EXIF = 2**16


def clean(content: bytes) -> Cleaned:
    """Keep header, palette, transparency and pixels; of an animation, the picture it begins with.

    Text and all other chunks go unread, whatever their size and checksum. All pixels come in
    one chunk: decoders take a step for each. A file that is cut short stays so.

    Raises:
        UnsupportedFile: It has more chunks than any encoder makes.
    """
    kept = [SIGNATURE]
    pixels: list[bytes] = []
    icc: bytes | None = None
    turn = 0
    at = len(SIGNATURE)
    for _ in range(MOST_PARTS):
        if at + 8 > len(content):
            ended = b""
            break
        length = int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        end = at + 8 + length
        if kind == b"IEND":
            ended = content[at : end + 4]
            break
        if kind == b"IDAT":
            pixels.append(content[at + 8 : end])
        elif kind in _NEEDED and not pixels:
            kept.append(content[at : end + 4])
        elif kind == b"iCCP" and icc is None:
            icc = _profile(content[at + 8 : min(end, at + 8 + MOST_ICC)])
        elif kind == b"eXIf" and not turn:
            turn = orientation(content[at + 8 : min(end, at + 8 + _MOST_EXIF)])
        at = end + 4
    else:
        raise UnsupportedFile(f"is a PNG of more than {MOST_PARTS} chunks; save it anew.")
    if pixels:
        data = b"".join(pixels)
        kept += [struct.pack(">I", len(data)), b"IDAT", data, b"\0\0\0\0"]
    return Cleaned(b"".join([*kept, ended]), icc, turn or 1)


def _profile(chunk: bytes) -> bytes | None:
    """Unpack a profile, up to its largest size."""
    name, _, rest = chunk.partition(b"\0")
    if len(name) > 79 or rest[:1] != b"\0":
        return None
    try:
        unpacked = zlib.decompressobj().decompress(rest[1:], MOST_ICC + 1)
    except zlib.error:
        return None
    return unpacked if 0 < len(unpacked) <= MOST_ICC else None
