"""The nearest of very many keys, by an inverted file of FAISS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.cache.growing_rows import Rows
from adapters.faiss_library import faiss
from adapters.memory import Storages

# Of the √n lists, how many are searched: recall ≥ 0.99 of the best ten on clustered keys with
# the spectrum of `lite` (docs/cache.md).
PROBES = 32
# Of similarities with keys rounded to float16 here and, at the most, to int8 in the cache.
ERROR = 0.01
# Keys for each list that the centres are learned from, and how often they are moved.
_SAMPLE, _ROUNDS = 40, 6
_CHUNK = 65_536
_HASHTABLE: int = faiss.DirectMap.Hashtable  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The keys that an approximate search of n queries found, best first, to be ranked exactly.

    Attributes:
        similarities: (n, k) to :data:`ERROR`.
        numbers: (n, k) identifiers of the keys; −1 where there are no more.
    """

    similarities: Rows
    numbers: NDArray[np.int64]

    def __getitem__(self, rows: slice) -> Candidates:
        return Candidates(self.similarities[rows], self.numbers[rows])


class InvertedFile:
    """An inverted file (IVF): keys in √n lists around centres, of which a query searches some.

    The lists hold keys as float16: what is found is to be ranked by the keys themselves.
    Approximate: recall is measured, not proved. FAISS's graph index (HNSW) cannot forget a key.

    Adding and removing a key cost its way to its list. The centres stay as they were learned, so
    that an index that has grown many times over gets slower; making it anew mends that.

    Args:
        ids: (n,) identifiers, unique.
        keys: (n, width) unit vectors.
    """

    def __init__(self, ids: NDArray[np.int64], keys: Rows) -> None:
        n, width = keys.shape
        lists = max(int(np.sqrt(n)), 1)
        self._centres = faiss.IndexFlatIP(width)
        self._index = faiss.IndexIVFScalarQuantizer(
            self._centres,
            width,
            lists,
            faiss.ScalarQuantizer.QT_fp16,
            faiss.METRIC_INNER_PRODUCT,
        )
        self._index.cp.niter = _ROUNDS
        self._index.cp.max_points_per_centroid = _SAMPLE
        self._index.cp.min_points_per_centroid = 1
        self._index.nprobe = min(PROBES, lists)
        sample = np.random.default_rng(0).permutation(n)[: _SAMPLE * lists]
        self._index.train(np.ascontiguousarray(keys[np.sort(sample)]))
        for start in range(0, n, _CHUNK):
            self._index.add_with_ids(keys[start : start + _CHUNK], ids[start : start + _CHUNK])
        self._index.set_direct_map_type(_HASHTABLE)

    def add(self, ids: NDArray[np.int64], keys: Rows) -> None:
        """Add m keys."""
        threads = faiss.omp_get_max_threads()
        # Waking a second thread for one key would cost more than the key.
        faiss.omp_set_num_threads(1 if len(ids) < _CHUNK else threads)
        try:
            self._index.add_with_ids(keys, ids)
        finally:
            faiss.omp_set_num_threads(threads)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Remove keys by identifier; all of them are there."""
        self._index.remove_ids(faiss.IDSelectorArray(ids))

    def search(self, queries: Rows, k: int) -> Candidates:
        """The k keys nearest to each of (n, width) unit vectors, as far as they are found."""
        return Candidates(*self._index.search(queries, k))

    def storages(self) -> Storages:
        """Codes of the keys, and the centres; FAISS has them beyond the reach of NumPy."""
        # No address is negative.
        return {
            -id(index): index.ntotal * index.sa_code_size()
            for index in (self._index, self._centres)
        }
