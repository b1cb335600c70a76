"""Images as they are given: paths, bytes, open files, images of Pillow, arrays of NumPy.

Each becomes the bytes of a file when its turn comes, and not before. Neither Pillow nor NumPy is
imported before something of it was given.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable, Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeGuard, cast

from handful_client.errors import InvalidImage
from handful_client.models import ImageEmbedding, ImageReference, ImageUrl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as PillowImage


class Readable(Protocol):
    """A file that was opened for reading bytes."""

    def read(self) -> bytes:
        """All that is left of it."""
        ...


ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | PillowImage"
    " | NDArray[np.uint8] | ImageReference | ImageEmbedding | ImageUrl"
)
"""An image: the path of a file, the bytes of one, an open one, a picture in memory; or one that the
service knows or gets by itself: by its id, its embeddings, or its URL."""

Many: TypeAlias = "Iterable[ImageLike]"
"""Images one by one, each asked for when its turn comes."""

AsyncMany: TypeAlias = "Many | AsyncIterable[ImageLike]"
"""The same, at once or asynchronously."""

Images: TypeAlias = "ImageLike | Many"
"""One image or many; the path of a folder stands for the files in it."""

AsyncImages: TypeAlias = "ImageLike | AsyncMany"
"""The same, for the asynchronous client."""

Labelled: TypeAlias = "Iterable[tuple[str, ImageLike]]"
"""Images that come each with its label, as pairs ``(label, image)``."""

AsyncLabelled: TypeAlias = "Labelled | AsyncIterable[tuple[str, ImageLike]]"
"""The same, at once or asynchronously."""

_BYTES = bytes | bytearray | memoryview
# Modes that a PNG holds; others are converted.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})
_ARRAY = (
    "Arrays are images of dtype uint8 and shape (height, width, 3) in the order red, green, blue,"
    " or (height, width) in grey"
)


class ImageFile(NamedTuple):
    """An image as a file to send.

    Attributes:
        name: Of the file, without folders.
        content: Its bytes.
    """

    name: str
    content: bytes


Sent: TypeAlias = "ImageFile | ImageReference | ImageEmbedding | ImageUrl"
"""An image as it is sent."""


def read_image(image: object, position: int = 0) -> Sent:
    """Read or encode one image; what the service knows already stays as it is.

    Args and errors are those of :func:`image_file`.
    """
    if isinstance(image, ImageReference | ImageEmbedding | ImageUrl):
        return image
    return image_file(image, position)


def image_file(image: object, position: int = 0) -> ImageFile:
    """Read or encode one image.

    Args:
        image: As :data:`ImageLike`, but for what is known to the service.
        position: Names what has no name.

    Raises:
        InvalidImage: It cannot be read, or is a picture that cannot be encoded.
        TypeError: It is nothing that an image can be.
    """
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        try:
            return ImageFile(_sendable(path.name), path.read_bytes())
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise InvalidImage(f"{str(path)!r} cannot be read: {why}") from error
    name = f"image-{position}"
    if isinstance(image, _BYTES):
        return ImageFile(name, bytes(image))
    if _is_of("PIL.Image", "Image", image):
        return ImageFile(f"{name}.png", _png(cast("PillowImage", image)))
    if _is_of("numpy", "ndarray", image):
        return ImageFile(f"{name}.png", _png_of_array(cast("NDArray[np.uint8]", image)))
    if callable(read := getattr(image, "read", None)):
        content = read()
        if not isinstance(content, bytes):
            raise TypeError("an image file has to be opened for bytes: open(path, 'rb')")
        given = getattr(image, "name", None)
        return ImageFile(
            _sendable(os.path.basename(given)) if isinstance(given, str) else name, content
        )
    raise TypeError(
        f"{type(image).__name__} is no image. Give the path of a file, bytes, an open file, an"
        " image of Pillow or an array of NumPy"
    )


def is_one_image(thing: AsyncImages) -> TypeGuard[ImageLike]:
    """Whether something is one image, and not several: no folder, no list, no stack of arrays."""
    if isinstance(thing, str | os.PathLike):
        return not os.path.isdir(thing)
    if _is_of("numpy", "ndarray", thing):
        return cast("NDArray[Any]", thing).ndim in {2, 3}
    return (
        isinstance(thing, _BYTES | ImageReference | ImageEmbedding | ImageUrl)
        or _is_of("PIL.Image", "Image", thing)
        or hasattr(thing, "read")
    )


def files_of(folder: str | os.PathLike[str]) -> list[Path]:
    """Files of a folder, at any depth, by name; hidden ones and those in hidden folders are not.

    Raises:
        InvalidImage: There is none.
    """
    root = Path(folder)
    found = sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if not found:
        raise InvalidImage(f"there is no file in the folder {str(root)!r}")
    return found


def class_folders(folder: str | os.PathLike[str]) -> list[tuple[str, Path]]:
    """Files of a folder of classes, each with its label: the name of its folder in that one.

    Raises:
        InvalidImage: There is no folder of a class, or no file in one.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidImage(f"there is no folder {str(root)!r}")
    classes = sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if not classes:
        raise InvalidImage(
            f"{str(root)!r} holds no folders. Put the images of each class into a folder with its"
            " label as name, or say the label"
        )
    return [(one.name, path) for one in classes for path in files_of(one)]


def _is_of(module: str, name: str, thing: object) -> bool:
    """Whether something is of a class of a module that may not be installed."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(thing, getattr(loaded, name, ()))


def _sendable(name: str) -> str:
    """A name in UTF-8, whatever the file system has."""
    return name.encode(errors="replace").decode()


def _png(image: PillowImage) -> bytes:
    """The picture as PNG, without loss, with its orientation and colour profile."""
    try:
        exif = image.getexif()
        writable = image if image.mode in _PNG_MODES else image.convert("RGB")
        file = BytesIO()
        writable.save(
            file,
            "PNG",
            compress_level=1,
            exif=exif,
            icc_profile=image.info.get("icc_profile") if writable is image else None,
        )
    except (OSError, ValueError) as error:
        raise InvalidImage(f"the image of Pillow cannot be encoded: {error}") from error
    return file.getvalue()


def _png_of_array(array: NDArray[np.uint8]) -> bytes:
    if array.dtype.name != "uint8" or not (
        array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    ):
        raise InvalidImage(
            f"{_ARRAY}; this one is {array.dtype} {array.shape}."
            + (" Multiply by 255 and round." if array.dtype.kind == "f" else "")
        )
    try:
        from PIL import Image
    except ImportError as error:
        raise InvalidImage(
            "an array is sent as PNG, which Pillow writes: pip install pillow, or give the bytes of"
            " an image file"
        ) from error
    return _png(Image.fromarray(array))
