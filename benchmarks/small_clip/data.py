"""Small pictures of many classes, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from rich.progress import track
from torch import Tensor

from adapters.backbones.backbone import readable
from adapters.training.order import Turn

SIDE, ROOM = 48, 56
MEAN, STD = 0.5, 0.25


@dataclass(frozen=True)
class Pictures:
    """Images (n, 3, ROOM, ROOM) uint8, the class of each, and all class names as words."""

    pixels: Tensor
    labels: Tensor
    names: tuple[str, ...]

    def only(self, chosen: Tensor) -> Pictures:
        """The images that a (n,) mask chooses."""
        return Pictures(self.pixels[chosen], self.labels[chosen], self.names)

    def of_classes(self, classes: Sequence[int]) -> Pictures:
        """The images of some of the classes, numbered anew in their order."""
        position = {label: i for i, label in enumerate(classes)}
        part = self.only(torch.isin(self.labels, torch.tensor(classes)))
        return Pictures(
            part.pixels,
            torch.tensor([position[label] for label in part.labels.tolist()]),
            tuple(self.names[label] for label in classes),
        )

    def centre(self) -> Tensor:
        """Normalised centre crops (n, 3, SIDE, SIDE)."""
        margin = (ROOM - SIDE) // 2
        return normalised(self.pixels[:, :, margin : margin + SIDE, margin : margin + SIDE])


def read(
    folder: Path,
    change: Callable[[Image.Image], Image.Image] = lambda image: image,
    seed: int = 0,
) -> Pictures:
    """Read CLASS/IMAGE files.

    Args:
        folder: Of the classes.
        change: Made to each image of ROOM pixels; draws from PyTorch's generator.
        seed: Of what it draws.
    """
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    files = [
        (file, i) for i, name in enumerate(classes) for file in sorted((folder / name).iterdir())
    ]
    images = torch.empty(len(files), 3, ROOM, ROOM, dtype=torch.uint8)
    torch.manual_seed(seed)
    for row, (file, _) in enumerate(track(files, f"reading {folder.name}")):
        with Image.open(file) as image:
            square = ImageOps.fit(image.convert("RGB"), (ROOM, ROOM), Image.Resampling.BICUBIC)
        images[row] = torch.from_numpy(np.array(change(square))).permute(2, 0, 1)
    return Pictures(
        images,
        torch.tensor([label for _, label in files]),
        tuple(readable(name) for name in classes),
    )


def halves(pictures: Pictures, seed: int) -> tuple[Pictures, Pictures]:
    """Cut the images of each class into two halves."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.zeros(len(pictures.labels), dtype=torch.bool)
    for label in pictures.labels.unique().tolist():
        rows = (pictures.labels == label).nonzero().flatten()
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        first[shuffled[: len(rows) // 2]] = True
    return pictures.only(first), pictures.only(~first)


def miscaptioned(pictures: Pictures, share: float, seed: int) -> Pictures:
    """The pictures with labels exchanged among a share of them, as are captions on the web."""
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(pictures.labels), generator=generator) < share
    others = pictures.labels[torch.randperm(len(pictures.labels), generator=generator)]
    labels = torch.where(wrong, others, pictures.labels)
    return Pictures(pictures.pixels, labels, pictures.names)


class Crops:
    """Random crops and mirror images with the class, as examples for the training loop.

    Args:
        pictures: What is cropped.
        tokens: (N, L) for each class, to be given in place of its number; None gives numbers.
        seed: Decides the crops.
    """

    def __init__(self, pictures: Pictures, tokens: Tensor | None = None, seed: int = 0) -> None:
        self.pictures, self.tokens, self.seed = pictures, tokens, seed

    def __len__(self) -> int:
        return len(self.pictures.labels)

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(hash((self.seed, *turn)))
        x, y, mirrored = torch.randint(0, ROOM - SIDE + 1, (3,), generator=generator).tolist()
        pixels = self.pictures.pixels[turn.example][:, y : y + SIDE, x : x + SIDE]
        label = self.pictures.labels[turn.example]
        return (
            normalised(pixels.flip(-1) if mirrored % 2 else pixels),
            label if self.tokens is None else self.tokens[label],
        )


def normalised(pixels: Tensor) -> Tensor:
    """Bytes as the small CLIP takes them."""
    return (pixels.float() / 255 - MEAN) / STD
