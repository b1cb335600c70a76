"""Image decoding: from the bytes that someone sent to an RGB picture, or to a clear refusal.

The only place where image files are opened, for queries, support images, evaluation,
re-embedding and training alike: the same file is the same picture everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
from fastapi_problem.error import StatusProblem
from PIL import Image
from PIL.Image import Transpose

from service.images.base64_images import describe_base64
from service.images.bit_depth import Numbers, scaling
from service.images.colour import Colours
from service.images.containers.cleaned import Samples, UnsupportedFile
from service.images.formats import ACCEPTED, sniff_format
from service.images.image_file import Box, ImageFile, Size, open_image
from service.problems import BrokenImage, ImageTooLarge, NotAnImage

# The shorter side that the cheap first step leaves of a large picture, in sides of the encoder's
# input. Chosen on generic photos with benchmarks/large_photos.py: the least that is not seen in
# the embeddings.
REDUCING_GAP = 1.5
# Changes whenever a file may become other pixels than before.
DECODING = "srgb"

# Of a picture with more pixels than this, what is further from its middle than this many times its
# shorter side is not looked at: encoders see the middle of long pictures.
STRIP_PIXELS = 2**21
LONGEST = 16

# Pixels that are converted at a time, so that what is in between takes no memory to speak of.
_STRIP = 2**18

# What turns a picture upright, by its EXIF orientation.
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_SIDEWAYS = {5, 6, 7, 8}

_COLOURS = Colours()


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture as a person sees it: RGB, upright, first frame, transparency on white.

    Attributes:
        pixels: The picture, perhaps smaller than it was; of a very long one, the middle.
        width: Of the whole picture.
        height: Of the whole picture.
        media_type: Of the file.
    """

    pixels: Image.Image
    width: int
    height: int
    media_type: str


def decode(
    content: bytes,
    max_pixels: int,
    what: str = "The image",
    *,
    side: int | None = None,
    least: int | None = None,
) -> DecodedImage:
    """Decode an image file.

    CMYK, palette, grey, deep and transparent images become 8-bit RGB, colours of other spaces
    those of sRGB, EXIF rotation is applied, and of an animation the first frame counts. Other
    metadata are never looked at.

    A large picture is made smaller by a whole number first, which costs a fraction of resizing it
    at once. A JPEG is not even unpacked whole: libjpeg makes 8 x 8 pixels into one by leaving out
    the finer part of their cosine transform (likewise 4 x 4 and 2 x 2).

    Args:
        content: The whole file.
        max_pixels: Images with more pixels than this are refused unread.
        what: How error messages name the image.
        side: Of the encoder's input. A picture whose shorter side is many times that is resized
            until it is just that. None leaves every picture as large as it is.
        least: Instead of a side: pixels that both sides keep at least; a JPEG that is larger may
            be unpacked smaller, and is not resized further.

    Raises:
        NotAnImage: Empty, no image of a known format, or of a kind that cannot be read.
        BrokenImage: Truncated or damaged.
        ImageTooLarge: More than ``max_pixels`` pixels.
    """
    if not content:
        raise NotAnImage(f"{what} is empty (0 bytes).")

    def check(size: Size) -> None:
        width, height = size
        if width * height > max_pixels:
            raise ImageTooLarge(
                f"{what} has {width} x {height} pixels; at most {max_pixels} are "
                "accepted. Send a smaller version: the encoder looks at a few hundred "
                "pixels a side."
            )

    kind = sniff_format(content)
    if kind is None:
        message = describe_base64(content) or (
            f"is not an image in a known format. Accepted are {ACCEPTED}."
        )
        raise NotAnImage(f"{what} {message}")
    try:
        file = open_image(content, kind, max_pixels, check)
        pixels = _upright(file, side, least)
    except StatusProblem:
        raise
    except UnsupportedFile as error:
        raise NotAnImage(f"{what} {error}") from error
    # Decoders raise whatever the damage leads to: OSError, SyntaxError, struct.error...
    except Exception as error:
        raise BrokenImage(
            f"{what} is a {kind.title} that is truncated or damaged: {error}"
        ) from error
    width, height = reversed(file.size) if file.orientation in _SIDEWAYS else file.size
    return DecodedImage(pixels, width, height, kind.media_type)


def training_reader(max_pixels: int) -> Callable[[bytes, int | None], Image.Image]:
    """Return the decoder for training: of a file, and of pixels that both sides keep at least.

    It can be pickled, for the processes that prepare examples.

    Args:
        max_pixels: Images with more are not read.
    """
    return partial(_read_for_training, max_pixels)


