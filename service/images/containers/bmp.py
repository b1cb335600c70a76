"""BMP files (Microsoft, BITMAPINFOHEADER); what is run-length encoded is unpacked here."""

from __future__ import annotations

import struct

from service.images.containers.cleaned import Cleaned, DamagedFile, UnsupportedFile

_RLE8, _RLE4 = 1, 2

MOST_RUNS = 2**20
"""Runs are unpacked one by one."""


def clean(content: bytes, max_pixels: int) -> Cleaned:
    """Return the file as it is, or unpacked where its pixels are run-length encoded.

    Args:
        content: The file.
        max_pixels: More are left packed, to be refused for their number.

    Raises:
        DamagedFile: The header is cut short.
        UnsupportedFile: There are too many runs.
    """
    if len(content) < 50 or int.from_bytes(content[14:18], "little") < 40:
        return Cleaned(content)
    start, header = struct.unpack_from("<II", content, 10)
    width, height = struct.unpack_from("<ii", content, 18)
    bits, packing = struct.unpack_from("<HI", content, 28)
    if (packing, bits) not in {(_RLE8, 8), (_RLE4, 4)}:
        return Cleaned(content)
    if not 0 < width * height <= max_pixels:
        return Cleaned(content, size=(abs(width), abs(height)))
    colours = struct.unpack_from("<I", content, 46)[0] or 1 << bits
    if not 0 < colours <= 256:
        raise DamagedFile("its palette has no size that can be")
    stride = -width % 4 + width
    rows = _unpacked(content, start, width, height, stride, packing == _RLE4)
    headers = bytearray(content[: 14 + header])
    struct.pack_into("<HI", headers, 28, 8, 0)
    struct.pack_into("<I", headers, 46, colours)
    palette = content[14 + header : 14 + header + 4 * colours]
    struct.pack_into("<I", headers, 10, len(headers) + len(palette))
    return Cleaned(b"".join([headers, palette, rows]))


def _unpacked(
    content: bytes, at: int, width: int, height: int, stride: int, nibbles: bool
) -> bytearray:
    """Rows of one byte a pixel, as they come in the file; what is not told is 0."""
    rows = bytearray(stride * height)
    x = y = 0
    # Runs are of a pixel at least, but for the ends of rows and some that say nothing.
    most = min(MOST_RUNS, width * height + 2 * height + 256)
    for _ in range(most):
        if y >= height or at + 2 > len(content):
            return rows
        count, value = content[at], content[at + 1]
        at += 2
        if count:
            run = bytes([value >> 4, value & 15]) * (count + 1 >> 1) if nibbles else None
            _put(rows, run[:count] if run else bytes([value]) * count, x, y, width, stride)
            x += count
        elif value == 0:
            x, y = 0, y + 1
        elif value == 1:
            return rows
        elif value == 2:
            x += int.from_bytes(content[at : at + 1], "little")
            y += int.from_bytes(content[at + 1 : at + 2], "little")
            at += 2
        else:
            length = value + 1 >> 1 if nibbles else value
            piece = content[at : at + length]
            if nibbles:
                piece = bytes(n for byte in piece for n in (byte >> 4, byte & 15))[:value]
            _put(rows, piece, x, y, width, stride)
            x += value
            at += length + length % 2
    raise UnsupportedFile(f"is a run-length encoded BMP of more than {most} runs; save it as PNG.")


def _put(rows: bytearray, piece: bytes, x: int, y: int, width: int, stride: int) -> None:
    piece = piece[: max(0, width - x)]
    rows[y * stride + x : y * stride + x + len(piece)] = piece
