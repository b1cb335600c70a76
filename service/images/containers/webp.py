"""WebP files: chunks of a RIFF container (RFC 9649, section 2)."""

from __future__ import annotations

from service.images.containers.cleaned import MOST_PARTS, Cleaned, UnsupportedFile, capped
from service.images.containers.exif import orientation

_NEEDED = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM"}
_ICC, _EXIF, _XMP = 0x20, 0x08, 0x04
_MOST_EXIF = 2**16


def clean(content: bytes) -> Cleaned:
    """Keep pixels, transparency and, of an animation, its first frame.

    Raises:
        UnsupportedFile: It has more chunks than any encoder makes.
    """
    kept: list[bytes] = []
    size: tuple[int, int] | None = None
    icc: bytes | None = None
    turn = 0
    framed = False
    at = 12
    for _ in range(MOST_PARTS):
        if at + 8 > len(content):
            break
        kind = content[at : at + 4]
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        body = content[at + 8 : at + 38]
        if size is None:
            size = _size(kind, body)
        if kind == b"VP8X" and body:
            flags = body[0] & ~(_ICC | _EXIF | _XMP)
            kept.append(content[at : at + 8] + bytes([flags]) + content[at + 9 : end])
        elif kind in _NEEDED:
            kept.append(content[at:end])
        elif kind == b"ANMF" and not framed:
            kept.append(content[at:end])
            framed = True
        elif kind == b"ICCP" and icc is None:
            icc = capped(content[at + 8 : at + 8 + length])
        elif kind == b"EXIF" and not turn:
            turn = orientation(content[at + 8 : at + 8 + min(length, _MOST_EXIF)])
        at = end
    else:
        raise UnsupportedFile(f"is a WebP of more than {MOST_PARTS} chunks; save it anew.")
    parts = b"".join(kept)
    head = b"RIFF" + (4 + len(parts)).to_bytes(4, "little") + b"WEBP"
    return Cleaned(head + parts, icc, turn or 1, size, animated=framed)


def _size(kind: bytes, body: bytes) -> tuple[int, int] | None:
    """Width and height; the decoder makes room for them before it tells what they are."""
    if kind == b"VP8X":
        width, height = (int.from_bytes(body[i : i + 3], "little") + 1 for i in (4, 7))
        return width, height
    if kind == b"VP8 ":
        width, height = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
        return width, height
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
