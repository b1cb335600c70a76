"""From the bytes that a client sent to an RGB picture, or to a clear refusal."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from math import ceil

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from service.problems import BrokenImage, ImageTooLarge, NotAnImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

# Limits are checked here, against the settings, before anything is unpacked.
Image.MAX_IMAGE_PIXELS = None

# The shorter side that the cheap first step leaves of a large picture, in sides of the encoder's
# input. Chosen on generic photos with benchmarks/large_photos.py: the least that is not seen in
# the embeddings.
LEFT = 1.5
# Changes whenever a file may become other pixels than before.
DECODING = "scaled"

# What turns a picture upright, by its EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_TURNS[orientation] for orientation in (5, 6, 7, 8)}


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture as a person sees it: RGB, upright, first frame, transparency on white.

    Attributes:
        pixels: The picture, perhaps smaller than it was.
        width: Of the whole picture.
        height: Of the whole picture.
        media_type: Of the file.
    """

    pixels: Image.Image
    width: int
    height: int
    media_type: str


def decode(
    content: bytes, max_pixels: int, what: str = "The image", *, side: int | None = None
) -> DecodedImage:
    """Decode an image file.

    CMYK, palette, greyscale, 16-bit and transparent images become 8-bit RGB, EXIF rotation is
    applied, and of an animation the first frame counts.

    A large picture is made smaller by a whole number first, which costs a fraction of resizing it
    at once. A JPEG is not even unpacked whole: libjpeg makes 8 x 8 pixels into one by leaving out
    the finer part of their cosine transform (likewise 4 x 4 and 2 x 2).

    Args:
        content: The whole file.
        max_pixels: Images with more pixels than this are refused unread.
        what: How error messages name the image.
        side: Of the encoder's input. A picture whose shorter side is many times that is resized
            until it is just that. None leaves every picture as large as it is.

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
                return DecodedImage(*_upright(image, side), media_type)
    except UnidentifiedImageError as error:
        raise NotAnImage(
            f"{what} is not an image in a known format. Accepted are {', '.join(FORMATS)}."
        ) from error
    except ImageTooLarge:
        raise
    # Pillow's decoders raise whatever the damage leads to: OSError, SyntaxError, struct.error...
    except Exception as error:
        raise BrokenImage(f"{what} is truncated or damaged: {error}") from error


def _upright(image: Image.Image, side: int | None) -> tuple[Image.Image, int, int]:
    """The picture, with its whole width and height."""
    short = min(image.size)
    size, box = image.size, None
    if side is not None and short < 2 * LEFT * side:
        side = None
    if side is not None:
        _, box = image.draft(None, 2 * (ceil(LEFT * side),)) or (None, None)  # of JPEGs alone
    image.load()
    if box is None:
        size = image.size  # of some kinds it is known only now which side is which
    turn = None
    with contextlib.suppress(Exception):  # damaged EXIF data says nothing about the rotation
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    pixels = _as_seen(image)
    if side is not None:
        # As the encoder's preprocessing does it, which leaves the picture as it is then.
        target = (side * size[0] // short, side * size[1] // short)
        pixels = pixels.resize(target, Image.Resampling.BICUBIC, box, reducing_gap=LEFT)
    if turn is not None:
        pixels = pixels.transpose(turn)
    width, height = reversed(size) if turn in _SIDEWAYS else size
    return pixels, width, height


def _as_seen(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
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
    return Image.fromarray(np.nan_to_num(scaled).clip(0, 255).round().astype(np.uint8))
