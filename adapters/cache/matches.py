"""The support images that a query resembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


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

    @staticmethod
    def none(n: int) -> Matches:
        """Return no matches for each of n queries."""
        nothing = torch.empty((n, 0), dtype=torch.int64)
        return Matches(torch.empty(n, 0), nothing, nothing)

    @staticmethod
    def best(similarities: Tensor, ids: Tensor, labels: Tensor, k: int | None) -> Matches:
        """The ``k`` most similar of all keys, or all of them sorted where ``k`` is None.

        Args:
            similarities: (n, m) of every query with every key.
            ids: (m,) int64 identifiers of the keys.
            labels: (m,) int64 class identifiers of these.
            k: At most this many; never more than there are keys.
        """
        m = len(ids)
        if k is None or k >= m:
            values, at = similarities.sort(dim=1, descending=True)
        else:
            values, at = similarities.topk(k, dim=1)
        return Matches(values, ids[at], labels[at])

    @staticmethod
    def concatenate(parts: Sequence[Matches]) -> Matches:
        """Stack the matches of several blocks of queries, equally many for each query."""
        return Matches(
            torch.cat([part.similarities for part in parts]),
            torch.cat([part.ids for part in parts]),
            torch.cat([part.labels for part in parts]),
        )
