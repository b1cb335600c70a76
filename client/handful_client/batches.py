"""Batches: many images in requests of a bounded number of images and bytes.

Bounds of the service are its operator's, so a request may still be refused as too large; then it is
cut in two (:func:`halves`).
"""

from __future__ import annotations

import json
import zipfile
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO

from handful_client.calls import JSON, ZIP, Call, Query
from handful_client.errors import Problem, TooLarge
from handful_client.images import ImageFile, Sent

# Bytes after which a batch is sent, whatever its number of images: 16 MiB.
_BYTES = 1 << 24
# Problems that are the image's where there is one.
_OF_AN_IMAGE = frozenset({"not-an-image", "broken-image", "image-too-large"})


@dataclass(frozen=True, slots=True)
class Item:
    """An image of a batch.

    Attributes:
        position: Among all that were given.
        image: It.
        label: Its class, where it has one.
    """

    position: int
    image: Sent
    label: str = ""

    @property
    def name(self) -> str:
        """Of its file, where it is one."""
        return self.image.name if isinstance(self.image, ImageFile) else f"image-{self.position}"

    @property
    def bytes(self) -> int:
        """That it takes in memory, about."""
        if isinstance(self.image, ImageFile):
            return len(self.image.content)
        return len(self.image.model_dump_json())


@dataclass(frozen=True, slots=True)
class RefusedImage:
    """An image that could not be read, here or by the service.

    Attributes:
        position: Among all that were given, from 0.
        name: Of its file.
        reason: Why.
    """

    position: int
    name: str
    reason: str


Batch = list[Item | RefusedImage]


@dataclass(slots=True)
class Gathering:
    """A batch that grows until it is full.

    Attributes:
        most: Images that it takes.
    """

    most: int
    _gathered: Batch = field(default_factory=list)
    _bytes: int = 0

    def add(self, one: Item | RefusedImage) -> Batch | None:
        """Take an image; the batch, if it is full with it."""
        self._gathered.append(one)
        if isinstance(one, Item):
            self._bytes += one.bytes
        full = len(self._gathered) >= self.most or self._bytes >= _BYTES
        return self.rest() if full else None

    def rest(self) -> Batch | None:
        """What was gathered, if anything was; the next batch begins."""
        gathered, self._gathered, self._bytes = self._gathered, [], 0
        return gathered or None


def to_send(batch: Batch) -> list[Item]:
    """The images of a batch that could be read."""
    return [one for one in batch if isinstance(one, Item)]


def refused(problem: Problem, items: Sequence[Item]) -> list[RefusedImage]:
    """Which images of a request a problem is about; none where it is not about some of them."""
    reasons = {one.file: one.reason for one in problem.files}
    if not reasons and problem.type in _OF_AN_IMAGE:
        # Then the first one at fault is named in the text.
        reasons = {
            name: problem.detail
            for name, _ in named(items)
            if len(items) == 1 or repr(name) in problem.detail
        }
    return [
        RefusedImage(item.position, item.name, reasons[name])
        for name, item in named(items)
        if name in reasons
    ]


def halves(items: Sequence[Item], refusal: TooLarge) -> tuple[Sequence[Item], Sequence[Item]]:
    """Two batches of one that is too large for the service.

    Raises:
        TooLarge: The refusal, where it is not about the number of images or their bytes together.
    """
    if refusal.type != "request-too-large" or len(items) < 2:
        raise refusal
    middle = len(items) // 2
    return items[:middle], items[middle:]


def named(items: Sequence[Item]) -> list[tuple[str, Item]]:
    """The items under names that differ from each other, by which the service can tell of them."""
    often = Counter((item.label, item.name) for item in items)
    return [
        (
            item.name if often[item.label, item.name] == 1 else f"{item.position}-{item.name}",
            item,
        )
        for item in items
    ]


def upload(
    path: tuple[str, ...],
    query: Query,
    items: Sequence[Item],
    *,
    labelled: bool = False,
    registers: bool = False,
) -> Call:
    """The call that sends images: as a form, or as a zip where they have labels.

    Images that are known to the service are sent as JSON, and others with them.

    Args:
        path: Of the call.
        query: Its parameters.
        items: The images.
        labelled: Whether their labels go along.
        registers: Whether it changes the classifier.
    """
    call = Call("POST", path, query, reads=not registers, same=registers)
    if not all(isinstance(item.image, ImageFile) for item in items):
        return replace(call, content=_json_of(items, labelled), media_type=JSON)
    if labelled:
        return replace(call, content=zip_of(items), media_type=ZIP)
    form = [("files", (name, image.content)) for name, _, image in _files(items)]
    return replace(call, form=form)


def zip_of(items: Sequence[Item]) -> bytes:
    """A zip of ``LABEL/IMAGE`` files, whose names are UTF-8 whatever is in them.

    Raises:
        ValueError: A label would be another folder, or none.
    """
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, label, image in _files(items):
            if not label or "/" in label or "\\" in label:
                raise ValueError(f"{label!r} cannot be a label: it is empty or has a slash")
            archive.writestr(f"{label}/{name}", image.content)
    return written.getvalue()


def _files(items: Sequence[Item]) -> Iterator[tuple[str, str, ImageFile]]:
    for name, item in named(items):
        if isinstance(item.image, ImageFile):
            yield name, item.label, item.image


def _json_of(items: Sequence[Item], labelled: bool) -> bytes:
    images = []
    for name, item in named(items):
        if isinstance(item.image, ImageFile):
            data = b64encode(item.image.content).decode()
            image: dict[str, object] = {"data": data, "filename": name}
        else:
            image = item.image.model_dump(mode="json", exclude_none=True, exclude={"label"})
        images.append(image | ({"label": item.label} if labelled else {}))
    return json.dumps({"images": images}).encode()
