"""From the bytes that a client sent to an RGB picture, or to a clear refusal."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from service.problems import BrokenImage, ImageTooLarge, NotAnImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

# Limits are checked here, against the settings, before anything is unpacked.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture as a person sees it: RGB, upright, first frame, transparency on white."""

    pixels: Image.Image
    media_type: str


def decode(content: bytes, max_pixels: int, what: str = "The image") -> DecodedImage:
    """Decode an image file.

    CMYK, palette, greyscale, 16-bit and transparent images become 8-bit RGB, EXIF rotation is
    applied, and of an animation the first frame counts.

    Args:
        content: The whole file.
        max_pixels: Images with more pixels than this are refused unread.
        what: How error messages name the image.

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
                image.load()
                return DecodedImage(_as_seen(image), media_type)
    except UnidentifiedImageError as error:
        raise NotAnImage(
            f"{what} is not an image in a known format. Accepted are {', '.join(FORMATS)}."
        ) from error
    except ImageTooLarge:
        raise
    # Pillow's decoders raise whatever the damage leads to: OSError, SyntaxError, struct.error...
    except Exception as error:
        raise BrokenImage(f"{what} is truncated or damaged: {error}") from error


def _as_seen(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    with contextlib.suppress(Exception):  # damaged EXIF data says nothing about the rotation
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        image = Image.new("RGBA", layered.size, "white")
        image.alpha_composite(layered)
    return image.convert("RGB")


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
