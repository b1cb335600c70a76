"""The one tag of EXIF data that counts: which way is up (EXIF 3.0, 4.6.4; TIFF 6.0, section 2)."""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_ENTRY = 12
_MOST_ENTRIES = 4096
_TYPES = {1: "B", 3: "H", 4: "I"}


def orientation(exif: bytes) -> int:
    """Read the orientation of EXIF data, with or without the ``Exif`` header.

    No other tag is read, so it costs the same whatever they claim.

    Returns:
        1 to 8; 1 (as it is) where there is none or it is damaged.
    """
    tiff = exif[6:] if exif[:4] == b"Exif" else exif
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return 1
    start = struct.unpack_from(order + "I", tiff, 4)[0]
    if start + 2 > len(tiff):
        return 1
    entries = min(struct.unpack_from(order + "H", tiff, start)[0], _MOST_ENTRIES)
    for at in range(start + 2, min(start + 2 + entries * _ENTRY, len(tiff) - _ENTRY + 1), _ENTRY):
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, at)
        if tag == _ORIENTATION:
            if kind not in _TYPES or count != 1:
                return 1
            found = struct.unpack_from(order + _TYPES[kind], tiff, at + 8)[0]
            return found if 1 <= found <= 8 else 1
    return 1
