"""Keys as a FAISS index under their identifiers, in memory and as a ``.faiss`` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from adapters.cache.flat_rows import FlatRows
from adapters.faiss_library import faiss
from adapters.whole_files import written_whole


def flat_index(ids: Tensor, keys: Tensor) -> faiss.IndexIDMap2:
    """An ``IndexFlatIP`` of keys, which answers with their identifiers.

    The keys are not copied where they are contiguous float32 on the CPU: the index sees them where
    they are, keeps them, and can be searched and written, not added to.

    Args:
        ids: (n,) int64 identifiers, each once.
        keys: (n, width) vectors.

    Raises:
        ValueError: Shapes do not agree.
    """
    if keys.ndim != 2 or ids.shape != (len(keys),):
        raise ValueError(f"expected one key an identifier, got {len(ids)} and {tuple(keys.shape)}")
    rows = FlatRows.of(keys.cpu()).index
    # FAISS makes an identifier map around nothing but an empty index.
    index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(keys.shape[1]))
    index.index, index.referenced_objects = rows, [rows]
    faiss.copy_array_to_vector(ids.cpu().contiguous().numpy(), index.id_map)
    index.ntotal = len(ids)
    index.construct_rev_map()
    mapped: faiss.IndexIDMap2 = index
    return mapped


def write_index(path: Path, ids: Tensor, keys: Tensor) -> None:
    """Write :func:`flat_index` to a file that ``faiss.read_index`` reads; all of it or nothing.

    For other programs. Nothing here reads one: FAISS trusts the bytes of an index, so that
    ``faiss.read_index`` of a file from strangers can do as it likes with the process.

    Raises:
        ValueError: Shapes do not agree.
        OSError: It cannot be written.
    """
    typeless: Any = faiss
    try:
        # By Python's file: one of FAISS's own tells nobody that the disk had no room for its end.
        with written_whole(path) as part, part.open("wb") as file:
            faiss.write_index(flat_index(ids, keys), typeless.PyCallbackIOWriter(file.write, 2**20))
    except (OSError, RuntimeError) as error:  # which of them depends on where it stops
        raise OSError(f"{path} cannot be written: {error}") from error
