"""From the bytes that a client sent to an RGB picture, or to a clear refusal."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from math import ceil

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from service.problems import BrokenImage, ImageTooLarge, NotAnImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

# Limits are checked here, against the settings, before anything is unpacked.
Image.MAX_IMAGE_PIXELS = None

# The shorter side that is left of a large picture, in sides of the encoder's input. Chosen on
# generic photos with benchmarks/large_photos.py: the answers are those of the whole picture.
LEFT = 2
# Changes whenever a file may become other pixels than before.
DECODING = "scaled"

_SIDEWAYS = {5, 6, 7, 8}  # EXIF orientations that swap width and height


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture as a person sees it: RGB, upright, first frame, transparency on white.

    Attributes:
        pixels: The picture, perhaps smaller than it was.
        media_type: Of the file.
        width: Of the whole picture, upright.
        height: Likewise.
    """

    pixels: Image.Image
    media_type: str
    width: int
    height: int


def decode(
    content: bytes, max_pixels: int, what: str = "The image", *, side: int | None = None
) -> DecodedImage:
    """Decode an image file.

    CMYK, palette, greyscale, 16-bit and transparent images become 8-bit RGB, EXIF rotation is
    applied, and of an animation the first frame counts.

    A large picture is made smaller by a whole number on the way, which costs a fraction of
    resizing it at once. A JPEG is not even unpacked whole: libjpeg makes 8 x 8 pixels into one
    by leaving out the finer part of their cosine transform (likewise 4 x 4 and 2 x 2).

    Args:
        content: The whole file.
        max_pixels: Images with more pixels than this are refused unread.
        what: How error messages name the image.
        side: What the encoder will resize the shorter side to; the picture stays larger than
            that. None leaves it as large as it is.

    Raises:
        NotAnImage: Empty, or no image of a known format.
        BrokenImage: Truncated or damaged.
        ImageTooLarge: More than ``max_pixels`` pixels.
    """
    if not content:
        raise NotAnImage(f"{what} is empty (0 bytes).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageTooLarge(
                        f"{what} has {width} x {height} pixels; at most {max_pixels} are "
                        "accepted. Send a smaller version: the encoder looks at a few hundred "
                        "pixels a side."
                    )
                media_type = Image.MIME.get(image.format or "", "application/octet-stream")
                least = None if side is None else ceil(LEFT * side)
                if least is not None:
                    image.draft(None, (least, least))  # of JPEGs alone; the others ignore it
                image.load()
                if _is_sideways(image):
                    width, height = height, width
                seen = _as_seen(image)
                if least is not None and (factor := min(seen.size) // least) > 1:
                    seen = seen.reduce(factor)
                return DecodedImage(seen, media_type, width, height)
    except UnidentifiedImageError as error:
        raise NotAnImage(
            f"{what} is not an image in a known format. Accepted are {', '.join(FORMATS)}."
        ) from error
    except ImageTooLarge:
        raise
    # Pillow's decoders raise whatever the damage leads to: OSError, SyntaxError, struct.error...
    except Exception as error:
        raise BrokenImage(f"{what} is truncated or damaged: {error}") from error


def _is_sideways(image: Image.Image) -> bool:
    with contextlib.suppress(Exception):
        return image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
    return False


def _as_seen(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    with contextlib.suppress(Exception):  # damaged EXIF data says nothing about the rotation
        ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        image = Image.new("RGBA", layered.size, "white")
        image.alpha_composite(layered)
    # Most pictures are RGB already; a copy would cost as much as decoding a small one.
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit and float greys to 0..255; Pillow's own conversion would cut them off."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        low, high = (0.0, 1.0) if values.size and values.max() <= 1 else (0.0, 255.0)
    else:
        low, high = 0.0, 65535.0
    scaled = (values - low) / (high - low) * 255
    grey = Image.fromarray(np.nan_to_num(scaled).clip(0, 255).round().astype(np.uint8))
    grey.info, exif = image.info, image.getexif()
    if exif:
        grey.getexif().update(exif)
    return grey
