"""The out-of-distribution score of a classifier, fitted beside its tuning, and after changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, LabelledEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport, moves
from adapters.memory import Storages, storages
from adapters.negatives import Margin
from adapters.out_of_distribution import RelativeMahalanobis
from adapters.rest import Rest, no_rest
from adapters.running_gaussians import DriftedError
from adapters.tuning.bursts import one_of_each_burst
from adapters.tuning.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The out-of-distribution score, and which images it does not count.

    Attributes:
        score: None where no class has two images for a covariance.
        copies: (c,) identifiers of near-duplicates that were left out, which would shrink every
            distance: where the threshold is set, and where it is applied.
        margin: How much nearer queries are to a class than to an explicit negative; None without
            negatives.
    """

    score: RelativeMahalanobis | None
    copies: Tensor
    margin: Margin | None = None

    def storages(self) -> Storages:
        """What it holds in memory."""
        of_score = {} if self.score is None else self.score.storages()
        of_margin = {} if self.margin is None else self.margin.storages()
        return {**of_score, **of_margin, **storages(self.copies)}

    def scores(self, queries: Tensor, tuning: Tuning) -> Tensor | None:
        """(m,) out-of-distribution scores of (m, d') queries; None where nothing was fitted.

        Negatives that came since the tuning do not count before the next one.
        """
        if self.score is None:
            return None
        scores = self.score.scores(queries)
        if self.margin is None or tuning.negatives_weight is None:
            return scores
        margins = self.margin(queries) - tuning.negatives_centre
        return scores + tuning.negatives_weight * margins

    def is_nearer_to_negatives(self, queries: Tensor) -> Tensor | None:
        """(m,) bool: what there is to go by where no class has two images; None: nothing."""
        if self.score is not None or self.margin is None:
            return None
        return self.margin(queries) < 0

    def with_negatives(self, negatives: SupportSet, support: GrowingSupport) -> Familiarity:
        """The same with other negatives; O(n · d') for n images where there were none before.

        Args:
            negatives: All of them.
            support: The support set.
        """
        if not len(negatives):
            return replace(self, margin=None)
        if self.margin is not None:
            rows = negatives.embeddings.corrected
            return replace(self, margin=replace(self.margin, negatives=rows))
        counted = support.compact().without(self.copies).labelled
        return replace(self, margin=Margin.of(counted, negatives))

    def moved(self, before: GrowingSupport, change: Change) -> Familiarity | None:
        """The same after a change, whose new images all count; None: it is to be fitted anew.

        Args:
            before: The support set before the change.
            change: Of it; the negatives stay as they are.
        """
        if self.score is None:
            return None
        if change.removed is not None and len(self.copies):
            counted = change.removed[~torch.isin(change.removed, self.copies)]
            change = replace(change, removed=counted)
        try:
            score = self.score.moved(moves(before, change, "corrected", self.score.skewed))
        except DriftedError:
            return None
        margin = self.margin
        if margin is not None:
            at = None if change.removed is None else before.find(change.removed)
            gone = None if at is None else before.rows(at).labelled
            come = None if change.added is None else change.added.labelled
            margin = margin.moved(gone, come).only(score.labels)
        return replace(self, score=score, margin=margin)


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a tuning and a fit of the same support set share.

    Attributes:
        classes: The classes.
        images: All images.
        distinct: Those that take part in tuning; ``images`` itself where none is left out.
        copies: (c,) identifiers of the others.
        ood: Fitted on the distinct ones.
        margin: Of the distinct ones to explicit negatives; None without any.
        negatives: These, for a head that is fitted to them too; None: they are none of its matter.
    """

    classes: ClassSet
    images: LabelledEmbeddings
    distinct: LabelledEmbeddings
    copies: Tensor
    ood: RelativeMahalanobis | None
    margin: Margin | None
    negatives: SupportSet | None = None

    @classmethod
    def of(
        cls,
        classes: ClassSet,
        support: SupportSet,
        rest: Rest = no_rest,
        *,
        negatives: SupportSet | None = None,
    ) -> Fitting:
        """Look for bursts, and fit the score to the first image of each and all others."""
        images = support.labelled
        kept = one_of_each_burst(support, rest=rest)
        distinct = images if kept is support else kept.labelled
        copies = support.ids[~torch.isin(support.ids, kept.ids)]
        ood = _fitted_ood(classes, distinct, rest)
        return cls(classes, images, distinct, copies, ood, Margin.of(distinct, negatives))

    def known_as(self, classes: ClassSet, support: SupportSet) -> Fitting | None:
        """The same by other identifiers, where these are the same images of the same classes.

        Costs a comparison of the embeddings; None where they are not, or are told from negatives.

        Args:
            classes: In the order of :attr:`classes`.
            support: In the order of the images, whose identifiers were their places.
        """
        if self.margin is not None or not self._is_of(classes, support):
            return None
        images = self.images.known_as(support.labels)
        distinct, ood = images, self.ood
        if self.distinct is not self.images:
            kept = ~torch.isin(torch.arange(len(images)), self.copies)
            distinct = self.distinct.known_as(support.labels[kept])
        if ood is not None:
            ood = ood.known_as(classes.with_images(distinct.labels).ids)
        return replace(
            self,
            classes=classes,
            images=images,
            distinct=distinct,
            copies=support.ids[self.copies],
            ood=ood,
        )

    def _is_of(self, classes: ClassSet, support: SupportSet) -> bool:
        own, others = self.images.embeddings, support.embeddings
        if len(own) != len(others) or len(self.classes) != len(classes):
            return False
        return (
            own.as_queries is None
            and others.as_queries is None
            and torch.equal(
                self.classes.columns(self.images.labels), classes.columns(support.labels)
            )
            and torch.equal(own.frozen, others.frozen)
            and torch.equal(own.corrected, others.corrected)
        )

    def familiarity(self) -> Familiarity:
        """For queries: without the images that it was fitted on."""
        ood = None if self.ood is None else self.ood.let_go_of_images()
        return Familiarity(ood, self.copies, self.margin)


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
