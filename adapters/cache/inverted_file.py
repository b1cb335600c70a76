"""The nearest of very many keys, by an inverted file of FAISS."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from adapters.cache.rows import Rows

# Of the √n lists, how many are searched: recall ≥ 0.99 of the best ten on clustered keys with
# the spectrum of `lite` (docs/cache.md).
PROBES = 32
# Of similarities with keys rounded to float16 here and, at the most, to int8 in the cache.
ERROR = 0.01
# Keys for each list that the centres are learned from, and how often they are moved.
_SAMPLE, _ROUNDS = 40, 6
_CHUNK = 65_536
_HASHTABLE: int = faiss.DirectMap.Hashtable  # type: ignore[attr-defined]


class Neighbours:
    """An inverted file: keys in √n lists around centres, of which a query searches some.

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

    def search(self, queries: Rows, k: int) -> tuple[Rows, NDArray[np.int64]]:
        """Similarities, to :data:`ERROR`, and identifiers of the keys nearest to n queries.

        Args:
            queries: (n, width) unit vectors.
            k: How many.

        Returns:
            (n, k) and (n, k), best first; the identifier is −1 where none is found.
        """
        found: tuple[Rows, NDArray[np.int64]] = self._index.search(queries, k)
        return found
