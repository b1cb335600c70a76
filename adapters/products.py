"""Inner products of a few queries with many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.faiss_library import faiss

_by_one_thread: Any = faiss.fvec_inner_products_ny  # type: ignore[attr-defined]
# Up to so many queries, one product for each is quicker than one for all of them.
_FEW = 4


def inner_products(queries: Tensor, rows: Tensor) -> Tensor:
    """(n, m) inner products of (n, d) queries with (m, d) rows of the same type and device."""
    if queries.device.type != "cpu" or queries.requires_grad or rows.requires_grad:
        return queries @ rows.T
    return torch.from_numpy(array_products(queries.numpy(), rows.numpy()))


def array_products(queries: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """(n, m) inner products of (n, d) queries with (m, d) rows of the same type.

    A single query is read against the rows by FAISS on this thread alone, as quick as memory is.
    Libraries with threads of their own (PyTorch, OpenBLAS) gain little by a second core, and
    where it is busy they wait for it: 8 ms for what takes 0.03 (docs/cache.md).
    """
    if len(queries) > _FEW:
        product: NDArray[Any] = (rows @ queries.T).T
        return product
    products = np.empty((len(queries), len(rows)), queries.dtype)
    by_faiss = all(a.dtype == np.float32 and a.flags.c_contiguous for a in (queries, rows))
    for query, out in zip(queries, products, strict=True):
        if by_faiss:
            pointers = (faiss.swig_ptr(a) for a in (out, query, rows))
            _by_one_thread(*pointers, rows.shape[1], len(rows))
        else:
            np.dot(rows, query, out=out)
    return products
