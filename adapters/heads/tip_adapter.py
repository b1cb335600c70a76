"""Tip-Adapter and Tip-Adapter++: zero-shot logits plus a vote of the support images.

Tip-Adapter (Zhang et al., ECCV 2022) compares images by the frozen CLIP embedding, which was
trained to be compared with texts; Tip-Adapter++ (Kravets & Namboodiri, BMVC 2024) by the
embedding corrected for intra-modal overlap. The equation is the same.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.cached import CachedHead, View
from adapters.heads.head import Change
from adapters.tuning.cache_votes import cache_terms, left_out_votes, mean_shots
from adapters.tuning.search import search
from adapters.tuning.votes import Votes

# Sound without evidence (a single shot everywhere). Chosen on one-shot tasks from Caltech-101
# with meaningful and with meaningless names; see docs/leave-one-out.md.
DEFAULT_BETA = 2.0
DEFAULT_ALPHA = 64.0


def cache_logits(
    affinity: Tensor,
    columns: Tensor,
    alpha: float,
    beta: float,
    n_classes: int,
    values: Tensor | None = None,
) -> Tensor:
    """``α · exp(−β(1 − A)) L`` with L given by the column of each key.

    Args:
        affinity: (n, k) cosine similarities of queries and keys.
        columns: (n, k) int64 column of each key's class, the one of every row of L.
        alpha: Weight of the cache against the zero-shot term.
        beta: Sharpness; large values let only the nearest keys vote.
        n_classes: N, the number of columns.
        values: (n, k) what replaces the one of every row of L; ones if None.

    Returns:
        (n, N) logits.
    """
    votes = torch.exp(-beta * (1 - affinity))
    if values is not None:
        votes = votes * values.to(votes.dtype)
    summed = affinity.new_zeros(len(affinity), n_classes).scatter_add_(1, columns, votes)
    return alpha * summed


def tuned_shots(parameters: dict[str, float], columns: Tensor, n_classes: int) -> float:
    """The mean shots that α was tuned with; those of these images if the tuning has none."""
    return parameters.get("shots", mean_shots(columns, n_classes))


def balance(columns: Tensor, n_classes: int, shots: float | None = None) -> Tensor:
    """(N,) ``mean shots / shots``: what a vote of each class counts.

    A class with more images would otherwise win by their number alone. With as many images in
    every class these are ones, and the votes are the papers' plain sum.

    Args:
        columns: (n,) int64 column of each image's class.
        n_classes: N.
        shots: The mean that α was tuned with; that of these images if None.
    """
    mean = mean_shots(columns, n_classes) if shots is None else shots
    return mean / torch.bincount(columns, minlength=n_classes).clamp(min=1)


class TipAdapter(CachedHead):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − T_q Fᵀ)) L``.

    L is balanced: its rows are ``mean shots / shots of the class`` (:func:`balance`), the papers'
    one-hot where classes have equally many images.

    Incremental: adding m images adds m keys, removing them takes these out. Refitted: nothing.
    Tuning costs one n × n product of the support set with itself, and its exponentials.
    """

    view: ClassVar[View] = "frozen"

    def _choose(
        self, known: ClassSet, support: SupportSet, base: Tensor, votes: Votes, trust: float
    ) -> tuple[dict[str, float], Tensor]:
        columns = known.columns(support.labels)
        terms = cache_terms(self.keys(support.embeddings), columns, votes, len(known))
        found = search(base, terms, votes, trust)
        shots = mean_shots(columns, len(known))
        return found.parameters | {"alpha": found.weight, "shots": shots}, found.values

    def _defaults(self, trust: float) -> dict[str, float]:
        return {"alpha": DEFAULT_ALPHA * trust, "beta": DEFAULT_BETA}

    def _refit(self, change: Change | None) -> None:
        super()._refit(change)
        columns = self.classes_.columns(self.support_.labels)
        self._balance = balance(columns, len(self.classes_), self.tuning_.parameters.get("shots"))

    def _term(self, queries: ImageEmbeddings, n_matches: int | None) -> tuple[Tensor, Matches]:
        matches = self.cache_.search(self.keys(queries))
        columns = self.classes_.columns(matches.labels)
        alpha, beta = self.tuning_.parameters["alpha"], self.tuning_.parameters["beta"]
        term = cache_logits(
            matches.similarities,
            columns,
            alpha,
            beta,
            len(self.classes_),
            self._values(matches, columns),
        )
        return term, matches.first(n_matches)

    def _values(self, matches: Matches, columns: Tensor) -> Tensor:
        """(n, k) what the vote of each matched key counts; ``columns`` are those of its class."""
        return self._balance[columns]

    def _left_out_term(
        self, classes: ClassSet, support: SupportSet, parameters: dict[str, float]
    ) -> Tensor:
        columns = classes.columns(support.labels)
        shots = tuned_shots(parameters, columns, len(classes))
        keys = self.keys(support.embeddings)
        votes = left_out_votes(keys, columns, len(classes), parameters["beta"])
        return parameters["alpha"] * shots * votes


class TipAdapterPlusPlus(TipAdapter):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − U_q Gᵀ)) L``: images compared as corrected."""

    view = "corrected"
