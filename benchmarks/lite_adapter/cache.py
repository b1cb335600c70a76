"""Features of generic images in front of the first adapted block, computed once for a search."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from adapters.engines import openvino
from adapters.loading import load_dual_encoder
from adapters.training.methods.imo.model import Tower, image_tower
from adapters.training.methods.imo.styles import restyled
from benchmarks.generic_tasks import STYLES

BLOCK = 1
"""Of the last stage but one: the first of its blocks that has a residual, place 6 of an adapter."""
SHAPE = (192, 7, 7)
"""Of a feature there."""
PER_CLASS = 24
CROPS, RESTYLED = 2, 4
"""Views of an image to learn from, beside the plain one: crops as they are, and restyled ones."""
VIEWS = 1 + CROPS + RESTYLED
JUDGED = [title for title in STYLES if title != "as it is"]
"""Styles that training does not draw; an adapter is judged on them and on the plain images."""

Feature = NDArray[np.float16]


class FromBlock(nn.Module):
    """The rest of the trunk: features in front of place 6 to pooled ones.

    It is made of the trunk's own modules, so an adapter attached to the tower acts on it.

    Args:
        trunk: Of `lite`.
    """

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*list(trunk.blocks[5])[BLOCK:], *trunk.blocks[6])
        self.head = nn.Sequential(trunk.conv_head, trunk.bn2, trunk.global_pool, trunk.classifier)

    def forward(self, features: Tensor) -> Tensor:
        """Turn (n, 192, 7, 7) features into (n, 1280) pooled ones."""
        pooled: Tensor = self.head(self.blocks(features))
        return pooled


class UpToBlock(nn.Module):
    """What comes before it: pixels to features in front of place 6."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        trunk: Any = tower.visual.get_submodule("trunk")
        self.mean, self.std = (torch.tensor(v).view(3, 1, 1) for v in (tower.mean, tower.std))
        self.stem = nn.Sequential(trunk.conv_stem, trunk.bn1)
        self.blocks = nn.Sequential(*trunk.blocks[:5], *list(trunk.blocks[5])[:BLOCK])

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn (n, 224, 224, 3) uint8 pixels into (n, 192, 7, 7) features."""
        images = pixels.permute(0, 3, 1, 2).float() / 255
        features: Tensor = self.blocks(self.stem((images - self.mean) / self.std))
        return features


class Views(Dataset[tuple[int, Tensor]]):
    """All views of the images of a folder; those of one image are drawn by its number.

    Args:
        files: In order.
        tower: What the views are for.
    """

    def __init__(self, files: list[Path], tower: Tower) -> None:
        self.files = files
        bicubic = v2.InterpolationMode.BICUBIC
        crop = v2.RandomResizedCrop(tower.size, (0.35, 1.0), interpolation=bicubic)
        self._crop = v2.Compose([crop, v2.RandomHorizontalFlip()])
        self._plain = v2.Compose(
            [v2.Resize(tower.size, interpolation=bicubic), v2.CenterCrop(tower.size)]
        )

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[int, Tensor]:
        """Its number and (VIEWS + styles, 224, 224, 3) uint8 pixels."""
        torch.manual_seed(number)
        random.seed(number)
        image = Image.open(self.files[number]).convert("RGB")
        views = [self._plain(image), *(self._crop(image) for _ in range(CROPS))]
        views += [restyled(self._crop(image)) for _ in range(RESTYLED)]
        views += [self._plain(STYLES[title](image)) for title in JUDGED]
        return number, torch.from_numpy(np.stack([np.asarray(view) for view in views]))


@dataclass(frozen=True)
class Cached:
    """Features in front of place 6.

    Attributes:
        features: (n, VIEWS + styles judged, 192, 7, 7) float16, in a file; or pooled ones.
        labels: (n,) number of the class.
        classes: Their folders' names.
    """

    features: Feature
    labels: Tensor
    classes: list[str]

    def first(self, number: int | None) -> Cached:
        """So many of the images; their order is random."""
        return Cached(self.features[:number], self.labels[:number], self.classes)

    def view(self, rows: Tensor, number: int) -> Tensor:
        """(len(rows), ...) features of one view of each row, in float32."""
        return torch.from_numpy(self.features[rows.numpy(), number].astype(np.float32))


def lite_tower() -> Tower:
    """The frozen image tower of `lite`."""
    return image_tower(load_dual_encoder("lite"))


def listed(folder: Path) -> tuple[list[str], list[tuple[Path, int]]]:
    """The classes of CLASS/IMAGE files, and the files in random order with the class of each."""
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).iterdir())[:PER_CLASS]
    ]
    random.Random(0).shuffle(files)
    return classes, files


def write_index(out: Path, classes: list[str], files: list[tuple[Path, int]]) -> None:
    """Write which class each row of the features is of."""
    index = {"classes": classes, "labels": [label for _, label in files]}
    (out / "index.json").write_text(json.dumps(index))


def read_index(folder: Path) -> tuple[Tensor, list[str]]:
    """Read the number of each row's class, and the classes' names."""
    index = json.loads((folder / "index.json").read_text())
    return torch.tensor(index["labels"]), index["classes"]


def make(folder: Path, out: Path, workers: int) -> None:
    """Compute the features of CLASS/IMAGE files, and write them into ``out``."""
    classes, files = listed(folder)
    tower = lite_tower()
    model = openvino.convert(UpToBlock(tower).eval(), tower.size, tower.size)
    front = openvino.Compiled(model, "float32", streams=1, threads=torch.get_num_threads())
    out.mkdir(parents=True, exist_ok=True)
    write_index(out, classes, files)
    shape = (len(files), VIEWS + len(JUDGED), *SHAPE)
    kept = np.lib.format.open_memmap(out / "features.npy", "w+", np.float16, shape)
    views = Views([file for file, _ in files], tower)
    loader = DataLoader(views, batch_size=None, num_workers=workers)
    for done, (number, pixels) in enumerate(loader):
        kept[number] = front(pixels)[0].half()
        if done % 500 == 0:
            print(f"{done} of {len(files)} images", flush=True)
    kept.flush()


def read(folder: Path) -> Cached:
    """Read what `make` wrote."""
    labels, classes = read_index(folder)
    return Cached(np.load(folder / "features.npy", mmap_mode="r"), labels, classes)