def _read_for_training(max_pixels: int, content: bytes, least: int | None) -> Image.Image:
    return decode(content, max_pixels, least=least).pixels


def _upright(file: ImageFile, side: int | None, least: int | None) -> Image.Image:
    if side is not None and min(file.size) < 2 * REDUCING_GAP * side:
        side = None
    image, box = file.load(ceil(REDUCING_GAP * side) if side is not None else least)
    size = file.size
    if image.width * image.height > STRIP_PIXELS and max(size) > LONGEST * min(size):
        image, box, size = _middle(image), None, _middle_size(size)
    target = None
    if side is not None:
        # As the encoder's preprocessing does it, which leaves the picture as it is then.
        target = (side * size[0] // min(size), side * size[1] // min(size))
    pixels = _as_seen(image, file.samples, file.icc, target, box)
    turn = _TURNS.get(file.orientation)
    return pixels if turn is None else pixels.transpose(turn)


def _middle_size(size: Size) -> Size:
    width, height = size
    return min(width, LONGEST * height), min(height, LONGEST * width)


def _middle(image: Image.Image) -> Image.Image:
    width, height = _middle_size(image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _as_seen(
    image: Image.Image, samples: Samples, icc: bytes | None, target: Size | None, box: Box | None
) -> Image.Image:
    """The picture in RGB, of the size of the target if there is one.

    Colours are converted last, when the picture is small.
    """
    plain = image.mode in ("RGB", "L") and not image.has_transparency_data
    if image.mode == "L" and samples.kind == 2:
        plain = False
    if not plain and not (image.mode == "CMYK" and _COLOURS.changes(icc, "CMYK")):
        image, box = _converted(image, _conversion(image, samples), target, box)
    if target is not None:
        # What was converted was reduced, too: nothing is left to reduce, or it was not worth it.
        image = image.resize(target, Image.Resampling.BICUBIC, box, reducing_gap=REDUCING_GAP)
    # A grey picture has no colours that a profile of RGB or CMYK could be about.
    if image.mode == "L":
        return image.convert("RGB")
    return _COLOURS.to_srgb(image, icc)


def _converted(
    image: Image.Image,
    convert: Callable[[Image.Image], Image.Image],
    target: Size | None,
    box: Box | None,
) -> tuple[Image.Image, Box | None]:
    """Convert a picture strip by strip, and make it smaller as Pillow's ``resize`` begins with.

    Returns:
        The picture, and the part of it that is meant; to be resized to the target.
    """
    width, height = image.size
    left, top, right, bottom = box or (0, 0, width, height)
    across = down = 1
    if target is not None:
        across = int((right - left) / target[0] / REDUCING_GAP) or 1
        down = int((bottom - top) / target[1] / REDUCING_GAP) or 1
    rows = max(1, _STRIP // width // down) * down
    strips = _strips(image, rows)
    if across == down == 1 and rows >= height:
        return convert(image), box
    whole = Image.new("RGB", (ceil(width / across), ceil(height / down)))
    for start, strip in strips:
        seen = convert(strip)
        whole.paste(
            seen if across == down == 1 else seen.reduce((across, down)), (0, start // down)
        )
    return whole, (left / across, top / down, right / across, bottom / down)


def _strips(image: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _conversion(image: Image.Image, samples: Samples) -> Callable[[Image.Image], Image.Image]:
    """What makes RGB of a part of a picture."""
    if image.mode.startswith(("I", "F")) or (image.mode == "L" and samples.kind == 2):
        rows = max(1, _STRIP // image.width)
        numbers = (_numbers(strip, samples) for _, strip in _strips(image, rows))
        scale = scaling(samples, numbers)
        return lambda part: Image.fromarray(scale(_numbers(part, samples))).convert("RGB")
    if image.has_transparency_data:
        return _on_white
    return lambda part: part.convert("RGB")


def _on_white(part: Image.Image) -> Image.Image:
    layered = part if part.mode == "RGBA" else part.convert("RGBA")
    if layered.getchannel("A").getextrema() == (255, 255):
        return layered.convert("RGB")
    white = Image.new("RGBA", layered.size, "white")
    white.alpha_composite(layered)
    return white.convert("RGB")


def _numbers(part: Image.Image, samples: Samples) -> Numbers:
    numbers = np.asarray(part)
    if part.mode == "I" and samples.bits == 32 and samples.kind == 1:
        return numbers.view(np.uint32)
    return numbers.view(np.int8) if part.mode == "L" else numbers
