"""Pictures made small."""

from __future__ import annotations

import io
import zlib

from fastapi_problem.error import StatusProblem
from PIL import Image

from service.images.decoding import decode
from service.problems import ImageDamaged

SIDE = 256
"""Pixels of the longest side of a thumbnail; smaller pictures stay as large as they are."""
MEDIA_TYPE = "image/jpeg"
"""Of thumbnails: WebP would take three quarters of the bytes, and ten times as long to write."""

_QUALITY = 80
# Bytes of a checksum.
_SEAL = 4


def drawn(content: bytes, max_pixels: int) -> bytes:
    """The thumbnail of an image file, as the encoder sees it: upright, sRGB, without metadata.

    A large picture is unpacked at a fraction of its size.

    Args:
        content: The whole file.
        max_pixels: Images with more are not read.

    Raises:
        ImageDamaged: It cannot be read.
    """
    try:
        picture = decode(content, max_pixels, side=SIDE).pixels
    except StatusProblem as problem:
        raise ImageDamaged("cannot be decoded") from problem
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    # Of nothing but its pixels.
    plain = Image.frombuffer("RGB", picture.size, picture.tobytes(), "raw", "RGB", 0, 1)
    file = io.BytesIO()
    plain.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def sealed(thumbnail: bytes) -> bytes:
    """A thumbnail as it is kept: with its CRC-32 behind it."""
    return thumbnail + zlib.crc32(thumbnail).to_bytes(_SEAL, "big")


def unsealed(kept: bytes) -> bytes | None:
    """What :func:`sealed` was given; None: the disk has kept something else."""
    thumbnail = kept[:-_SEAL]
    return thumbnail if thumbnail and sealed(thumbnail) == kept else None
