"""Image formats that are taken, and content sniffing by the magic numbers of their first bytes."""

from __future__ import annotations

import re
from enum import Enum

from service.images.containers import isobmff

IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "bmp", "dib"),
        *("tif", "tiff", "avif", "heic", "heif", "hif", "ppm", "pgm", "pbm", "pnm", "pfm"),
    )
)
"""Ends of names, in small letters, by which a folder's files are taken for images."""


class ImageFormat(Enum):
    """An image format: how messages call it, and the media type that it is served as."""

    JPEG = ("JPEG", "image/jpeg")
    PNG = ("PNG", "image/png")
    WEBP = ("WebP", "image/webp")
    GIF = ("GIF", "image/gif")
    BMP = ("BMP", "image/bmp")
    TIFF = ("TIFF", "image/tiff")
    AVIF = ("AVIF", "image/avif")
    HEIC = ("HEIC", "image/heic")
    NETPBM = ("PPM/PGM/PBM/PFM", "image/x-portable-anymap")

    def __init__(self, title: str, media_type: str) -> None:
        self.title = title
        self.media_type = media_type


ACCEPTED = ", ".join(kind.title for kind in ImageFormat)
"""For messages."""

_STARTS = {
    b"\xff\xd8\xff": ImageFormat.JPEG,
    b"\x89PNG\r\n\x1a\n": ImageFormat.PNG,
    b"GIF87a": ImageFormat.GIF,
    b"GIF89a": ImageFormat.GIF,
    b"BM": ImageFormat.BMP,
    b"II*\0": ImageFormat.TIFF,
    b"MM\0*": ImageFormat.TIFF,
    b"II+\0": ImageFormat.TIFF,
    b"MM\0+": ImageFormat.TIFF,
}
_NETPBM = re.compile(rb"P[1-6Ff][\s#]")


def sniff_format(content: bytes) -> ImageFormat | None:
    """Sniff the format of a file; None if it is none of them."""
    for start, kind in _STARTS.items():
        if content.startswith(start):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ImageFormat.WEBP
    brands = isobmff.brands(content)
    if brands & isobmff.AVIF_BRANDS:
        return ImageFormat.AVIF
    if brands & isobmff.HEIF_BRANDS:
        return ImageFormat.HEIC
    return ImageFormat.NETPBM if _NETPBM.match(content) else None
