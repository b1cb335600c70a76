"""The nearest of very many keys, by an inverted file of FAISS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.cache.rows import Rows
from adapters.cache.settings import Storage

try:
    import faiss
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "FAISS is missing: install handful[cpu] or, for GPUs, handful[gpu]; never both"
    ) from error

# Of the √n lists, how many are searched: recall ≥ 0.99 of the best ten on clustered keys with
# the spectrum of `lite` (docs/cache.md).
PROBES = 32
# Keys for each list that the centres are learned from, and how often they are moved.
_SAMPLE, _ROUNDS = 40, 6
_CHUNK = 65_536


class Neighbours:
    """An inverted file: keys in √n lists around centres, of which a query searches some.

    Approximate: recall is measured, not proved. A hierarchical graph (HNSW) was no quicker at
    the same recall, takes many times as long to build and cannot forget a key.

    Adding and removing a key cost its way to its list. The centres stay as they were learned, so
    that an index that has grown many times over gets slower; making it anew mends that.

    Args:
        ids: (n,) identifiers, unique.
        keys: (n, width) unit vectors.
        storage: Of the keys in the lists.
    """

    def __init__(self, ids: NDArray[np.int64], keys: Rows, storage: Storage) -> None:
        n, width = keys.shape
        lists = max(int(np.sqrt(n)), 1)
        self._centres = faiss.IndexFlatIP(width)
        inner = faiss.METRIC_INNER_PRODUCT
        if storage == "float32":
            self._index = faiss.IndexIVFFlat(self._centres, width, lists, inner)
        else:
            kind = faiss.ScalarQuantizer.QT_fp16 if storage == "float16" else _eight_bits()
            self._index = faiss.IndexIVFScalarQuantizer(self._centres, width, lists, kind, inner)
        self._index.cp.niter = _ROUNDS
        self._index.cp.max_points_per_centroid = _SAMPLE
        self._index.cp.min_points_per_centroid = 1
        self._index.nprobe = min(PROBES, lists)
        self._index.parallel_mode = 1  # one query searches its lists on all cores
        sample = np.random.default_rng(0).permutation(n)[: _SAMPLE * lists]
        self._index.train(np.ascontiguousarray(keys[np.sort(sample)]))
        for start in range(0, n, _CHUNK):
            self._index.add_with_ids(keys[start : start + _CHUNK], ids[start : start + _CHUNK])
        self._index.set_direct_map_type(faiss.DirectMap.Hashtable)

    def add(self, ids: NDArray[np.int64], keys: Rows) -> None:
        """Add m keys."""
        self._index.add_with_ids(keys, ids)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove keys by identifier; all of them are there."""
        self._index.remove_ids(faiss.IDSelectorArray(ids))

    def search(self, queries: Rows, k: int) -> NDArray[np.int64]:
        """(n, k) identifiers of the keys nearest to (n, width) queries; −1 where none is found."""
        found: NDArray[np.int64] = self._index.search(queries, k)[1]
        return found


def _eight_bits() -> int:
    kind: int = faiss.ScalarQuantizer.QT_8bit
    return kind
