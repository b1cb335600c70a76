"""Truncated JPEG files, told from whole ones that lack only the end marker (EOI, ITU-T T.81)."""

from __future__ import annotations

import hashlib
import io

from PIL import Image

from service.images.containers.jpeg import END

# Coded data that say something else than what decoders make of nothing, which are zeros.
_FILLING = b"\x5a\xa5\x37\xc9" * 256
_ROWS = 256


def decode_without_end_marker(content: bytes, error: OSError) -> Image.Image:
    """Decode a JPEG that has all of its pixels and lacks only the end marker.

    Decoders fill up what is missing. So it is decoded twice, with other data where the file ends:
    where that makes no difference, nothing was missing.

    Args:
        content: The file, without what comes before its pixels and is none of them.
        error: What decoding it as it is led to.

    Raises:
        OSError: That error, if pixels are missing.
    """
    if END in content[-64:]:
        raise error
    whole = content[:-1] if content.endswith(b"\xff") else content
    with Image.open(io.BytesIO(whole + _FILLING + END), formats=["JPEG"]) as image:
        filled = _digest(image)
    with Image.open(io.BytesIO(whole + END), formats=["JPEG"]) as image:
        if _digest(image) != filled:
            raise error
        return image


def _digest(image: Image.Image) -> bytes:
    image.load()
    found = hashlib.sha256()
    for top in range(0, image.height, _ROWS):
        found.update(image.crop((0, top, image.width, min(top + _ROWS, image.height))).tobytes())
    return found.digest()
