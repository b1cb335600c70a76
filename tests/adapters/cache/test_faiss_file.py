"""Keys as FAISS's own index and file, which other programs read."""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
import torch
from torch import Tensor

from adapters.cache.faiss_file import flat_index, write_index

WIDTH = 6
IDS = torch.tensor([7, -3, 2**40, 5, 0])


def some(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(seed))


def test_an_index_answers_with_identifiers_on_memory_that_is_not_copied() -> None:
    keys = some(5)
    index: Any = flat_index(IDS, keys)
    seen: Any = faiss.downcast_index(index.index)
    address = faiss.rev_swig_ptr(seen.get_xb(), 1).__array_interface__["data"][0]
    assert address == keys.data_ptr()
    wanted = (some(3, 1) @ keys.T).topk(5)
    del keys
    gc.collect()
    similarities, ids = index.search(some(3, 1).numpy(), 5)
    assert np.array_equal(ids, IDS[wanted.indices].numpy())
    np.testing.assert_allclose(similarities, wanted.values.numpy(), rtol=1e-5, atol=1e-6)
    assert np.array_equal(index.reconstruct(2**40), some(5)[2].numpy())


def test_a_file_is_read_by_faiss_with_keys_and_identifiers(tmp_path: Path) -> None:
    path = tmp_path / "keys.faiss"
    write_index(path, IDS, some(5))
    read: Any = faiss.read_index(str(path))
    assert isinstance(read, faiss.IndexIDMap2)
    assert read.metric_type == faiss.METRIC_INNER_PRODUCT
    assert np.array_equal(faiss.vector_to_array(read.id_map), IDS.numpy())
    for one, key in zip(IDS.tolist(), some(5).numpy(), strict=True):
        assert np.array_equal(read.reconstruct(one), key)
    read.add_with_ids(some(1, 1).numpy(), np.array([99]))  # its own memory: it grows
    assert read.search(some(1, 1).numpy() * 9, 1)[1].item() == 99
    assert [file.name for file in tmp_path.iterdir()] == ["keys.faiss"]


def test_no_keys_make_an_empty_index(tmp_path: Path) -> None:
    path = tmp_path / "keys.faiss"
    write_index(path, IDS[:0], some(0))
    read = faiss.read_index(str(path))
    assert (read.ntotal, read.d) == (0, WIDTH)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Files may have so many bytes, and no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# The last has more than one block of what writes it.
@pytest.mark.parametrize("n", [5, 5000, 100_000])
def test_a_file_that_cannot_be_written_leaves_the_one_that_is_there(tmp_path: Path, n: int) -> None:
    with pytest.raises(OSError, match="cannot be written"):
        write_index(tmp_path / "nowhere" / "keys.faiss", IDS, some(5))
    path = tmp_path / "keys.faiss"
    write_index(path, IDS, some(5))
    keys = some(n, 1)
    with full_disk(200), pytest.raises(OSError, match="cannot be written"):
        write_index(path, torch.arange(n), keys)
    read: Any = faiss.read_index(str(path))
    assert np.array_equal(read.reconstruct(7), some(5)[0].numpy())
    assert [file.name for file in tmp_path.iterdir()] == ["keys.faiss"]


def test_one_identifier_a_key_is_asked_for() -> None:
    with pytest.raises(ValueError, match="one key an identifier"):
        flat_index(IDS[:3], some(5))
