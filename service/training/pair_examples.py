"""Pairs of an image and a text as the tensors of a training run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from adapters.training.order import Turn
from adapters.training.training_errors import DataError
from service.training.image_examples import ReadImage
from service.training.text_pairs import Pair

_TRIES = 100
"""Broken images in a row that are taken for a broken disk."""


class PairExamples:
    """Pixels and tokens of pairs, as `Examples` for the loop.

    A pair whose image cannot be read is replaced by the next one that can, and noted.

    Args:
        pairs: At least one.
        transform: An RGB image to its (3, H, W) pixels; draws from PyTorch's generator.
        tokenizer: n texts to (n, L) tokens.
        read: Makes pictures of image files.
        seed: Decides all that is drawn.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        transform: Callable[[Image.Image], tuple[Tensor, ...]],
        tokenizer: Callable[[Sequence[str]], Tensor],
        *,
        read: ReadImage,
        seed: int,
    ) -> None:
        self.pairs = pairs
        self.transform = transform
        self.tokenizer = tokenizer
        self.read = read
        self.seed = seed
        # A tokenizer may cut off what is padding in all texts of a call; here all are as long.
        self._length = tokenizer(["and so on " * 500]).shape[1]
        # Shared by the worker processes, which decode.
        self._broken: Tensor = torch.zeros(len(pairs), dtype=torch.bool)
        self._broken.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        """The (3, H, W) pixels and the (L,) tokens of an example.

        Raises:
            DataError: One image after the other cannot be read.
        """
        pair, image = self._readable(turn.example)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((self.seed, turn.epoch, turn.example)))
            pixels = self.transform(image)
        tokens = self.tokenizer([pair.text])[0]
        return (*pixels, pad(tokens, (0, self._length - len(tokens))))

    @property
    def broken(self) -> list[str]:
        """The images that could not be read so far, in this process and its workers."""
        return [self.pairs[number].image for number in self._broken.nonzero().flatten().tolist()]

    def _readable(self, number: int) -> tuple[Pair, Image.Image]:
        for _ in range(_TRIES):
            pair = self.pairs[number]
            if (image := read_image(pair, self.read)) is not None:
                return pair, image
            self._broken[number] = True
            number = (number + 1) % len(self.pairs)
        raise DataError(
            f"{_TRIES} images one after the other cannot be read, the last is {pair.image}; "
            "is the disk still there?"
        )


def read_image(pair: Pair, read: ReadImage) -> Image.Image | None:
    """Read the image of a pair; None if that fails."""
    try:
        return read(pair.read(), None)
    # Whatever it is, other pairs may be read.
    except Exception:
        return None
