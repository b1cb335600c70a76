"""Tip-Adapter and Tip-Adapter++: zero-shot logits plus a vote of the support images.

Tip-Adapter (Zhang et al., ECCV 2022) compares images by the frozen CLIP embedding, which was
trained to be compared with texts; Tip-Adapter++ (Kravets & Namboodiri, BMVC 2024) by the
embedding corrected for intra-modal overlap. The equation is the same.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from adapters.cache import KeyValueCache
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.head import Head, Scores
from adapters.heads.zero_shot import zero_shot_logits
from adapters.tuning.leave_one_out import leave_one_out
from adapters.tuning.tuning import Tuning


def cache_logits(
    affinity: Tensor, columns: Tensor, alpha: float, beta: float, n_classes: int
) -> Tensor:
    """``α · exp(−β(1 − A)) L`` with L given by the column of each key.

    Args:
        affinity: (n, k) cosine similarities of queries and keys.
        columns: (n, k) int64 column of each key's class, the one of every row of L.
        alpha: Weight of the cache against the zero-shot term.
        beta: Sharpness; large values let only the nearest keys vote.
        n_classes: N, the number of columns.

    Returns:
        (n, N) logits.
    """
    votes = torch.exp(-beta * (1 - affinity))
    summed = affinity.new_zeros(len(affinity), n_classes).scatter_add_(1, columns, votes)
    return alpha * summed


class TipAdapter(Head):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − T_q Fᵀ)) L``.

    Adding m images adds m keys and removing them takes these out; α, β and the temperature
    come from leave-one-out over the support set (``tune``: about one n × n product).
    """

    uses_images = True
    view: ClassVar[Literal["frozen", "corrected"]] = "frozen"

    cache_: KeyValueCache

    def keys(self, embeddings: ImageEmbeddings) -> Tensor:
        """The embedding by which this head compares images."""
        return getattr(embeddings, self.view)  # type: ignore[no-any-return]

    def store(self, support: SupportSet) -> None:
        """Build the cache from the whole support set."""
        self.cache_ = KeyValueCache(self.keys(support.embeddings).shape[1])
        self.add(support)

    def add(self, support: SupportSet) -> None:
        """Add keys; O(m · width) for m images."""
        self.cache_.add(support.ids, self.keys(support.embeddings), support.labels)

    def remove(self, ids: Tensor) -> None:
        """Remove keys; moves those behind them in memory."""
        self.cache_.remove(ids)

    def tune(self, classes: ClassSet, support: SupportSet) -> Tuning:
        """Choose α, β and the temperature by leave-one-out over the support images."""
        return leave_one_out(
            zero_shot=zero_shot_logits(support.embeddings.frozen, classes, self.logit_scale),
            keys=self.keys(support.embeddings),
            columns=classes.columns(support.labels),
        )

    def score(self, queries: ImageEmbeddings) -> Scores:
        """Score by class texts and by all keys; O(n · keys · width)."""
        matches = self.cache_.search(self.keys(queries))
        return Scores(
            zero_shot=zero_shot_logits(queries.frozen, self.classes_, self.logit_scale),
            cache=cache_logits(
                matches.similarities,
                self.classes_.columns(matches.labels),
                self.tuning_.parameters["alpha"],
                self.tuning_.parameters["beta"],
                len(self.classes_),
            ),
            matches=matches,
        )


class TipAdapterPlusPlus(TipAdapter):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − U_q Gᵀ)) L``: images compared as corrected."""

    view = "corrected"
