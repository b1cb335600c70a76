"""Tip-Adapter and Tip-Adapter++: zero-shot logits plus a vote of the support images.

Tip-Adapter (Zhang et al., ECCV 2022) compares images by the frozen CLIP embedding, which was
trained to be compared with texts; Tip-Adapter++ (Kravets & Namboodiri, BMVC 2024) by the
embedding corrected for intra-modal overlap. The equation is the same.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from adapters.cache import GpuCache, KeyValueCache, Matches, PartitionedCache
from adapters.cache.contest import Contest
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.cached import CachedHead, View
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
    A query costs O(n · d), or less where there are very many keys (docs/cache.md).
    Tuning costs one n × n product of the support set with itself, and its exponentials.
    """

    view: ClassVar[View] = "frozen"

    #: Decides which keys matter, where there are very many.
    contest_: Contest

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
        if isinstance(self.cache_, PartitionedCache):
            self.contest_ = self._new_contest(self.cache_)
            return
        # What a query would otherwise be asked for each time.
        self._columns = self.classes_.columns(self.cache_.labels)
        parameters = self.tuning_.parameters
        balanced = balance(self._columns, len(self.classes_), parameters.get("shots"))
        self._class_weights = parameters["alpha"] * balanced

    def _new_contest(self, cache: PartitionedCache) -> Contest:
        parameters, columns = self.tuning_.parameters, self.present_.nonzero().flatten()
        labels = self.classes_.ids[columns].tolist()
        places = cache.places(labels)
        counts = cache.counts(places)
        shots = parameters.get("shots", counts.mean())
        return Contest(
            cache,
            places,
            columns.numpy(),
            parameters["alpha"] * shots / counts,
            parameters["beta"],
            self.tuning_.temperature,
            parameters.get("absent", 0.0),
        )

    def _term(
        self, queries: ImageEmbeddings, zero_shot: Tensor, n_matches: int | None
    ) -> tuple[Tensor, Matches]:
        keys, beside = self.keys(queries), self._beside(queries)
        if isinstance(self.cache_, PartitionedCache):
            return self._contested(self.cache_, queries, zero_shot, beside, n_matches)
        if isinstance(self.cache_, GpuCache):
            term, matches = self._on_gpu(self.cache_, keys, n_matches)
        else:
            similarities = self.cache_.similarities(keys)
            votes = self._votes(self.cache_, similarities)
            term = votes.new_zeros(len(votes), len(self.classes_))
            term.index_add_(1, self._columns, votes)
            matches = self.cache_.nearest(similarities, n_matches)
        term *= self._class_weights
        if beside is not None:
            term[:, self.present_] += beside
        return term, matches

    def _on_gpu(
        self, cache: GpuCache, keys: Tensor, n_matches: int | None
    ) -> tuple[Tensor, Matches]:
        labels = self.classes_.ids[self.present_].tolist()
        votes, matches = cache.answer(keys, self.tuning_.parameters["beta"], labels, n_matches)
        term = votes.new_zeros(len(votes), len(self.classes_))
        term[:, self.present_] = votes
        return term, matches

    def _votes(self, cache: KeyValueCache, similarities: Tensor) -> Tensor:
        """(n, m) votes of the m keys, ``exp(−β(1 − A))``."""
        return cache.votes(similarities, self.tuning_.parameters["beta"])

    def _beside(self, queries: ImageEmbeddings) -> Tensor | None:
        """(n, P) what is added to the votes of the P classes with images; None: nothing."""
        return None

    def _contested(
        self,
        cache: PartitionedCache,
        queries: ImageEmbeddings,
        zero_shot: Tensor,
        beside: Tensor | None,
        n_matches: int | None,
    ) -> tuple[Tensor, Matches]:
        keys = self.keys(queries).float().numpy()
        found = cache.find(keys, n_matches or 0)
        besides = None if beside is None else beside.double().numpy()
        votes, _ = self.contest_.votes(keys, zero_shot.double().numpy(), besides, found)
        term = torch.from_numpy(votes).to(zero_shot.dtype)
        if beside is not None:
            term += beside
        if len(self.contest_.columns) < len(self.classes_):
            present, term = term, torch.zeros_like(zero_shot)
            term[:, self.present_] = present
        if n_matches is None:
            return term, cache.search(self.keys(queries))
        return term, cache.best(keys, found, n_matches)

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
