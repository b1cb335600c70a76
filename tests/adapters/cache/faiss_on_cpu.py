"""FAISS's functions for a GPU, computed by those for a CPU.

What is asked for are addresses and numbers: an offset or a shape that is wrong reads other memory
and gives other answers.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

_TYPES: dict[str, Any] = {
    "F16": np.dtype(np.float16),
    "F32": np.dtype(np.float32),
    "I64": np.dtype(np.int64),
}


def _at(address: int, shape: tuple[int, int], of: str) -> NDArray[Any]:
    size = shape[0] * shape[1] * _TYPES[of].itemsize
    memory: Any = (ctypes.c_char * size).from_address(address)
    return np.frombuffer(memory, _TYPES[of]).reshape(shape)


class FaissOnCpu:
    """What :class:`FaissBruteForce` calls of the module ``faiss``; pointers are plain numbers."""

    METRIC_INNER_PRODUCT = faiss.METRIC_INNER_PRODUCT
    DistanceDataType_F16, DistanceDataType_F32, IndicesDataType_I64 = "F16", "F32", "I64"
    GpuDistanceParams = SimpleNamespace

    def __init__(self) -> None:
        self.asked: list[SimpleNamespace] = []
        self.scratch = 0

    def StandardGpuResources(self) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(setTempMemory=lambda size: setattr(self, "scratch", size))

    def cast_integer_to_void_ptr(self, address: int) -> int:
        return address

    def cast_integer_to_float_ptr(self, address: int) -> int:
        return address

    def bfKnn(self, _: object, asked: SimpleNamespace) -> None:  # noqa: N802
        assert asked.metric == faiss.METRIC_INNER_PRODUCT
        assert asked.vectorType == asked.queryType, "FAISS compares vectors of one type"
        self.asked.append(asked)
        keys = _at(asked.vectors, (asked.numVectors, asked.dims), asked.vectorType)
        queries = _at(asked.queries, (asked.numQueries, asked.dims), asked.queryType)
        k = asked.numVectors if asked.k == -1 else asked.k
        found = _at(asked.outDistances, (asked.numQueries, k), "F32")
        keys, queries = keys.astype(np.float32), queries.astype(np.float32)
        if asked.k == -1:
            found[:] = queries @ keys.T
            return
        index = faiss.IndexFlatIP(asked.dims)
        index.add(keys)
        rows = _at(asked.outIndices, (asked.numQueries, k), asked.outIndicesType)
        found[:], rows[:] = index.search(queries, k)
