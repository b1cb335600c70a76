"""GDA and GDA++: Gaussian discriminant analysis added to the zero-shot logits.

Wang et al., *A Hard-to-Beat Baseline for Training-free CLIP-based Adaptation*, ICLR 2024; GDA++
computes it on the embedding corrected for intra-modal overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, LabelledEmbeddings, View
from adapters.gaussians import SharedGaussians
from adapters.growing_support import moves
from adapters.heads.discriminant import DiscriminantHead
from adapters.heads.head import Head
from adapters.heads.term import TermParameters
from adapters.memory import Storages, storages
from adapters.products import inner_products
from adapters.rest import Rest, no_rest
from adapters.running_gaussians import DriftedError, RunningGaussians
from adapters.span import features
from adapters.tuning.search import search, standardised
from adapters.tuning.tuning import Parameters
from adapters.tuning.votes import Votes

# Sound without evidence: with one image a class the discriminant is the similarity with that
# image. Chosen on one-shot tasks from Caltech-101; see docs/leave-one-out.md.
DEFAULT_ALPHA = 32.0
# One weight is all there is to choose, so cross-entropy may decide more often
# than it does for caches: 0.1 to 0.3 points better on generic tasks of 4 to 16 shots.
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GDAParameters(TermParameters):
    """The weight of the discriminants, and what they were tuned on.

    A tuning without ``spread`` and ``images`` asks for the equation as published.

    Attributes:
        alpha: α.
        spread: Expected squared distance of an image from its class's mean; 0 if None.
        images: Distinct images that the covariance was tuned with; all at hand if None.
    """

    alpha: float
    spread: float | None = None
    images: float | None = None


class GDA(DiscriminantHead[GDAParameters]):
    """``logit_scale · T_q Wᵀ + α · (T_q P μᵀ − ½ μ P μᵀ + b)``, classes as Gaussians.

    b gives back to each class what the noise of its mean took: the mean of c images makes
    ``½ μ P μᵀ`` too large by half of a c-th of the spread, so that classes of few images would
    lose to those of many, and left-out images to everything. Where classes have equally many
    images it is the same for all and changes no answer. Where no embedding has a negative
    component, x is its square root (:func:`adapters.span.features`).

    Incremental: the cache that evidence is looked up in, and, from ``FOLLOWED_FROM`` images on,
    means and covariance, O(m · (r · d + N · d + r²)) with r = min(n, d). Of fewer, and with each
    tuning, they are refitted, O(n · r² + r³). A query costs O(N · d) and the evidence.
    """

    view: ClassVar[View] = "frozen"
    parameters: ClassVar[type[Parameters]] = GDAParameters

    _running: RunningGaussians | None
    _weights: Tensor
    _bias: Tensor

    def _choose(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        base: Tensor,
        votes: Votes,
        trust: float,
        rest: Rest,
    ) -> tuple[GDAParameters, Tensor]:
        parameters, scores = self.untuned(known, images, votes.rows, rest)
        found = search(base, [standardised(scores)], votes, trust, tolerance=TOLERANCE, rest=rest)
        return replace(parameters, alpha=found.weight), found.values

    def untuned(
        self, known: ClassSet, images: LabelledEmbeddings, rows: Tensor, rest: Rest
    ) -> tuple[GDAParameters, Tensor]:
        """Parameters of α = 1, and the (m, N) discriminants of (m,) images, each left out.

        Args:
            known: The N classes, all of which have images.
            images: The support images.
            rows: (m,) those that are asked for.
            rest: Called every few milliseconds.
        """
        gaussians = self._gaussians(known, images, rest=rest)
        scores = gaussians.left_out(rows, rest=rest)[0]
        spread, n_images = float(gaussians.spread_), float(len(images))
        return GDAParameters(alpha=1.0, spread=spread, images=n_images), scores

    def _defaults(self, trust: float) -> GDAParameters:
        return GDAParameters(alpha=DEFAULT_ALPHA * trust)

    def _fit(self, images: LabelledEmbeddings) -> None:
        self._running = None
        self._weights = self._bias = torch.empty(0)
        if len(images) == 0:
            return
        known = self.classes_.with_images(images.labels)
        gaussians = self._gaussians(known, images, self.parameters_.images)
        self._skewed = gaussians.skewed_
        self._serve(gaussians.running(known.ids))

    def _follow(self, before: Head, change: Change) -> None:
        """By rank-k updates, λ and the share of the covariance staying as they were tuned."""
        labels = self.classes_.ids[self.present_]
        running = self._running
        if running is None or len(labels) == 0:
            self._fit_anew()
            return
        try:
            self._serve(
                running.moved(moves(before.support_, change, self.view, self._skewed), labels)
            )
        except DriftedError:
            self._fit_anew()

    def _serve(self, running: RunningGaussians) -> None:
        """The discriminants' weights and bias."""
        parameters = self.parameters_
        self._running = running
        weights, bias = running.linear()
        self._weights = parameters.alpha * weights
        self._bias = parameters.alpha * (bias + (parameters.spread or 0.0) / (2 * running.shots))

    def _scores(self, keys: Tensor) -> Tensor:
        return inner_products(features(keys, self._skewed), self._weights) + self._bias

    def _left_out_scores(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        parameters: GDAParameters,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        gaussians = self._gaussians(known, images, parameters.images, rest)
        return parameters.alpha * gaussians.left_out(rows, rest=rest)[0]

    def fitted(self) -> Storages:
        """What is fitted, in memory; without the cache."""
        of_running = {} if self._running is None else self._running.storages()
        return {**of_running, **storages(self._weights, self._bias)}

    def _gaussians(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        n_distinct: float | None = None,
        rest: Rest = no_rest,
    ) -> SharedGaussians:
        scatter = images.scatter(self.view, known.columns(images.labels), len(known), rest)
        return SharedGaussians(n_distinct=n_distinct).fit_scatter(scatter, rest)


class GDAPlusPlus(GDA):
    """``logit_scale · T_q Wᵀ + α · (U_q P μᵀ − ½ μ P μᵀ + b)``: Gaussians of corrected images."""

    view = "corrected"
