"""Images as the tensors of a training run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from adapters.training.order import Turn
from adapters.training.training_errors import DataError

ReadImage = Callable[[bytes, int | None], Image.Image]
"""An image file, and the pixels that both sides keep at least, to an upright RGB picture.

None leaves it as large as it is. Raises whatever is wrong with the file. Can be pickled. It is
what the service reads uploads by: :func:`service.images.decoding.training_reader`.
"""

_TRIES = 20
"""Broken images in a row that are taken for a broken disk."""


class ImageExamples:
    """Decodes images and makes tensors of them, as `Examples` for the loop.

    An image that cannot be read is replaced by another one, drawn by the turn like all else that
    is random, and noted.

    Args:
        paths: Of the image files.
        labels: For each path, the number of its class.
        transform: An RGB image to the tensors of an example; draws from PyTorch's generator.
        read: Makes pictures of image files.
        seed: Decides all that is drawn.
        side: Pixels; decoders may shrink an image as long as both sides are longer than this;
            None leaves it as large as it is.
        labelled: Whether the number of the class comes after the tensors of the image.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        labels: Sequence[int],
        transform: Callable[[Image.Image], tuple[Tensor, ...]],
        *,
        read: ReadImage,
        seed: int,
        side: int | None,
        labelled: bool,
    ) -> None:
        self.paths = paths
        self.labels = labels
        self.transform = transform
        self.read = read
        self.seed = seed
        self.side = side
        self.labelled = labelled
        # Shared by the worker processes, which decode.
        self._broken = torch.zeros(len(paths), dtype=torch.bool)
        self._broken.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        """The tensors of an example.

        Raises:
            DataError: One image after the other cannot be read.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((self.seed, turn.epoch, turn.example)))
            number, image = self._readable(turn.example)
            tensors = self.transform(image)
        return (*tensors, torch.tensor(self.labels[number])) if self.labelled else tensors

    @property
    def broken(self) -> list[str]:
        """The images that could not be read so far, in this process and its workers."""
        return [str(self.paths[number]) for number in self._broken.nonzero().flatten().tolist()]

    def _readable(self, number: int) -> tuple[int, Image.Image]:
        for _ in range(_TRIES):
            try:
                return number, self.read(self.paths[number].read_bytes(), self.side)
            # Whatever it is, the others may be read.
            except Exception:
                self._broken[number] = True
                number = int(torch.randint(len(self.paths), ()))
        raise DataError(
            f"{_TRIES} images one after the other cannot be read, the last is "
            f"{self.paths[number]}; is the disk still there?"
        )
