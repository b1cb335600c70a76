"""FGVCAircraft: a list of variants, and a list of images for each split."""

from __future__ import annotations

from pathlib import Path

from benchmarks.published_sets.split import (
    SPLITS,
    Item,
    LayoutError,
    Split,
    below,
    check_there,
    lines_of,
)


def read_aircraft(folder: Path, images: Path) -> Split:
    """Read ``variants.txt`` and ``images_variant_{train,val,test}.txt``.

    Args:
        folder: Holds these files.
        images: Folder of the images.

    Raises:
        LayoutError: Files are missing, or name a variant that is not in the list.
    """
    labels = {name: label for label, name in enumerate(lines_of(folder / "variants.txt"))}
    split: Split = {}
    for part in SPLITS:
        source = folder / f"images_variant_{part}.txt"
        split[part] = []
        for line in lines_of(source):
            number, _, name = line.partition(" ")
            if name not in labels:
                raise LayoutError(
                    f"{source} has the variant {name!r}, which is not in {folder / 'variants.txt'}"
                )
            file = below(images, f"{number}.jpg", source)
            split[part].append(Item(file, labels[name], name.replace("_", " ")))
    check_there((item.path for items in split.values() for item in items), images)
    return split
