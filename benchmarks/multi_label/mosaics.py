"""Mosaics: pictures put together of others, so that what each of them shows is known."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from benchmarks.generic_tasks import BATCH, embedded
from service.datasets.feature_cache import FeatureCache

#: Rows and columns, and how often each is drawn. One by one is a picture as it is.
LAYOUTS = {(1, 1): 4, (1, 2): 3, (2, 1): 3, (2, 2): 6, (3, 3): 4}
#: Pixels of a side: mosaics are square, as whatever stands out is cut off before it is embedded.
SIDE = 480
_BACKGROUNDS = ("black", "white", "gray", "navy", "tan")


@dataclass(frozen=True, slots=True)
class Mosaic:
    """A picture of several, and which classes it shows.

    Attributes:
        files: In its cells, row by row; None: the cell is empty.
        columns: How many cells a row has.
        gap: Pixels around each cell.
        background: Between the cells, and in empty ones.
        whole: Whether pictures are shown whole, with margins; or else cut to their cells.
        shows: Columns of the classes that it shows.
    """

    files: tuple[Path | None, ...]
    columns: int
    gap: int
    background: str
    whole: bool
    shows: frozenset[int]

    @property
    def key(self) -> str:
        """A digest of all that it looks like."""
        named = [None if file is None else "/".join(file.parts[-3:]) for file in self.files]
        looks = (named, self.columns, self.gap, self.background, self.whole, SIDE)
        return hashlib.sha256(repr(looks).encode()).hexdigest()

    def picture(self) -> Image.Image:
        """Put together."""
        if len(self.files) == 1 and self.files[0] is not None:
            return Image.open(self.files[0]).convert("RGB")
        rows = len(self.files) // self.columns
        width, height = SIDE // self.columns, SIDE // rows
        canvas = Image.new("RGB", (width * self.columns, height * rows), self.background)
        size = (width - 2 * self.gap, height - 2 * self.gap)
        for place, file in enumerate(self.files):
            if file is None:
                continue
            one = Image.open(file).convert("RGB")
            cell = (
                ImageOps.pad(one, size, color=self.background)
                if self.whole
                else ImageOps.fit(one, size)
            )
            row, column = divmod(place, self.columns)
            canvas.paste(cell, (column * width + self.gap, row * height + self.gap))
        return canvas

    def crops(self, views: int) -> list[Image.Image]:
        """Crops of the picture by a grid of ``views`` by ``views``."""
        picture = self.picture()
        width, height = picture.width / views, picture.height / views
        return [
            picture.crop(
                (int(x * width), int(y * height), int((x + 1) * width), int((y + 1) * height))
            )
            for y in range(views)
            for x in range(views)
        ]


def drawn_mosaic(
    shown: Mapping[int, Path],
    others: Sequence[Path],
    layout: tuple[int, int],
    chance: random.Random,
) -> Mosaic:
    """A mosaic that shows these classes; its other cells are empty, or show none of the task.

    Args:
        shown: A picture of each class, by the class's column; at most one a cell.
        others: Pictures of other classes, for cells that are left.
        layout: Rows and columns.
        chance: Draws the rest.
    """
    rows, columns = layout
    free = rows * columns - len(shown)
    # A picture of nothing would be an empty one.
    filled = [
        None if free > 1 and chance.random() < 0.4 else chance.choice(others) for _ in range(free)
    ]
    files = [*shown.values(), *filled]
    chance.shuffle(files)
    return Mosaic(
        files=tuple(files),
        columns=columns,
        gap=chance.choice((0, 0, 4, 12)),
        background=chance.choice(_BACKGROUNDS),
        whole=chance.random() < 0.5,
        shows=frozenset(shown),
    )


def mosaic_features(
    backbone: Backbone,
    mosaics: Sequence[Mosaic],
    cache: FeatureCache,
    console: Console,
    views: int = 1,
) -> ImageEmbeddings:
    """Both embeddings of mosaics, or of the crops of each one after the other.

    Args:
        backbone: What embeds them.
        mosaics: At least one.
        cache: Of this backbone; what is missing is computed and kept there.
        console: For progress.
        views: 1: the mosaics themselves; k: their crops by a grid of k × k.
    """
    keys = [
        one.key if views == 1 else hashlib.sha256(f"{one.key} {views} {i}".encode()).hexdigest()
        for one in mosaics
        for i in range(views * views)
    ]
    rows = {key: row for key in keys if (row := cache.load(key)) is not None}
    per = views * views
    missing = [i for i in range(len(mosaics)) if any(k not in rows for k in keys[i * per :][:per])]
    step = max(1, BATCH // per)
    batches = [missing[i : i + step] for i in range(0, len(missing), step)]
    for batch in track(batches, "embedding mosaics", console=console, disable=not batches):
        pictures = [
            picture
            for i in batch
            for picture in ([mosaics[i].picture()] if views == 1 else mosaics[i].crops(views))
        ]
        made = embedded(backbone, pictures)
        names = [key for i in batch for key in keys[i * per : (i + 1) * per]]
        for place, key in enumerate(names):
            one = made[place : place + 1]
            rows[key] = ImageEmbeddings(one.frozen.clone(), one.corrected.clone())
            cache.store(key, rows[key])
    return ImageEmbeddings.concatenate([rows[key] for key in keys])
