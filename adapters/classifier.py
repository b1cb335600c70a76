"""A few-shot classifier: a head with calibrated probabilities, prediction sets and rejection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.heads import HEADS, Head, Scores, Tuning
from adapters.out_of_distribution import RelativeMahalanobis, lower_quantile, rejection_threshold
from adapters.tuning.near_duplicates import without_near_duplicates
from adapters.tuning.votes import Votes

#: Called where a long computation can rest: between two of its parts, each of some milliseconds.
Rest = Callable[[], None]


def no_rest() -> None:
    """Go on at once."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change, with all that is costly about it computed already: to be applied at once.

    Attributes:
        change: What becomes of the support set.
    """

    change: Change


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of n queries over N classes.

    Attributes:
        scores: The terms of the logits, and the nearest support images.
        probabilities: (n, N), rows sum to one.
        ood_scores: (n,) out-of-distribution scores, lower for what is like no class; None where
            no class has two images.
        known: (n,) bool: whether the query belongs to any of the classes. Always true where
            there is no evidence: without such scores, and for classes without images.
        prediction_sets: (n, N) bool: classes that, together, hold the true one as often as was
            asked; None where no coverage was asked for.
    """

    scores: Scores
    probabilities: Tensor
    ood_scores: Tensor | None
    known: Tensor
    prediction_sets: Tensor | None


