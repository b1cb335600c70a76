"""Files that ``torch.save`` wrote before PyTorch 1.6: pickles one after the other, then numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapters.backbone_errors import BackboneError
from adapters.backbones.checkpoints.stored_tensor import Storage, StoredTensor
from adapters.backbones.checkpoints.tensor_pickle import MOST_BYTES, read_pickle

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of each: the number 0x1950a86a20f9469cfc6c."""
_PROTOCOL = 1001


class LegacyFile:
    """A file of ``torch.save`` that is no zip (``torch/serialization.py``, ``_legacy_save``).

    Args:
        path: Of the file.

    Attributes:
        value: What its pickle says: containers, with a `StoredTensor` for each tensor.
        scripted: That it is not TorchScript's.

    Raises:
        BackboneError: It is damaged.
        UnsafeWeights: It would have to be executed.
    """

    scripted = False

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            content = file.read(MOST_BYTES)
        at = len(MAGIC)
        values = []
        for _ in range(4):  # protocol, machine, what was saved, the keys of its storages
            value, length = read_pickle(content[at:])
            values.append(value)
            at += length
        protocol, _, self.value, self._keys = values
        if protocol != _PROTOCOL or not isinstance(self._keys, list):
            raise BackboneError("it is damaged, or of another version of PyTorch")
        self._begin = at

    def tensors(self, described: Iterable[tuple[str, StoredTensor]]) -> dict[str, Tensor]:
        """Read tensors by their names; together no more bytes than the file has.

        Raises:
            BackboneError: A storage is missing, or of another size.
        """
        wanted: dict[Any, list[tuple[str, StoredTensor]]] = {}
        for name, tensor in described:
            wanted.setdefault(tensor.storage.key, []).append((name, tensor))
        sizes = _item_sizes(self.value)
        found: dict[str, Tensor] = {}
        with self._path.open("rb") as file:
            file.seek(self._begin)
            for key in self._keys:
                head = file.read(8)
                numel = struct.unpack("<q", head)[0] if len(head) == 8 else -1
                length = numel * sizes.get(key, 0)
                if numel < 0 or key not in sizes or length > self._path.stat().st_size:
                    raise BackboneError("it is damaged or cut off")
                if key not in wanted:
                    file.seek(length, 1)
                    continue
                numbers = _numbers(file.read(length), length, wanted[key][0][1].storage)
                found |= {name: tensor.of(numbers) for name, tensor in wanted.pop(key)}
        if wanted:
            raise BackboneError("it is damaged or cut off: numbers are missing")
        return found


def _numbers(content: bytes, length: int, storage: Storage) -> Tensor:
    if len(content) != length or length != storage.nbytes:
        raise BackboneError("it is damaged or cut off: numbers are missing")
    if not content:
        return torch.empty(0, dtype=storage.dtype)
    return torch.frombuffer(bytearray(content), dtype=storage.dtype)


def _item_sizes(value: Any) -> dict[str, int]:
    """Bytes of a number of each storage that a value refers to."""
    found, waiting, seen = dict[str, int](), [value], set[int]()
    while waiting:
        each = waiting.pop()
        if isinstance(each, StoredTensor):
            found[each.storage.key] = each.storage.dtype.itemsize
        elif isinstance(each, dict | list | tuple) and id(each) not in seen:
            seen.add(id(each))
            waiting.extend(each.values() if isinstance(each, dict) else each)
    return found
