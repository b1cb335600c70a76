"""KRR and KRR++: kernel ridge regression added to the zero-shot logits.

After ProKeR (Bendou et al., CVPR 2025), whose kernel and leave-one-out
:mod:`adapters.kernel_ridge` has; KRR++ compares images by the embedding corrected for intra-modal
overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, LabelledEmbeddings, View
from adapters.heads.discriminant import DiscriminantHead
from adapters.heads.head import Head
from adapters.heads.term import TermParameters
from adapters.kernel_ridge import KernelRidge
from adapters.memory import Storages
from adapters.rest import Rest
from adapters.tuning.search import search, standardised
from adapters.tuning.tuning import Parameters
from adapters.tuning.votes import Votes

# Sound without evidence, in units of the trust in the class names; see docs/leave-one-out.md.
DEFAULT_ALPHA = 14.0
# One weight is all there is to choose: as for GDA.
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class KRRParameters(TermParameters):
    """The weight of the scores.

    Attributes:
        alpha: α.
    """

    alpha: float


class KRR(DiscriminantHead[KRRParameters]):
    """``logit_scale · T_q Wᵀ + α · K_q (K + λD)⁻¹ (Y − 1/N)``.

    Incremental: the cache that evidence is looked up in, and, from ``FOLLOWED_FROM`` images on,
    the inverse, O(m² · k) for k images that come or go. Of fewer, and with each tuning, it is
    refitted, O(m² · d + m³). m is the number of images, or
    1024 to 2048 of more; with more than 512 classes and 1024 images they are the classes' means.
    """

    view: ClassVar[View] = "frozen"
    parameters: ClassVar[type[Parameters]] = KRRParameters

    _ridge: KernelRidge | None

    def _choose(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        base: Tensor,
        votes: Votes,
        trust: float,
        rest: Rest,
    ) -> tuple[KRRParameters, Tensor]:
        scores = self.unweighted(known, images, votes.rows, rest)[0]
        found = search(base, [standardised(scores)], votes, trust, tolerance=TOLERANCE, rest=rest)
        return KRRParameters(alpha=found.weight), found.values

    def _defaults(self, trust: float) -> KRRParameters:
        return KRRParameters(alpha=DEFAULT_ALPHA * trust)

    def unweighted(
        self, known: ClassSet, images: LabelledEmbeddings, rows: Tensor, rest: Rest
    ) -> tuple[Tensor, KernelRidge]:
        """(m, N) scores of support images, each without itself, and the fit that they are of.

        Args:
            known: The N classes, all of which have images.
            images: The support images.
            rows: (m,) those that are asked for.
            rest: Called every few milliseconds.
        """
        ridge = images.ridge(self.view, known.columns(images.labels), len(known), rest)
        return ridge.left_out(self.keys(images.embeddings), rows, rest), ridge

    def _fit(self, images: LabelledEmbeddings) -> None:
        self._ridge = None
        if len(images) == 0:
            return
        known = self.classes_.with_images(images.labels)
        ridge = images.ridge(self.view, known.columns(images.labels), len(known))
        self._ridge = ridge.known_as(known.ids, self.support_.present_ids())

    def _follow(self, before: Head, change: Change) -> None:
        """By the borders of the inverse; where classes come or go, their centre moves: anew."""
        ridge, labels = self._ridge, self.classes_.ids[self.present_]
        if ridge is None or not torch.equal(ridge.labels, labels):
            self._fit_anew()
            return
        none = labels.new_empty(0)
        keys, of_added, ids = ridge.keys[:0], none, none
        if change.added is not None:
            keys, of_added = self.keys(change.added.embeddings), change.added.labels
            ids = change.added.ids
        removed = none if change.removed is None else change.removed
        self._ridge = ridge.moved(removed, keys, of_added, ids)
        if self._ridge is None:
            self._fit_anew()

    def _scores(self, keys: Tensor) -> Tensor:
        if self._ridge is None:
            return keys.new_zeros(len(keys), int(self.present_.sum()))
        return self.parameters_.alpha * self._ridge.scores(keys)

    def _left_out_scores(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        parameters: KRRParameters,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        return parameters.alpha * self.unweighted(known, images, rows, rest)[0]

    def fitted(self) -> Storages:
        """What is fitted, in memory; without the cache."""
        return {} if self._ridge is None else self._ridge.storages()


class KRRPlusPlus(KRR):
    """``logit_scale · T_q Wᵀ + α · K_q (K + λD)⁻¹ (Y − 1/N)`` of corrected images."""

    view = "corrected"
