"""What is in a cache as a file: safetensors to be read again, FAISS's format for other programs."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adapters.cache.entries import Entries, check_shapes
from adapters.cache.faiss_file import write_index
from adapters.whole_files import written_whole

_FORMAT = "handful-cache-1"
_TENSORS = {"ids": torch.int64, "keys": torch.float32, "labels": torch.int64}


class CacheFileError(ValueError):
    """A file holds no cache, or is damaged; the message says which."""


def save(path: str | os.PathLike[str], entries: Entries) -> None:
    """Write two files, each whole or not at all: ``path`` and, beside it, a ``.faiss`` file.

    ``path`` is safetensors, with identifiers, keys and labels; :func:`load` reads nothing else.
    The other has the keys as a FAISS ``IndexIDMap2`` around an ``IndexFlatIP``, for programs that
    know it.

    Raises:
        OSError: They cannot be written.
    """
    path = Path(path)
    tensors = {name: getattr(entries, name).contiguous() for name in _TENSORS}
    try:
        with written_whole(path) as part:
            save_file(tensors, part, {"format": _FORMAT})
    except SafetensorError as error:  # all that it says of a disk
        raise OSError(f"{path} cannot be written: {error}") from error
    write_index(path.with_suffix(".faiss"), entries.ids, entries.keys)


def load(path: str | os.PathLike[str]) -> Entries:
    """Read what :func:`save` wrote to ``path``; safe for files from strangers.

    Raises:
        CacheFileError: It is no such file, or damaged.
        OSError: There is no file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            is_ours = (file.metadata() or {}).get("format") == _FORMAT
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CacheFileError(f"{path} cannot be read: {error}") from error
    if not is_ours or {name: one.dtype for name, one in found.items()} != _TENSORS:
        raise CacheFileError(f"{path} holds no cache of this version of Handful")
    entries = Entries(**found)
    _check(entries, path)
    return entries


def _check(entries: Entries, path: str | os.PathLike[str]) -> None:
    ids: Tensor = entries.ids
    try:
        check_shapes(entries.keys.shape[-1], ids, entries.keys, entries.labels)
    except (IndexError, ValueError) as error:
        raise CacheFileError(f"{path} is damaged: {error}") from error
    if ids.ndim != 1 or len(set(ids.tolist())) < len(ids):
        raise CacheFileError(f"{path} is damaged: an identifier is there twice")
