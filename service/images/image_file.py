"""Lazy image files: opened by the decoder of their format, without metadata, header first."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pi_heif
import torch
from PIL import Image, UnidentifiedImageError

from service.images.containers import bmp, exif, gif, isobmff, jpeg, png, tiff, webp
from service.images.containers.cleaned import Cleaned, DamagedFile, Samples, UnsupportedFile, capped
from service.images.formats import ImageFormat
from service.images.netpbm import Netpbm
from service.images.truncated_jpeg import decode_without_end_marker
from service.images.webp_decoder import DecodeWebp, webp_decoder

# Limits are checked here, against the settings, before anything is unpacked.
Image.MAX_IMAGE_PIXELS = None
# Of damage that does not matter; each would be kept, to be told once.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# What is not looked at is not decoded.
pi_heif.options.THUMBNAILS = False
pi_heif.options.DEPTH_IMAGES = False
pi_heif.options.AUX_IMAGES = False
# Decoders run beside each other already.
pi_heif.options.DECODE_THREADS = 1

Size = tuple[int, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A lazily decoded image: its header was read, and no pixel.

    Attributes:
        size: Width and height, before it is turned.
        orientation: EXIF's, 1 to 8.
        icc: Its colour profile.
        samples: What its numbers mean, where they have other than eight bits.
        load: Decodes the first frame; given a side, perhaps smaller, if both sides stay at least
            that long. Returns it with the box of it that holds the picture, where that is not all.
    """

    size: Size
    orientation: int
    icc: bytes | None
    samples: Samples
    load: Callable[[int | None], tuple[Image.Image, Box | None]]


def open_image(
    content: bytes, kind: ImageFormat, max_pixels: int, check: Callable[[Size], None]
) -> ImageFile:
    """Read the header of a file.

    Args:
        content: The whole file.
        kind: What it is.
        max_pixels: More will be refused.
        check: Refuses sizes; called before anything is made that is as large.

    Raises:
        DamagedFile: It cannot be decoded.
        UnsupportedFile: It is of a kind that is not taken.
    """
    if kind is ImageFormat.NETPBM:
        picture = Netpbm(content)
        check(picture.size)
        return ImageFile(picture.size, 1, None, Samples(), lambda _: (picture.load(), None))
    if kind is ImageFormat.HEIC:
        return _heic(isobmff.clean(content).content, check)
    cleaned = (
        bmp.clean(content, max_pixels) if kind is ImageFormat.BMP else _CLEANERS[kind](content)
    )
    if cleaned.size is not None:
        check(cleaned.size)
        if cleaned.animated and 4 * cleaned.size[0] * cleaned.size[1] > max_pixels:
            raise UnsupportedFile(
                "is a large animated WebP, of which four times the memory of other pictures would "
                f"be taken; at most {max_pixels // 4} pixels are accepted. Send its first frame."
            )
    if kind is ImageFormat.WEBP and cleaned.size is not None and not cleaned.animated:
        decode = webp_decoder()
        if decode is not None:  # Pillow's way is as good, and takes twice the memory
            load_webp = _still_webp(cleaned.content, decode)
            return ImageFile(cleaned.size, cleaned.orientation, cleaned.icc, Samples(), load_webp)
    try:
        image = Image.open(io.BytesIO(cleaned.content), formats=[kind.name])
    except UnidentifiedImageError as error:
        if kind is ImageFormat.TIFF:
            raise UnsupportedFile(
                f"is a TIFF of {tiff.described(content)}, packed in a way that is not known or "
                "damaged. Choose one band or three, and save them with 8 bits each, for instance "
                "as PNG."
            ) from error
        raise DamagedFile("its header is damaged") from error
    check(image.size)
    icc, turn = cleaned.icc, cleaned.orientation
    if kind is ImageFormat.AVIF:
        icc = capped(image.info.get("icc_profile") or b"")
        turn = exif.orientation(image.info.get("exif") or b"")

    def load(side: int | None) -> tuple[Image.Image, Box | None]:
        drafted = image.draft(None, (side, side)) if side else None  # of JPEGs alone
        with image:
            if kind is not ImageFormat.JPEG:
                image.load()
                return image, None
            try:
                image.load()
            except OSError as error:
                return decode_without_end_marker(cleaned.content, error), None
        return image, drafted[1] if drafted else None

    return ImageFile(image.size, turn, icc, cleaned.samples or Samples(16), load)


_CLEANERS: dict[ImageFormat, Callable[[bytes], Cleaned]] = {
    ImageFormat.JPEG: jpeg.clean,
    ImageFormat.PNG: png.clean,
    ImageFormat.WEBP: webp.clean,
    ImageFormat.GIF: gif.clean,
    ImageFormat.TIFF: tiff.clean,
    ImageFormat.AVIF: isobmff.clean,
}


def _still_webp(
    content: bytes, decode: DecodeWebp
) -> Callable[[int | None], tuple[Image.Image, Box | None]]:
    """Decodes one frame; Pillow takes every WebP for an animation, with a canvas and two copies."""

    def load(_: int | None) -> tuple[Image.Image, Box | None]:
        try:
            levels = decode(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        except RuntimeError as error:
            raise DamagedFile("its data end early or are damaged") from error
        return Image.fromarray(levels.permute(1, 2, 0).numpy()), None

    return load


def _heic(content: bytes, check: Callable[[Size], None]) -> ImageFile:
    try:
        file = pi_heif.open_heif(content)
        picture = file[file.primary_index]
    except (IndexError, SyntaxError, RuntimeError) as error:
        raise DamagedFile(str(error) or "there is no picture in it") from error
    check(picture.size)
    icc = capped(picture.info.get("icc_profile") or b"")

    def load(_: int | None) -> tuple[Image.Image, Box | None]:
        picture.load()
        return Image.frombuffer(
            picture.mode, picture.size, picture.data, "raw", picture.mode, picture.stride, 1
        ), None

    return ImageFile(picture.size, 1, icc, Samples(16), load)
