"""A tensor as a checkpoint describes it: a part of a storage, checked before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from adapters.backbone_errors import BackboneError

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
"""Of PyTorch's typed storages, by the names that they are pickled with."""

_MOST_DIMENSIONS = 8


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers of one type, somewhere in a file.

    Attributes:
        key: What the file calls it.
        dtype: Of each number.
        numel: How many.
    """

    key: str
    dtype: torch.dtype
    numel: int

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor over a storage that has not been read.

    Attributes:
        storage: Where its numbers are.
        offset: Of its first number in the storage.
        shape: Its shape.
        stride: Numbers from one element to the next, in each dimension.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @classmethod
    def checked(
        cls, storage: object, offset: object, shape: object, stride: object
    ) -> StoredTensor:
        """Make one of what a pickle says.

        Raises:
            BackboneError: It lies outside its storage, or has more elements than that.
        """
        sizes, steps = _whole_numbers(shape), _whole_numbers(stride)
        if not isinstance(storage, Storage) or type(offset) is not int or offset < 0:
            raise BackboneError("a tensor has no storage")
        if len(sizes) != len(steps) or len(sizes) > _MOST_DIMENSIONS:
            raise BackboneError(f"a tensor has the shape {sizes} and the strides {steps}")
        numel = prod(sizes)
        last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
        if numel > storage.numel or (numel and last >= storage.numel):
            raise BackboneError(
                f"a tensor of the shape {sizes} does not fit into its storage of {storage.numel}"
            )
        return cls(storage, offset, sizes, steps)

    def of(self, numbers: Tensor) -> Tensor:
        """The tensor, of the numbers of its storage, contiguous."""
        return numbers.as_strided(self.shape, self.stride, self.offset).contiguous()


def storage_of(kind: str, key: object, numel: object) -> Storage:
    """Make a storage of what a pickle says.

    Raises:
        BackboneError: Its type is not known, or its size is none.
    """
    if kind not in DTYPES:
        raise BackboneError(f"numbers of the type {kind!r} are not read")
    if not isinstance(key, str) or type(numel) is not int or not 0 <= numel < 2**48:
        raise BackboneError("a storage has no name or no size")
    return Storage(key, DTYPES[kind], numel)


def _whole_numbers(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or any(type(n) is not int or n < 0 for n in values):
        raise BackboneError("the shape of a tensor is none")
    if any(n >= 2**48 for n in values):
        raise BackboneError("a tensor is larger than any file")
    return values
