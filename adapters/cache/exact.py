"""A cache that compares every query with every key, by one product."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from adapters.cache.matches import Matches
from adapters.products import inner_products

# Room that a growing cache makes, as a share of what it holds.
_ROOM = 0.5


class KeyValueCache:
    """Support embeddings as keys, class labels as values (Zhang et al., ECCV 2022).

    The keys that a cache is first given are not copied. Adding m more costs a copy of these m,
    amortised; removing costs a copy of what stays. Keys live on the device that they come from
    and are searched there. Not safe for concurrent change: the owner serialises writers with
    readers.

    Attributes:
        width: Of the keys.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._n = 0
        self._keys = torch.empty(0, width)
        self._ids = torch.empty(0, dtype=torch.int64)
        self._labels = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._n

    @property
    def keys(self) -> Tensor:
        """(n, width) float32 keys, in the order in which they came."""
        return self._keys[: self._n]

    @property
    def ids(self) -> Tensor:
        """(n,) int64 identifiers of the keys."""
        return self._ids[: self._n]

    @property
    def labels(self) -> Tensor:
        """(n,) int64 values of the keys."""
        return self._labels[: self._n]

    def add(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Add m keys.

        Args:
            ids: (m,) int64 identifiers, none of them in the cache already.
            keys: (m, width) unit vectors; kept as float32.
            labels: (m,) int64 values.

        Raises:
            ValueError: Shapes do not agree, or an identifier is taken.
        """
        check_shapes(self.width, ids, keys, labels)
        if len(set(ids.tolist())) < len(ids) or bool(torch.isin(self.ids, ids).any()):
            raise ValueError("an identifier is already in the cache")
        keys = keys.detach().float().contiguous()
        if self._n == 0:
            self._keys, self._ids, self._labels = keys, ids, labels
        else:
            self._keys = _appended(self._keys, self._n, keys)
            self._ids = _appended(self._ids, self._n, ids)
            self._labels = _appended(self._labels, self._n, labels)
        self._n += len(ids)

    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """
        stay = ~torch.isin(self.ids, ids)
        missing = set(ids.tolist()) - set(self.ids[~stay].tolist())
        if missing:
            raise KeyError(f"not in the cache: {sorted(missing)}")
        self._keys = self.keys[stay]
        self._ids, self._labels = self.ids[stay], self.labels[stay]
        self._n = len(self._ids)

    def similarities(self, queries: Tensor) -> Tensor:
        """(n, len(self)) float32 inner products of (n, width) queries with every key.

        O(n · len(self) · width), and no key is moved: what bounds it is reading them.
        """
        return inner_products(queries.detach().to(self._keys.device).float(), self.keys)

    def votes(self, similarities: Tensor, beta: float) -> Tensor:
        """(n, len(self)) ``exp(−β(1 − s))`` of :meth:`similarities`."""
        if similarities.device.type != "cpu":
            return (similarities - 1).mul_(beta).exp_()
        # PyTorch would wake its threads for this, in the way of those of the product.
        votes = similarities.numpy() - 1
        votes *= beta
        return torch.from_numpy(np.exp(votes, out=votes))

    def nearest(self, similarities: Tensor, k: int | None) -> Matches:
        """The ``k`` best matches by :meth:`similarities`; all keys where ``k`` is None."""
        return Matches.best(similarities, self.ids, self.labels, k)

    def search(self, queries: Tensor, k: int | None = None) -> Matches:
        """Return the ``k`` best matches of each query; all keys where ``k`` is None.

        Args:
            queries: (n, width) unit vectors.
            k: At most this many; never more than there are keys.

        Exact: one pass over all keys, O(n · len(self) · width).
        """
        if k == 0 or len(self) == 0 or len(queries) == 0:
            return Matches.none(len(queries))
        return self.nearest(self.similarities(queries), k)


def check_shapes(width: int, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
    """See that there is one key and one label for each identifier.

    Raises:
        ValueError: Shapes do not agree.
    """
    if keys.shape != (len(ids), width) or labels.shape != ids.shape:
        raise ValueError(
            f"expected {len(ids)} keys of width {width} with as many labels, "
            f"got keys {tuple(keys.shape)} and labels {tuple(labels.shape)}"
        )


def _appended(held: Tensor, n: int, more: Tensor) -> Tensor:
    """A tensor that begins with the first n rows of ``held`` and with ``more``.

    ``held`` itself where it has room behind its n rows; otherwise a copy that has.
    """
    needed = n + len(more)
    if needed > len(held):
        grown = held.new_empty((needed + int(_ROOM * needed), *held.shape[1:]))
        grown[:n] = held[:n]
        held = grown
    held[n:needed] = more
    return held
