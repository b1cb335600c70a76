"""The key-value cache of Tip-Adapter in a FAISS inner-product index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

try:
    import faiss
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "FAISS is missing: install handful[cpu] or, for GPUs, handful[gpu]; never both"
    ) from error


@dataclass(frozen=True, slots=True)
class Matches:
    """The keys nearest to each of n queries, best first.

    Attributes:
        similarities: (n, k) inner products; cosine similarities, as keys are unit vectors.
        ids: (n, k) int64 identifiers of the support images.
        labels: (n, k) int64 class identifiers of these.
    """

    similarities: Tensor
    ids: Tensor
    labels: Tensor

    def first(self, k: int | None) -> Matches:
        """Return the best ``k`` matches of each query; all of them if None."""
        return Matches(self.similarities[:, :k], self.ids[:, :k], self.labels[:, :k])

    @staticmethod
    def none(n: int) -> Matches:
        """Return no matches for each of n queries."""
        nothing = torch.empty((n, 0), dtype=torch.int64)
        return Matches(torch.empty(n, 0), nothing, nothing)


class KeyValueCache:
    """Support embeddings as keys, class labels as values (Zhang et al., ECCV 2022).

    Keys live in an exact FAISS index; adding m keys costs a copy of these m, removing some
    moves the keys behind them, and neither touches the others or recomputes anything.
    Not safe for concurrent change: the owner serialises writers with readers.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(width))
        self._ids = np.empty(0, dtype=np.int64)  # ascending, beside their labels
        self._labels = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Add m keys.

        Args:
            ids: (m,) int64 identifiers, none of them in the cache already.
            keys: (m, width) unit vectors; kept as float32.
            labels: (m,) int64 values.

        Raises:
            ValueError: Shapes do not agree, or an identifier is taken.
        """
        if keys.shape != (len(ids), self.width) or labels.shape != ids.shape:
            raise ValueError(
                f"expected {len(ids)} keys of width {self.width} with as many labels, "
                f"got keys {tuple(keys.shape)} and labels {tuple(labels.shape)}"
            )
        order = np.argsort(ids.numpy(), kind="stable")
        new_ids, new_labels = ids.numpy()[order], labels.numpy()[order]
        if (np.diff(new_ids) == 0).any() or np.isin(new_ids, self._ids).any():
            raise ValueError("an identifier is already in the cache")
        if len(ids):
            self._index.add_with_ids(_float32(keys), ids.numpy())
            at = np.searchsorted(self._ids, new_ids)
            self._ids = np.insert(self._ids, at, new_ids)
            self._labels = np.insert(self._labels, at, new_labels)

    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """
        gone = np.unique(ids.numpy())
        missing = gone[~np.isin(gone, self._ids)]
        if missing.size:
            raise KeyError(f"not in the cache: {missing.tolist()}")
        if gone.size:
            self._index.remove_ids(faiss.IDSelectorBatch(gone))
            stay = ~np.isin(self._ids, gone)
            self._ids, self._labels = self._ids[stay], self._labels[stay]

    def search(self, queries: Tensor, k: int | None = None) -> Matches:
        """Return the ``k`` best matches of each query; all keys where ``k`` is None.

        Args:
            queries: (n, width) unit vectors.
            k: At most this many; never more than there are keys.

        Exact: one pass over all keys, O(n · len(self) · width).
        """
        k = len(self) if k is None else min(k, len(self))
        if k == 0 or len(queries) == 0:
            return Matches.none(len(queries))
        similarities, ids = self._index.search(_float32(queries), k)
        labels = self._labels[np.searchsorted(self._ids, ids)]
        return Matches(
            torch.from_numpy(similarities), torch.from_numpy(ids), torch.from_numpy(labels)
        )


def _float32(rows: Tensor) -> np.ndarray:
    return np.ascontiguousarray(rows.detach().cpu().numpy(), dtype=np.float32)
