"""HEIC and AVIF files: boxes (ISO/IEC 14496-12, 23008-12)."""

from __future__ import annotations

import re

from service.images.containers.cleaned import Cleaned

AVIF_BRANDS = {b"avif", b"avis"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}

# An entry of the list of items: version, flags, number, protection, and what it is.
_METADATA = re.compile(rb"(infe[\x02\x03].{3}(?:.{2}|.{4})\0\0)(?:Exif|mime|uri )", re.DOTALL)
_MOST_BOXES = 1000


def brands(content: bytes) -> set[bytes]:
    """What the file says that it is: its major and compatible brands; empty if it is no such."""
    if content[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(content[:4], "big"), len(content), 1024)
    return {content[8:12]} | {content[at : at + 4] for at in range(16, end - 3, 4)}


def clean(content: bytes) -> Cleaned:
    """Make items of metadata such as no decoder looks at; offsets stay as they are.

    Which way is up is told by the picture's own properties, which decoders apply; EXIF data do
    not count (ISO/IEC 23008-12, A.2).
    """
    at = 0
    for _ in range(_MOST_BOXES):
        length = int.from_bytes(content[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(content[at + 8 : at + 16], "big")
        if content[at + 4 : at + 8] == b"meta":
            end = at + length if length else len(content)
            meta = _METADATA.sub(rb"\1free", content[at:end])
            return Cleaned(b"".join([content[:at], meta, memoryview(content)[end:]]))
        if length < 8 or at + length > len(content):
            break
        at += length
    return Cleaned(content)
