"""GDA and GDA++: Gaussian discriminant analysis added to the zero-shot logits.

Wang et al., *A Hard-to-Beat Baseline for Training-free CLIP-based Adaptation*, ICLR 2024; GDA++
computes it on the embedding corrected for intra-modal overlap.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from adapters.cache import Matches
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.gaussians import SharedGaussians
from adapters.heads.cached import CachedHead, View
from adapters.products import inner_products
from adapters.span import features
from adapters.tuning.search import search, standardised
from adapters.tuning.votes import Votes

# Sound without evidence: with one image a class the discriminant is the similarity with that
# image. Chosen on one-shot tasks from Caltech-101; see docs/leave-one-out.md.
DEFAULT_ALPHA = 32.0
# One weight is all there is to choose, so cross-entropy may decide more often
# than it does for caches: 0.1 to 0.3 points better on generic tasks of 4 to 16 shots.
TOLERANCE = 0.05


class GDA(CachedHead):
    """``logit_scale · T_q Wᵀ + α · (T_q P μᵀ − ½ μ P μᵀ + b)``, classes as Gaussians.

    b gives back to each class what the noise of its mean took: the mean of c images makes
    ``½ μ P μᵀ`` too large by half of a c-th of the spread, so that classes of few images would
    lose to those of many, and left-out images to everything. Where classes have equally many
    images it is the same for all and changes no answer. Where no embedding has a negative
    component, x is its square root (:func:`adapters.span.features`).

    Refitted at every change: means and covariance, O(n · r² + r³) with r = min(n, d). Incremental:
    the cache that evidence is looked up in. A query costs O(N · d) and the evidence.
    """

    view: ClassVar[View] = "frozen"

    def _choose(
        self, known: ClassSet, support: SupportSet, base: Tensor, votes: Votes, trust: float
    ) -> tuple[dict[str, float], Tensor]:
        gaussians = self._gaussians(known, support)
        scores = gaussians.left_out()[0][votes.rows]
        found = search(base, [standardised(scores)], votes, trust, tolerance=TOLERANCE)
        return {
            "alpha": found.weight,
            "spread": float(gaussians.spread_),
            "images": float(len(support)),
        }, found.values

    def _defaults(self, trust: float) -> dict[str, float]:
        return {"alpha": DEFAULT_ALPHA * trust}

    def _refit(self, change: Change | None) -> None:
        super()._refit(change)
        if len(self.support_) == 0:
            return
        known = self.classes_.with_images(self.support_.labels)
        # A tuning without these asks for the equation as published.
        n_distinct = self.tuning_.parameters.get("images")
        spread = self.tuning_.parameters.get("spread", 0.0)
        gaussians = self._gaussians(known, self.support_, n_distinct)
        self._skewed = gaussians.skewed_
        alpha = self.tuning_.parameters["alpha"]
        weights, bias = gaussians.linear()
        self._weights = alpha * weights
        self._bias = alpha * (bias + spread / (2 * gaussians.shots_))

    def _term(
        self, queries: ImageEmbeddings, zero_shot: Tensor, n_matches: int | None
    ) -> tuple[Tensor, Matches]:
        keys = self.keys(queries)
        term = inner_products(features(keys, self._skewed), self._weights) + self._bias
        if len(self._bias) < len(self.classes_):
            scores = term
            term = keys.new_zeros(len(keys), len(self.classes_))
            term[:, self.present_] = scores
        return term, self.cache_.search(keys, n_matches)

    def _left_out_term(
        self, classes: ClassSet, support: SupportSet, parameters: dict[str, float]
    ) -> Tensor:
        known = classes.with_images(support.labels)
        scores = self._gaussians(known, support, parameters.get("images")).left_out()[0]
        term = scores.new_zeros(len(scores), len(classes))
        term[:, classes.have_images(support.labels)] = parameters["alpha"] * scores
        return term

    def _gaussians(
        self, known: ClassSet, support: SupportSet, n_distinct: float | None = None
    ) -> SharedGaussians:
        keys = self.keys(support.embeddings)
        return SharedGaussians(n_distinct=n_distinct).fit(
            keys, known.columns(support.labels), len(known)
        )


class GDAPlusPlus(GDA):
    """``logit_scale · T_q Wᵀ + α · (U_q P μᵀ − ½ μ P μᵀ + b)``: Gaussians of corrected images."""

    view = "corrected"
