"""ImageNet: a folder for each class, and the names that CLIP's authors gave them.

Its validation images are the test images, and the published protocol searches settings on these,
too: ``val`` is ``test``.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.published_sets.split import Item, LayoutError, Split, below, lines_of


def read_imagenet(folder: Path, images: Path) -> Split:
    """Read ``classnames.txt`` and the folders of the classes, which are not opened.

    Args:
        folder: Holds ``classnames.txt``: ``n01440764 tench`` and so on.
        images: Holds ``train`` and ``val`` with a folder for each class.

    Raises:
        LayoutError: A file or folder is missing, or a folder has no name in the list.
    """
    source = folder / "classnames.txt"
    names = dict(line.split(" ", 1) for line in lines_of(source) if " " in line)
    train = _classes(images / "train", names, source)
    tested = _classes(images / "val", names, source)
    if missing := {item.path.name for item in tested} ^ {item.path.name for item in train}:
        raise LayoutError(f"{images} has {min(missing)} in one of train and val only; get the rest")
    return {"train": train, "val": tested, "test": tested}


def _classes(folder: Path, names: dict[str, str], source: Path) -> list[Item]:
    if not folder.is_dir():
        raise LayoutError(f"there is no folder {folder}; it holds a folder for each class")
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if unknown := [name for name in found if name not in names]:
        raise LayoutError(f"{folder / unknown[0]} has no name in {source}")
    order = {name: label for label, name in enumerate(sorted(names))}
    return [
        Item(below(folder, name, source), order[name], names[name].replace("_", " "))
        for name in found
    ]
