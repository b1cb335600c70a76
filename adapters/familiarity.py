"""The out-of-distribution score of a classifier, fitted beside its tuning, and after changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, LabelledEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport, moves
from adapters.memory import Storages, storages
from adapters.out_of_distribution import RelativeMahalanobis
from adapters.rest import Rest, no_rest
from adapters.running_gaussians import DriftedError
from adapters.tuning.bursts import one_of_each_burst


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The out-of-distribution score, and which images it does not count.

    Attributes:
        score: None where no class has two images for a covariance.
        copies: (c,) identifiers of near-duplicates that were left out, which would shrink every
            distance: where the threshold is set, and where it is applied.
    """

    score: RelativeMahalanobis | None
    copies: Tensor

    def storages(self) -> Storages:
        """What it holds in memory."""
        of_score = {} if self.score is None else self.score.storages()
        return {**of_score, **storages(self.copies)}

    def moved(self, before: GrowingSupport, change: Change) -> Familiarity | None:
        """The same after a change, whose new images all count; None: it is to be fitted anew."""
        if self.score is None:
            return None
        if change.removed is not None and len(self.copies):
            counted = change.removed[~torch.isin(change.removed, self.copies)]
            change = replace(change, removed=counted)
        try:
            score = self.score.moved(moves(before, change, "corrected", self.score.skewed))
        except DriftedError:
            return None
        return replace(self, score=score)


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a tuning and a fit of the same support set share.

    Attributes:
        images: All images.
        distinct: Those that take part in tuning; ``images`` itself where none is left out.
        copies: (c,) identifiers of the others.
        ood: Fitted on the distinct ones.
    """

    images: LabelledEmbeddings
    distinct: LabelledEmbeddings
    copies: Tensor
    ood: RelativeMahalanobis | None

    @classmethod
    def of(cls, classes: ClassSet, support: SupportSet, rest: Rest = no_rest) -> Fitting:
        """Look for near-duplicates, and fit the score to the others."""
        images = support.labelled
        kept = one_of_each_burst(support, rest=rest)
        distinct = images if kept is support else kept.labelled
        copies = support.ids[~torch.isin(support.ids, kept.ids)]
        return cls(images, distinct, copies, _fitted_ood(classes, distinct, rest))

    def familiarity(self) -> Familiarity:
        """For queries: without the images that it was fitted on."""
        return Familiarity(None if self.ood is None else self.ood.let_go_of_images(), self.copies)


def _fitted_ood(
    classes: ClassSet, images: LabelledEmbeddings, rest: Rest = no_rest
) -> RelativeMahalanobis | None:
    """Fit the out-of-distribution score; None where no class has two images for a covariance."""
    known = classes.with_images(images.labels)
    if len(images) == len(known):
        return None
    columns = known.columns(images.labels)
    scatter = images.scatter("corrected", columns, len(known), rest)
    return RelativeMahalanobis().fit_scatter(scatter, rest, known.ids)
