"""Which level of nested folders is the one of the classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

Folders = tuple[str, ...]

SPLITS = frozenset({
    "train", "training", "trainset", "train_set", "train2014", "train2017", "trainval",
    "val", "valid", "validation", "valset", "val_set", "val2014", "val2017",
    "test", "testing", "testset", "test_set", "test2017", "dev", "eval", "evaluation", "holdout",
})  # fmt: skip
NEUTRAL = frozenset({
    "image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pic", "pics",
    "jpg", "jpgs", "jpeg", "jpegs", "png", "pngs", "jpegimages", "files", "data", "dataset",
    "originals", "bilder", "fotos", "imagenes", "imágenes",
})  # fmt: skip
_GENERAL = SPLITS | NEUTRAL
# Labels that a reading shows.
_SHOWN = 5


class AmbiguousFolders(ValueError):
    """More than one level of folders may be that of the classes; the message shows each."""


class Strays(ValueError):
    """Images lie above the level of the classes.

    Attributes:
        folders: Where they lie.
    """

    def __init__(self, folders: Collection[Folders]) -> None:
        super().__init__("images lie beside the folders of the classes")
        self.folders = frozenset(folders)


def class_level(folders: Collection[Folders]) -> int:
    """Find the level of the classes, 0 for the outermost folders.

    It is the level whose folders vary. Levels on which all folders have one name, or only names
    of splits (``train``, ``val``, ...) or of collections (``images``, ...), are none, unless there
    is no other. Where nothing varies it is the innermost folder that has a name of its own. A
    class may have images in its folder and below it.

    Args:
        folders: Folders in which images lie directly, each from the outermost one on; none empty.

    Raises:
        Strays: Images lie above the only level that may be the one of the classes.
        AmbiguousFolders: Several levels may be it, with different labels.
    """
    distinct = frozenset(folders)
    least, depth = min(map(len, distinct)), max(map(len, distinct))
    if depth == 1:
        return 0
    values = [{found[level] for found in distinct if len(found) > level} for level in range(depth)]
    varying = [level for level in range(depth) if len(values[level]) > 1]
    named = [level for level in varying if not _general(values[level])]
    if not named:
        return _single(distinct, values, varying, least)
    usable = [level for level in named if level < least]
    if not usable:
        raise Strays([found for found in distinct if len(found) <= named[0]])
    labels = {level: [found[level] for found in sorted(distinct)] for level in usable}
    if len({tuple(column) for column in labels.values()}) > 1:
        raise AmbiguousFolders(_readings([values[level] for level in usable]))
    _check_below(distinct, usable[0], named[-1])
    return usable[0]


def _single(
    distinct: Collection[Folders], values: Sequence[set[str]], varying: Sequence[int], least: int
) -> int:
    """The level where no folders vary but those of splits and collections: one class."""
    own = [level for level in range(least) if not _general(values[level])]
    deeper = [level for level in range(least, len(values)) if not _general(values[level])]
    if not own and deeper:
        raise Strays([found for found in distinct if len(found) <= deeper[0]])
    if not own:
        raise AmbiguousFolders(
            "no folder has the name of a class: they are called "
            + _names(set().union(*values))
            + ", as parts of data sets are"
        )
    below = [level for level in varying if level > own[-1]]
    if below:
        raise AmbiguousFolders(_readings([values[own[-1]], values[below[0]]]))
    return own[-1]


def _check_below(distinct: Collection[Folders], level: int, deepest: int) -> None:
    """See that no folder on the level of the classes may as well hold several classes.

    One that holds images itself is a class. One that holds only folders, of different names, may
    be what classes are sorted into; and so may one that is named as a split.
    """
    groups: defaultdict[Folders, list[Folders]] = defaultdict(list)
    for found in distinct:
        groups[found[: level + 1]].append(found)
    for group, inside in groups.items():
        if any(len(found) == level + 1 for found in inside):
            continue
        for below in range(level + 1, deepest + 1):
            names = {found[below] for found in inside if len(found) > below}
            if len(names) > 1 and not _general(names):
                raise AmbiguousFolders(_readings([{g[level] for g in groups}, names]))
        names = {found[level + 1] for found in inside}
        if group[level].casefold() in SPLITS and not _general(names):
            raise AmbiguousFolders(_readings([{g[level] for g in groups}, names]))


def _general(names: Collection[str]) -> bool:
    return all(name.casefold() in _GENERAL for name in names)


def _readings(levels: Sequence[Collection[str]]) -> str:
    return "the classes may be " + ", or ".join(map(_names, levels))


def _names(names: Collection[str]) -> str:
    shown = ", ".join(map(repr, sorted(names)[:_SHOWN]))
    more = len(names) - _SHOWN
    return shown if more <= 0 else f"{shown} and {more} more"
