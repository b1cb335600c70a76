"""Archives of PyTorch: zips with a pickle that describes tensors, and a member for each storage."""

from __future__ import annotations

import errno
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adapters.backbone_errors import BackboneError
from adapters.backbones.checkpoints.stored_tensor import Storage, StoredTensor
from adapters.backbones.checkpoints.tensor_pickle import MOST_BYTES, read_pickle

_MOST_DIRECTORY_BYTES = 32 * 2**20
_DAMAGED = (
    *(zipfile.BadZipFile, struct.error, EOFError),
    *(RuntimeError, ValueError, OverflowError, MemoryError, IndexError),
)
"""What ``zipfile`` raises for zips that are none, or of a kind that it does not know."""
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"


class Archive:
    """A zip that ``torch.save`` or ``torch.jit.save`` wrote; code in it is not looked at.

    Args:
        path: Of the file.

    Attributes:
        value: What its pickle says: containers, with a `StoredTensor` for each tensor.
        scripted: Whether it is TorchScript's: then the value is a `ScriptObject`.

    Raises:
        BackboneError: It is damaged, or compressed, which PyTorch never does.
        UnsafeWeights: It would have to be executed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        with self._opened() as members:
            self._members = {info.filename: info for info in members.infolist()}
            if len(self._members) != len(members.infolist()):
                raise BackboneError("it has two members of the same name")
            pickles = [name for name in self._members if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise BackboneError("it is a zip, and none that PyTorch has written")
            self._folder = pickles[0].removesuffix("data.pkl")
            self.scripted = f"{self._folder}constants.pkl" in self._members
            content = self._member(members, pickles[0], MOST_BYTES)
        self.value: Any = read_pickle(bytes(content))[0]

    def tensors(self, described: Iterable[tuple[str, StoredTensor]]) -> dict[str, Tensor]:
        """Read tensors by their names; together no more bytes than the file has.

        Raises:
            BackboneError: A storage is missing, damaged or of another size.
        """
        found, storages = {}, dict[Storage, Tensor]()
        with self._opened() as members:
            for name, tensor in described:
                storage = tensor.storage
                if storage not in storages:
                    storages[storage] = self._numbers(members, storage)
                    if sum(each.nbytes for each in storages) > self._size:
                        raise BackboneError("its members have more numbers than the file")
                found[name] = tensor.of(storages[storage])
        return found

    def _numbers(self, members: zipfile.ZipFile, storage: Storage) -> Tensor:
        name = f"{self._folder}data/{storage.key}"
        content = self._member(members, name, storage.nbytes)
        if len(content) != storage.nbytes:
            raise BackboneError(f"{name} has {len(content)} bytes, {storage.nbytes} are told of")
        if not content:
            return torch.empty(0, dtype=storage.dtype)
        return torch.frombuffer(content, dtype=storage.dtype)

    def _member(self, members: zipfile.ZipFile, name: str, most: int) -> bytearray:
        info = self._members.get(name)
        if info is None:
            raise BackboneError(f"it has no member {name}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise BackboneError(f"{name} is compressed or encrypted, which PyTorch never does")
        if info.file_size > min(most, self._size):
            raise BackboneError(f"{name} has {info.file_size} bytes, more than there can be")
        content = bytearray(info.file_size)
        file: Any
        with members.open(info) as file:
            if file.readinto(content) != info.file_size or file.read(1):
                raise BackboneError(f"{name} is cut off")
        return content

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            _check_directory(self._path, self._size)
            with zipfile.ZipFile(self._path) as members:
                yield members
        except BackboneError:
            raise
        except OSError as error:
            if error.errno != errno.EINVAL:  # a place before the begin of the file
                raise
            raise BackboneError("it is damaged or cut off") from error
        except _DAMAGED as error:
            raise BackboneError(f"it is damaged or cut off: {error}") from error


def _check_directory(path: Path, size: int) -> None:
    """The list of members is not so long that reading it would take more memory than the file.

    Raises:
        BackboneError: It is, or the file has no end.
    """
    with path.open("rb") as file:
        file.seek(max(0, size - 2**16 - 100))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise BackboneError("it is damaged or cut off: a zip without an end")
    (length,) = struct.unpack_from("<I", tail, at + 12)
    if length == 0xFFFFFFFF and (wide := tail.rfind(_END_64, 0, at)) >= 0:
        (length,) = struct.unpack_from("<Q", tail, wide + 40)
    if length > min(size, _MOST_DIRECTORY_BYTES):
        raise BackboneError("it lists more members than any model has")
