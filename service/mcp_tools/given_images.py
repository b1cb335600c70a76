"""Images as tools are given them, into what the client sends; read one by one, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import anyio.to_thread
from handful_client import ImageLike, ImageReference
from mcp.server.mcpserver.exceptions import ToolError

from service.images.base64_text import Base64Error, decode_base64, without_uri
from service.mcp_tools.arguments import AnyImage, NewImage
from service.mcp_tools.local_images import LocalImages

MOST_BYTES_TOGETHER = 128 * 2**20
"""Of the images of one call."""


@dataclass(frozen=True, slots=True)
class GivenImage:
    """An image of a call.

    Attributes:
        name: How answers call it: its path, its id, or where it stands among the arguments.
        image: As it was given.
        file: Where it lies, if it was given by its path.
    """

    name: str
    image: NewImage
    file: Path | None = None


class GivenImages:
    """The images of one call.

    Args:
        images: As they were given.
        local: What may be read from the disk; None: nothing.
        most: How many there may be.

    Raises:
        ToolError: There are more, or one is named that may not be read.
    """

    def __init__(self, images: Sequence[NewImage], local: LocalImages | None, most: int) -> None:
        self.all: list[GivenImage] = []
        self._local = local
        for place, image in enumerate(images):
            self.all += self._named(place, image)
            if len(self.all) > most:
                raise ToolError(f"There are more than {most} images; that many are taken at once.")

    async def to_send(self) -> AsyncIterator[ImageLike]:
        """Each, when its turn comes.

        Raises:
            ToolError: One cannot be read, or they are too large together.
        """
        together = 0
        for one in self.all:
            sent = await anyio.to_thread.run_sync(self._read, one)
            if isinstance(sent, _File):
                together += len(sent.getbuffer())
            if together > MOST_BYTES_TOGETHER:
                raise ToolError(
                    f"The images have more than {MOST_BYTES_TOGETHER} bytes together. Send fewer"
                    " at once, or smaller ones."
                )
            yield sent

    def _named(self, place: int, image: NewImage) -> list[GivenImage]:
        if image.path is None:
            known = image.image_id if isinstance(image, AnyImage) else None
            return [GivenImage(known or f"images[{place}]", image)]
        if self._local is None:
            raise ToolError(
                "No files are read here. Send images as data; or let a person start"
                " `handful mcp --folder DIR` where they lie."
            )
        found = self._local.named(image.path)
        if len(found) == 1:
            return [GivenImage(image.path, image, found[0])]
        return [GivenImage(str(Path(image.path) / one.name), image, one) for one in found]

    def _read(self, one: GivenImage) -> ImageLike:
        if one.file is not None and self._local is not None:
            return _File(self._local.read(one.file), one.file.name)
        if one.image.data is not None:
            try:
                text = one.image.data.encode()
                return _File(decode_base64(without_uri(text)), one.name)
            except (Base64Error, UnicodeEncodeError) as error:
                raise ToolError(f"{one.name}.data {_why(error)}.") from error
        return ImageReference(image_id=one.name)


class _File(BytesIO):
    """An open file with a name, which the client sends along."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def _why(error: ValueError) -> str:
    return str(error) if isinstance(error, Base64Error) else "is no base64"
