"""Tip-Adapter and Tip-Adapter++: zero-shot logits plus a vote of the support images.

Tip-Adapter (Zhang et al., ECCV 2022) compares images by the frozen CLIP embedding, which was
trained to be compared with texts; Tip-Adapter++ (Kravets & Namboodiri, BMVC 2024) by the
embedding corrected for intra-modal overlap. The equation is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from adapters.cache import ClassVotes, Matches, VoteEquation
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, View
from adapters.heads.cached import CachedHead
from adapters.heads.head import Head
from adapters.heads.term import TermParameters
from adapters.memory import Storages
from adapters.rest import Rest, no_rest
from adapters.tuning.cache_votes import cache_terms, left_out_votes, mean_shots
from adapters.tuning.search import search
from adapters.tuning.tuning import Parameters
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteParameters(TermParameters):
    """How the keys of a cache vote.

    Attributes:
        beta: β, the sharpness.
        alpha: α, the weight against the zero-shot term.
        shots: The mean shots that α was tuned with; those of the images at hand if None.
    """

    beta: float
    alpha: float
    shots: float | None = None

    def shots_of(self, columns: Tensor, n_classes: int) -> float:
        """The mean shots that the votes are balanced to.

        Args:
            columns: (n,) int64 column of each image's class.
            n_classes: N.
        """
        return mean_shots(columns, n_classes) if self.shots is None else self.shots


V = TypeVar("V", bound=VoteParameters)


class VotingHead(CachedHead[V]):
    """A head whose term is the vote of a cache's keys, and perhaps something beside it.

    Incremental: adding m images adds m keys, removing them takes these out. A query costs
    O(n · d), or less where there are very many keys (docs/cache.md). Tuning costs one n × n product
    of the support set with itself, and its exponentials.
    """

    _votes: ClassVotes

    def _fit(self, images: LabelledEmbeddings) -> None:
        """There is nothing but the cache."""

    def _follow(self, before: Head, change: Change) -> None:
        """There is nothing but the cache."""

    def _ask_cache(self) -> None:
        self._votes = self.cache_.votes(self._equation())

    def _equation(self) -> VoteEquation:
        parameters = self.parameters_
        return VoteEquation(
            classes=self.classes_,
            present=self.present_,
            alpha=parameters.alpha,
            beta=parameters.beta,
            shots=self._shots_of_alpha(),
            temperature=self.tuning_.temperature,
            absent=parameters.absent or 0.0,
        )

    def _shots_of_alpha(self) -> float:
        """The mean shots that the votes are balanced to."""
        tuned = self.parameters_.shots
        mean = len(self.support_) / max(int(self.present_.sum()), 1)
        return mean if tuned is None else tuned

    def _term(
        self, queries: ImageEmbeddings, zero_shot: Tensor, n_matches: int | None
    ) -> tuple[Tensor, Matches]:
        return self._votes(self.keys(queries), zero_shot, self._beside(queries), n_matches)

    def _beside(self, queries: ImageEmbeddings) -> Tensor | None:
        """(n, P) what is added to the votes of the P classes with images; None: nothing."""
        return None

    def _left_out_term(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        parameters: V,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        columns = classes.columns(images.labels)
        shots = parameters.shots_of(columns, len(classes))
        keys = self.keys(images.embeddings)
        votes = left_out_votes(keys, columns, len(classes), parameters.beta, rows=rows, rest=rest)
        return parameters.alpha * shots * votes

    def _derived(self) -> Storages:
        return {**super()._derived(), **self._votes.storages()}


def chosen_votes(
    keys: Tensor,
    columns: Tensor,
    n_classes: int,
    base: Tensor,
    votes: Votes,
    trust: float,
    *,
    rest: Rest = no_rest,
) -> tuple[VoteParameters, Tensor]:
    """Search α and β of a cache with these keys.

    Args:
        keys: (n, d) unit vectors.
        columns: (n,) int64 column of each key's class; all N classes have keys.
        n_classes: N.
        base: (v, N) zero-shot logits of the voters.
        votes: Who votes.
        trust: Temperature at which zero-shot logits are calibrated.
        rest: Called every few milliseconds.

    Returns:
        The parameters, and the (v, N) term that they give.
    """
    terms = cache_terms(keys, columns, votes, n_classes, rest=rest)
    found = search(base, terms, votes, trust, rest=rest)
    shots = mean_shots(columns, n_classes)
    return VoteParameters(beta=found.setting, alpha=found.weight, shots=shots), found.values


class TipAdapter(VotingHead[VoteParameters]):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − T_q Fᵀ)) L``, L balanced.

    Refitted: nothing.
    """

    view: ClassVar[View] = "frozen"
    parameters: ClassVar[type[Parameters]] = VoteParameters

    def _choose(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        base: Tensor,
        votes: Votes,
        trust: float,
        rest: Rest,
    ) -> tuple[VoteParameters, Tensor]:
        keys, columns = self.keys(images.embeddings), known.columns(images.labels)
        return chosen_votes(keys, columns, len(known), base, votes, trust, rest=rest)

    def _defaults(self, trust: float) -> VoteParameters:
        return VoteParameters(alpha=DEFAULT_ALPHA * trust, beta=DEFAULT_BETA)


class TipAdapterPlusPlus(TipAdapter):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − U_q Gᵀ)) L``: images compared as corrected."""

    view = "corrected"
