"""Splits in a ``split_zhou_NAME.json``: nine of the eleven data sets."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.published_sets.split import Item, LayoutError, Split, below, check_there

_MOST_BYTES = 64 << 20


class _Document(BaseModel):
    model_config = ConfigDict(strict=True)

    train: list[tuple[str, int, str]]
    val: list[tuple[str, int, str]]
    test: list[tuple[str, int, str]]


def read_zhou(path: Path, images: Path) -> Split:
    """Read a split.

    Args:
        path: Of the JSON: for each of ``train``, ``val`` and ``test`` a list of file, label, name.
        images: Folder that the files are below.

    Raises:
        LayoutError: The file or images are missing, it is no such split, or a path leads elsewhere.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise LayoutError(f"{path} is larger than {_MOST_BYTES >> 20} MiB, as no split is")
        # Python's lists in the place of JSON's tuples are no error: strict says what is in them.
        document = _Document.model_validate_json(path.read_bytes())
    except OSError as error:
        raise LayoutError(
            f"{path} cannot be read ({error.strerror}); put the split of CoOp's authors there"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise LayoutError(
            f"{path} is no split: {'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}; "
            "get it anew"
        ) from error
    split = {
        part: [
            Item(below(images, file, path), label, name.replace("_", " "))
            for file, label, name in getattr(document, part)
        ]
        for part in ("train", "val", "test")
    }
    check_there((item.path for items in split.values() for item in items), images)
    return split
