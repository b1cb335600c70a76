"""Tip-X and Tip-X++: Tip-Adapter plus a comparison of images by what the class texts say of them.

Udandarao et al., *SuS-X: Training-Free Name-Only Transfer of Vision-Language Models*, ICCV 2023.
Every image has a *signature*, its softmax over the class texts, and the Kullback-Leibler
divergence M of the query's signature from a support image's is small where the texts see the same
in both. Tip-X++ has the affinity of Tip-Adapter++ beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, View
from adapters.heads.head import Head
from adapters.heads.tip_adapter import (
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    VoteParameters,
    VotingHead,
    chosen_votes,
)
from adapters.memory import Storages, storages
from adapters.products import inner_products
from adapters.rest import Rest, no_rest, parts
from adapters.systematic_sampling import evenly
from adapters.tuning.cache_votes import left_out_shots
from adapters.tuning.search import WEIGHTS, search, standardised
from adapters.tuning.tuning import Parameters
from adapters.tuning.votes import MAX_VOTES, Votes

# Of the softmax that makes signatures (SuS-X). Cosines, not logits, are divided by it.
SIGNATURE_TEMPERATURE = 0.5
# Sound without evidence; see docs/leave-one-out.md.
DEFAULT_GAMMA = 16.0


def log_signatures(images: Tensor, texts: Tensor) -> Tensor:
    """``log softmax(T Wᵀ / 0.5)``: (n, d) images and (N, d) class texts give (n, N)."""
    return (inner_products(images, texts) / SIGNATURE_TEMPERATURE).log_softmax(dim=1)


def divergences(queries: Tensor, support: Tensor) -> Tensor:
    """``KL(r_q ‖ s_j)`` of log-signatures (n, N) and (m, N), as (n, m).

    The cross term is an inner product: ``Σ r log r − r · log s``.
    """
    r = queries.exp()
    return (r * queries).sum(dim=1, keepdim=True) - inner_products(r, support)


@dataclass(frozen=True, slots=True)
class Rescaling:
    """φ: maps the range of the divergences linearly to that of the affinities.

    The authors take both ranges from the whole test batch, which makes an answer depend on what
    else is asked. These are those of the support set (pairs i ≠ j), and frozen.
    """

    slope: float
    offset: float

    @classmethod
    def of(cls, divergence: Tensor, affinity: Tensor) -> Self:
        """Fit to the (n, n) divergences and affinities of the support images with each other.

        φ is zero where there is no range but rounding: a single image, or all alike.
        """
        off_diagonal = ~torch.eye(len(divergence), dtype=torch.bool)
        m, a = divergence[off_diagonal], affinity[off_diagonal]
        if m.numel() == 0 or m.max() - m.min() <= 1e-5 * m.abs().max():
            return cls(0.0, 0.0)
        slope = float((a.max() - a.min()) / (m.max() - m.min()))
        return cls(slope, float(a.min()) - slope * float(m.min()))

    def __call__(self, divergence: Tensor) -> Tensor:
        """φ of divergences of any shape."""
        return self.slope * divergence + self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class TipXParameters(VoteParameters):
    """How the keys vote, and what signatures count.

    Attributes:
        gamma: γ, the weight of the signatures; 0 if None.
    """

    gamma: float | None = None


class TipX(VotingHead[TipXParameters]):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − T_q Fᵀ)) L − γ · φ(M) L``, L balanced.

    φ is linear and so is the divergence in log s, so the mean of φ(M) over the images of a class is
    φ of the divergence from their mean log-signature. The last term is thus exactly one inner
    product with N rows: O(N²) a query however many images there are, and nothing to search.
    Without meaningful names there are no signatures,
    and this is Tip-Adapter.

    Incremental: the cache, and signatures while the classes stay, O(m · N · d). Refitted with each
    tuning: φ, from the pairs of at most 2048 support images. Tuning: γ after α and β, which are
    those of Tip-Adapter.
    """

    view: ClassVar[View] = "frozen"
    parameters: ClassVar[type[Parameters]] = TipXParameters

    def _choose(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        base: Tensor,
        votes: Votes,
        trust: float,
        rest: Rest,
    ) -> tuple[TipXParameters, Tensor]:
        keys, columns = self.keys(images.embeddings), known.columns(images.labels)
        plain, values = chosen_votes(keys, columns, len(known), base, votes, trust, rest=rest)
        parameters = TipXParameters(beta=plain.beta, alpha=plain.alpha, shots=plain.shots)
        if known.texts is None:
            return parameters, values
        shots = parameters.shots_of(columns, len(known))
        term = shots * self._left_out_signature_term(known, images, votes.rows, rest)
        found = search(
            base + values, [standardised(term)], votes, trust, (0.0, *WEIGHTS), rest=rest
        )
        return replace(parameters, gamma=found.weight), values + found.values

    def _defaults(self, trust: float) -> TipXParameters:
        return TipXParameters(
            alpha=DEFAULT_ALPHA * trust, beta=DEFAULT_BETA, gamma=DEFAULT_GAMMA * trust
        )

    def _fit(self, images: LabelledEmbeddings) -> None:
        known = self.classes_.with_images(images.labels)
        self._texts = known.texts
        self._sums = images.embeddings.frozen.new_empty(0)
        if self._texts is not None and len(images) > 0:
            self._rescaling = self._fitted_rescaling(images, self._texts)
            sums = self._sums.new_zeros(len(known), len(known))
            self._sums = _with_signatures(sums, images, known)
        self._average()

    def _follow(self, before: Head, change: Change) -> None:
        labels = self.support_.present_labels()
        known = self.classes_.with_images(labels)
        assert isinstance(before, TipX)  # noqa: S101 - a copy of it
        same = known.ids.equal(before.classes_.ids[before.present_])
        if self._texts is None or not same or change.classes is not None:
            self._fit_anew()  # other texts, other signatures
            return
        # φ stays: its range is that of the images that it was tuned on.
        sums = self._sums.clone()
        if change.removed is not None:
            gone = before.support_.rows(before.support_.find(change.removed)).labelled
            sums = _with_signatures(sums, gone, known, -1)
        if change.added is not None:
            sums = _with_signatures(sums, change.added.labelled, known)
        self._sums = sums
        self._average()

    def _average(self) -> None:
        shots = self.shots_[self.present_]
        self._class_log_signatures = self._sums
        if len(self._sums):
            self._class_log_signatures = self._sums / shots.unsqueeze(1)
        self._shots = self._shots_of_alpha()

    def _beside(self, queries: ImageEmbeddings) -> Tensor | None:
        gamma = self.parameters_.gamma
        if self._texts is None or not len(self._class_log_signatures) or not gamma:
            return None
        r = log_signatures(queries.frozen, self._texts)
        phi = self._rescaling(divergences(r, self._class_log_signatures))
        return -gamma * self._shots * phi

    def _derived(self) -> Storages:
        return {
            **super()._derived(),
            **storages(self._texts, self._sums, self._class_log_signatures),
        }

    def _left_out_term(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        parameters: TipXParameters,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        term = super()._left_out_term(classes, images, parameters, rows, rest)
        known = classes.with_images(images.labels)
        if known.texts is not None:
            present = classes.have_images(images.labels)
            shots = parameters.shots_of(known.columns(images.labels), len(known))
            more = shots * self._left_out_signature_term(known, images, rows, rest)
            term[:, present] += (parameters.gamma or 0.0) * more
        return term

    def _left_out_signature_term(
        self, known: ClassSet, images: LabelledEmbeddings, rows: Tensor, rest: Rest
    ) -> Tensor:
        """(m, N) means of ``−φ(M)`` over each class's images, of (m,) images without themselves."""
        assert known.texts is not None  # noqa: S101 - both callers have looked
        frozen, columns = images.embeddings.frozen, known.columns(images.labels)
        sums = frozen.new_zeros(len(known), len(known))
        sums = _with_signatures(sums, images, known, rest=rest)
        rescaled = self._fitted_rescaling(images, known.texts, rest)
        term = frozen.new_empty(len(rows), len(known))
        for some in parts(len(rows), len(known) * (frozen.shape[1] + len(known)), rest):
            of = rows[some]
            log_s, labels = log_signatures(frozen[of], known.texts), columns[of]
            r = log_s.exp()
            negentropy = (r * log_s).sum(dim=1, keepdim=True)
            cross = r @ sums.T
            cross.scatter_add_(1, labels.unsqueeze(1), -negentropy)
            term[some] = -rescaled(negentropy - cross / left_out_shots(columns, len(known), of))
        return term

    def _fitted_rescaling(
        self, images: LabelledEmbeddings, texts: Tensor, rest: Rest = no_rest
    ) -> Rescaling:
        some = images.embeddings[evenly(len(images), MAX_VOTES)]
        log_s, keys = log_signatures(some.frozen, texts), self.keys(some)
        rest()
        return Rescaling.of(divergences(log_s, log_s), keys @ keys.T)


def _with_signatures(
    sums: Tensor,
    images: LabelledEmbeddings,
    known: ClassSet,
    sign: int = 1,
    *,
    rest: Rest = no_rest,
) -> Tensor:
    """(N, N) sums of log-signatures by class, with those of more images; O(n · N · d)."""
    assert known.texts is not None  # noqa: S101 - callers have looked
    columns, frozen = known.columns(images.labels), images.embeddings.frozen
    for some in parts(len(columns), len(known) * (frozen.shape[1] + 16), rest):
        sums.index_add_(0, columns[some], log_signatures(frozen[some], known.texts), alpha=sign)
    return sums


class TipXPlusPlus(TipX):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − U_q Gᵀ)) L − γ · φ(M) L``, L balanced.

    The affinity, and with it the range of φ, is that of the corrected embedding.
    """

    view = "corrected"