class FewShotClassifier:
    """What the service and the evaluation ask, so that both give the same answers.

    The same contract as a head's: ``tune`` changes nothing; not safe for concurrent change.

    Args:
        method: A key of ``adapters.heads.HEADS``.
        logit_scale: The backbone's.
        false_rejection_rate: Share of images of the classes that may be called unknown.
        coverage: How often prediction sets should hold the true class; None: no sets.
        cache: How the head keeps the support images.
    """

    def __init__(
        self,
        method: str = "auto",
        logit_scale: float = 100.0,
        *,
        false_rejection_rate: float = 0.05,
        coverage: float | None = None,
        cache: CacheSettings = DEFAULT_SETTINGS,
    ) -> None:
        self.method = method
        self.logit_scale = logit_scale
        self.false_rejection_rate = false_rejection_rate
        self.coverage = coverage
        self.cache_settings = cache

    head_: Head
    ood_: RelativeMahalanobis | None

    @property
    def classes(self) -> ClassSet:
        """The classes, in the order of the columns."""
        return self.head_.classes_

    @property
    def support(self) -> SupportSet:
        """The support set."""
        return self.head_.support_

    @property
    def tuning(self) -> Tuning:
        """What leave-one-out has set."""
        return self.head_.tuning_

    @property
    def nbytes(self) -> int:
        """Bytes that it holds; what head, cache and support set share counts once.

        Python's own objects are left out. Costs some ten microseconds.
        """
        of_ood = {} if self.ood_ is None else self.ood_.storages()
        return sum({**self.head_.storages(), **of_ood}.values())

    def fit(self, classes: ClassSet, support: SupportSet, tuning: Tuning | None = None) -> Self:
        """Store classes and support; tune on the support where no ``tuning`` is given."""
        images = support.labelled
        distinct = without_near_duplicates(images)
        ood = _fitted_ood(classes, distinct)
        tuning = tuning or self._tune(classes, distinct, ood)
        self.head_ = self._new_head().fit(classes, support, tuning, images)
        self._serve(ood)
        return self

    def prepare(self, change: Change) -> Prepared:
        """Compute what is costly about a change, and change nothing: others may ask meanwhile.

        Where the change brings no tuning, hyperparameters stay, and what is fitted follows by
        what was added and removed. With one, what is fitted is fitted anew.

        Raises as :meth:`adapters.heads.Head.update`.
        """
        return Prepared(change)

    def retuned(self, classes: ClassSet, support: SupportSet, rest: Rest = no_rest) -> Prepared:
        """A full tuning, and all that is fitted fitted anew, for the support set as it is.

        Reads nothing that :meth:`apply` changes: it may run beside changes, and what it returns
        may be applied as long as there was none.

        Args:
            classes: :attr:`classes`, as they were when the support set was this one.
            support: :attr:`support`.
            rest: Called every few milliseconds, so that it can be held back.
        """
        return Prepared(Change(tuning=self.tune(classes, support.labelled)))

    def apply(self, prepared: Prepared) -> None:
        """Take over what was prepared; costs microseconds, and nobody may ask meanwhile."""
        self.update(prepared.change)

    def update(self, change: Change) -> None:
        """Change what is stored, as :meth:`adapters.heads.Head.update` does."""
        images = self.head_.update(change)
        if change.of_images:
            self._serve(_fitted_ood(self.classes, without_near_duplicates(images)))

    def tune(self, classes: ClassSet, images: LabelledEmbeddings) -> Tuning:
        """Choose hyperparameters, temperature and thresholds from the support images alone.

        Of near-duplicates only one takes part
        (:func:`adapters.tuning.near_duplicates.without_near_duplicates`); all of them answer.

        Args:
            classes: The classes.
            images: Those of a support set, or of one to come: identifiers do not matter.
        """
        # Their spans are for this tuning alone, however long the caller keeps the images.
        images = LabelledEmbeddings(images.labels, images.embeddings)
        distinct = without_near_duplicates(images)
        return self._tune(classes, distinct, _fitted_ood(classes, distinct))

    def _tune(
        self, classes: ClassSet, images: LabelledEmbeddings, ood: RelativeMahalanobis | None
    ) -> Tuning:
        head = self._new_head()
        tuning = head.tune(classes, images)
        columns = classes.columns(images.labels)
        votes = Votes.of(columns, len(classes))
        rejection = conformal = None
        if ood is not None:
            scores = ood.left_out()[votes.rows]
            rejection = rejection_threshold(scores, self.false_rejection_rate)
        if self.coverage is not None:
            logits = head.left_out(classes, images, tuning)[votes.rows]
            probabilities = (logits / tuning.temperature).softmax(dim=1)
            own = probabilities.gather(1, votes.targets.unsqueeze(1)).squeeze(1)
            # With too little evidence every class is in the set.
            conformal = lower_quantile(own, 1 - self.coverage) or 0.0
        return replace(tuning, rejection_threshold=rejection, conformal_threshold=conformal)

    def answer(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Answers:
        """Answer n queries; none depends on the others.

        Args:
            queries: Both embeddings of the queries.
            n_matches: How many of the nearest support images to name; all if None.
        """
        scores = self.head_.score(queries, n_matches)
        probabilities = self.head_.probabilities(scores.logits)
        tuning = self.tuning
        ood_scores = None if self.ood_ is None else self.ood_.scores(queries.corrected)
        known = torch.ones(len(queries), dtype=torch.bool)
        if ood_scores is not None and tuning.rejection_threshold is not None:
            known = ood_scores >= tuning.rejection_threshold
            known |= ~self.head_.present_[probabilities.argmax(dim=1)]
        sets = None
        if tuning.conformal_threshold is not None:
            sets = probabilities >= tuning.conformal_threshold
        return Answers(scores, probabilities, ood_scores, known, sets)

    def left_out_probabilities(self) -> Tensor:
        """(n, N) probabilities of the support images, each without its own image."""
        logits = self.head_.left_out(self.classes, self.support.labelled, self.tuning)
        return self.head_.probabilities(logits)

    def _new_head(self) -> Head:
        return HEADS[self.method](self.logit_scale, self.cache_settings)

    def _serve(self, ood: RelativeMahalanobis | None) -> None:
        self.ood_ = None if ood is None else ood.let_go_of_images()


def _fitted_ood(classes: ClassSet, images: LabelledEmbeddings) -> RelativeMahalanobis | None:
    """Fit the out-of-distribution score; None where no class has two images for a covariance.

    Near-duplicates, which would shrink every distance, are left out of ``images`` both where the
    threshold is set and where it is applied.
    """
    known = classes.with_images(images.labels)
    if len(images) == len(known):
        return None
    columns = known.columns(images.labels)
    return RelativeMahalanobis().fit_span(images.span("corrected"), columns, len(known))
