"""webdataset shards, indexed so that any of their images can be read at any time.

The package streams through shards and shuffles what passes by. Here every epoch has an order of
its own that can be resumed, so the shards, which are plain tar files, are indexed once instead.
"""

from __future__ import annotations

import glob
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from webdataset.shardlists import expand_urls
from webdataset.tariterators import base_plus_ext

from adapters.training.training_errors import DataError

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp")
TEXT_SUFFIX = "txt"


@dataclass(frozen=True, slots=True)
class Found:
    """An image with its text in a shard.

    Attributes:
        shard: The tar file.
        name: Of the image within it.
        text: What its text file says.
        offset: Byte of the tar file at which the image begins.
        size: Its length in bytes.
    """

    shard: Path
    name: str
    text: str
    offset: int
    size: int


def find_shards(pattern: str) -> list[Path]:
    """List the tar files that a pattern stands for.

    Args:
        pattern: A path, with braces as in ``{000..015}`` or with wildcards, or both.

    Raises:
        DataError: One that the braces name is not there, or the wildcards match none.
    """
    shards: list[Path] = []
    try:
        names = expand_urls(pattern)
    except ValueError as error:
        raise DataError(
            f"{pattern} is no pattern of shards ({error}); braces go in pairs"
        ) from error
    for name in names:
        matches = sorted(glob.glob(name)) if glob.has_magic(name) else [name]
        if not matches or not Path(matches[0]).is_file():
            raise DataError(f"there is no file {name}; name shards as shards/{{00..15}}.tar")
        shards.extend(map(Path, matches))
    return shards


def read_shards(shards: Sequence[Path]) -> list[Found]:
    """List the pairs of shards: ``KEY.jpg`` (or png, webp) beside ``KEY.txt``, in UTF-8.

    Other files are left alone, and so are images without a text and texts without an image, as
    webdatasets commonly hold some. Nothing is unpickled. Takes one pass over the headers.

    Args:
        shards: Tar files, not compressed.

    Raises:
        DataError: A shard cannot be read or holds no pair.
    """
    pairs: list[Found] = []
    for shard in shards:
        try:
            found = list(_pairs(shard))
        except (tarfile.TarError, OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{shard} cannot be read as an uncompressed tar file with texts in UTF-8: {error}"
            ) from error
        if not found:
            raise DataError(
                f"{shard} holds no pairs; an image KEY.jpg (or png, webp) needs its text in KEY.txt"
            )
        pairs.extend(found)
    return pairs


def _pairs(shard: Path) -> Iterator[Found]:
    images: dict[str, tarfile.TarInfo] = {}
    texts: dict[str, str] = {}
    with tarfile.open(shard, "r:") as members:
        for member in members:
            key, suffix = base_plus_ext(member.name)
            if key is None or not member.isreg():
                continue
            if suffix.lower() in IMAGE_SUFFIXES:
                images[key] = member
            elif suffix.lower() == TEXT_SUFFIX and (file := members.extractfile(member)):
                texts[key] = file.read().decode("utf-8").strip()
    for key, image in images.items():
        if text := texts.get(key):
            yield Found(shard, image.name, text, image.offset_data, image.size)
