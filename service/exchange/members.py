"""The members of a classifier's file: which there are, and how large each may be."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from torch import Tensor

from service.archives.directory import measure_directory
from service.exchange.lines import (
    CLASSES,
    DOCUMENT,
    EMBEDDINGS,
    FOLDER,
    IMAGES,
    MOST_DOCUMENT_BYTES,
    MOST_LINE_BYTES,
)
from service.exchange.safetensors_stream import TensorsError, read_tensors
from service.exchange.tensors import unusable
from service.problems import ImageTooLarge, InvalidUpload, RequestTooLarge

_NEEDED = {DOCUMENT, CLASSES, EMBEDDINGS}
_IMAGE = re.compile(re.escape(FOLDER) + "([0-9a-f]{64})")
_ENCRYPTED = 0x1
# The end of a zip: its longest comment and the records before it.
_END = 2**16 + 200
# Of the directory, for each member; ours take 150.
_ENTRY_BYTES = 256
_AGAIN = "Export the classifier again."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """What a classifier's file may hold.

    Attributes:
        classes: Most classes.
        images: Most support images.
        image_bytes: Most bytes of an image.
    """

    classes: int
    images: int
    image_bytes: int


class Members:
    """A zip whose directory was read and checked. Reading members is thread-safe.

    Args:
        file: That can seek; stays open as long as this is used.
        limits: On what it may hold.

    Attributes:
        images: SHA-256 of the images whose bytes it holds.

    Raises:
        InvalidUpload: It is no such file, or damaged.
        RequestTooLarge, ImageTooLarge: There is more in it than may be.
    """

    def __init__(self, file: BinaryIO, limits: ReadLimits) -> None:
        length = _checked_length(file, limits)
        try:
            self._archive = ZipFile(file)
            infos = [info for info in self._archive.infolist() if info.filename != FOLDER]
        # A damaged archive leads zipfile to any kind of error.
        except Exception as error:
            raise _damaged(str(error)) from error
        self._infos: dict[str, ZipInfo] = {}
        images = set()
        for info in infos:
            name = info.filename
            found = _IMAGE.fullmatch(name)
            if found is None and name not in {*_NEEDED, IMAGES}:
                raise InvalidUpload(
                    f"The file has the member {name[:200]!r}, which no classifier's file has. "
                    "Send what handful export or GET .../export wrote, as it is."
                )
            if name in self._infos:
                raise _damaged(f"the member {name!r} is there twice")
            self._infos[name] = info
            if found is not None:
                images.add(found[1])
            _check(info, limits, is_image=found is not None)
        if missing := _NEEDED - set(self._infos):
            raise InvalidUpload(
                f"The zip is no classifier's file: it has no {', '.join(sorted(missing))}. Send "
                "what handful export or GET .../export wrote; a zip of images goes to .../support."
            )
        # Of members that lie over each other a few bytes might be very many.
        if sum(info.file_size for info in infos) > length:
            raise _damaged("its members are together larger than the file")
        self.images = frozenset(images)
        self.names_images = IMAGES in self._infos

    def size(self, name: str) -> int:
        """Bytes of a member."""
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        """A member, whole; its checksum was compared.

        Raises:
            InvalidUpload: It is damaged.
        """
        try:
            return self._archive.read(self._infos[name])
        except Exception as error:  # whatever the damage leads to
            raise _damaged(f"{name}: {error}") from error

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of a member; its checksum was compared.

        Raises:
            InvalidUpload: It is damaged, or no such.
        """
        try:
            with self._archive.open(self._infos[name]) as file:
                return read_tensors(file, self.size(name))
        except TensorsError as error:
            raise unusable(str(error)) from error
        except Exception as error:  # whatever the damage leads to
            raise _damaged(f"{name}: {error}") from error

    def lines(self, name: str, count: int) -> Iterator[bytes]:
        """The lines of a member, of which there have to be ``count``.

        Raises:
            InvalidUpload: It is damaged, or has others; a line is too long.
        """
        size = self.size(name)
        if size > count * MOST_LINE_BYTES:
            raise _damaged(f"{name} has {size} bytes, too many for {count} lines")
        written = io.BytesIO(self.read(name))
        for number in range(count):
            line = written.readline(MOST_LINE_BYTES + 1)
            if not line.endswith(b"\n") or len(line) > MOST_LINE_BYTES:
                raise _damaged(
                    f"{name} has {number} whole lines of up to {MOST_LINE_BYTES} bytes, and should "
                    f"have {count}"
                )
            yield line
        if written.read(1):
            raise _damaged(f"{name} has more lines than {count}")


def _checked_length(file: BinaryIO, limits: ReadLimits) -> int:
    """Bytes of the file; its directory is seen to be small before anybody reads it."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _END))
    directory = measure_directory(file.read(_END))
    if directory is None:
        raise InvalidUpload(
            "The file is cut short or no zip: it has no directory at its end. Send what handful "
            "export or GET .../export wrote, whole."
        )
    most = limits.images + 16
    if directory.entries > most or directory.size > most * _ENTRY_BYTES:
        raise RequestTooLarge(
            f"The file has {directory.entries} members in {directory.size} bytes of directory; at "
            f"most {most} in {most * _ENTRY_BYTES} are accepted, for {limits.images} images. "
            "Import it with: handful import FILE."
        )
    return length


def _check(info: ZipInfo, limits: ReadLimits, *, is_image: bool) -> None:
    name = info.filename
    if info.flag_bits & _ENCRYPTED or info.compress_type != ZIP_STORED:
        raise InvalidUpload(
            f"The member {name} is compressed or encrypted. Send the file as it was exported, or "
            "pack it again with: zip -0 -X -r FILE.zip *"
        )
    if info.file_size != info.compress_size:
        raise _damaged(f"the member {name} has two sizes")
    if is_image and info.file_size > limits.image_bytes:
        raise ImageTooLarge(
            f"The image {name} has {info.file_size} bytes; at most {limits.image_bytes} are "
            "accepted (HANDFUL_MAX_IMAGE_BYTES)."
        )
    if name == DOCUMENT and info.file_size > MOST_DOCUMENT_BYTES:
        raise RequestTooLarge(
            f"{name} has {info.file_size} bytes; at most {MOST_DOCUMENT_BYTES} are accepted."
        )


def _damaged(why: str) -> InvalidUpload:
    return InvalidUpload(f"The classifier's file is damaged: {why[:300]}. {_AGAIN}")
