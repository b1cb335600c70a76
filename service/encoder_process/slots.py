"""Slots of shared memory: pixels on their way to an encoder, and the rows that come back."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from math import prod
from typing import Self

import torch
from torch import Tensor

_ALIGNED = 4096


@dataclass(frozen=True, slots=True)
class Layout:
    """How slots lie in memory.

    Attributes:
        slots: How many.
        height: Pixels of each picture.
        width: Pixels of each picture.
        frozen: d, numbers of the frozen embedding.
        corrected: d', numbers of the corrected one.
    """

    slots: int
    height: int
    width: int
    frozen: int
    corrected: int

    @property
    def bytes(self) -> int:
        """Of all slots."""
        return self._offsets()[-1]

    def _offsets(self) -> tuple[int, int, int]:
        """Where frozen rows and corrected ones begin, and where all ends."""
        frozen = _aligned(self.slots * self.height * self.width * 3)
        corrected = frozen + _aligned(4 * self.slots * self.frozen)
        return frozen, corrected, corrected + _aligned(4 * self.slots * self.corrected)

    def views(self, memory: mmap.mmap) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels, frozen and corrected rows, as tensors on this memory."""
        frozen, corrected, _ = self._offsets()
        return (
            _view(memory, torch.uint8, 0, (self.slots, self.height, self.width, 3)),
            _view(memory, torch.float32, frozen, (self.slots, self.frozen)),
            _view(memory, torch.float32, corrected, (self.slots, self.corrected)),
        )


class Slots:
    """Slots of shared memory, in a file that has no name: it is gone with the last who has it open.

    Attributes:
        memory: All of it, (bytes,) uint8.
        pixels: (slots, H, W, 3) uint8.
        frozen: (slots, d) float32.
        corrected: (slots, d') float32.

    Args:
        descriptor: Of the file, which may be closed afterwards.
        layout: Of the slots.

    Raises:
        ValueError: The file is too small for them.
    """

    def __init__(self, descriptor: int, layout: Layout) -> None:
        if os.fstat(descriptor).st_size < layout.bytes:
            raise ValueError(f"shared memory is smaller than {layout.slots} slots")
        memory = mmap.mmap(descriptor, layout.bytes)
        self.memory = torch.frombuffer(memory, dtype=torch.uint8)
        self.pixels, self.frozen, self.corrected = layout.views(memory)

    @classmethod
    def create(cls, layout: Layout) -> tuple[Self, int]:
        """Make new slots; returns them and the descriptor of their file.

        Raises:
            OSError: There is no memory.
        """
        descriptor = os.memfd_create("handful-slots")
        try:
            os.ftruncate(descriptor, layout.bytes)
            return cls(descriptor, layout), descriptor
        except BaseException:
            os.close(descriptor)
            raise


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _view(memory: mmap.mmap, dtype: torch.dtype, offset: int, shape: tuple[int, ...]) -> Tensor:
    return torch.frombuffer(memory, dtype=dtype, offset=offset, count=prod(shape)).view(shape)
