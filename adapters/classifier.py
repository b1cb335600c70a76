"""A head with what it knows of its own limits: probabilities, prediction sets, the unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Head, Scores, Tuning
from adapters.out_of_distribution import Familiarity, lower_quantile, rejection_threshold
from adapters.span import shared_spans
from adapters.tuning.near_duplicates import without_bursts
from adapters.tuning.votes import Votes


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of n queries over N classes.

    Attributes:
        scores: The terms of the logits, and the nearest support images.
        probabilities: (n, N), rows sum to one.
        familiarity: (n,) likeness to the classes' images; None where no class has two images.
        known: (n,) bool: whether the query belongs to any of the classes. Always true where
            there is no evidence: without familiarity, and for classes without images.
        prediction_sets: (n, N) bool: classes that, together, hold the true one as often as was
            asked; None where no coverage was asked for.
    """

    scores: Scores
    probabilities: Tensor
    familiarity: Tensor | None
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
    """

    def __init__(
        self,
        method: str = "auto",
        logit_scale: float = 100.0,
        *,
        false_rejection_rate: float = 0.05,
        coverage: float | None = None,
    ) -> None:
        self.method = method
        self.logit_scale = logit_scale
        self.false_rejection_rate = false_rejection_rate
        self.coverage = coverage

    head_: Head
    familiarity_: Familiarity | None

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

    @shared_spans()
    def fit(self, classes: ClassSet, support: SupportSet, tuning: Tuning | None = None) -> Self:
        """Store classes and support; tune on the support where no ``tuning`` is given."""
        distinct = without_bursts(support)
        familiarity = _familiarity(classes, distinct)
        tuning = tuning or self._tune(classes, distinct, familiarity)
        self.head_ = self._new_head().fit(classes, support, tuning)
        self._serve(familiarity)
        return self

    @shared_spans()
    def update(self, change: Change) -> None:
        """Change what is stored, as :meth:`adapters.heads.Head.update` does."""
        self.head_.update(change)
        if change.added is not None or change.removed is not None:
            self._serve(_familiarity(self.classes, without_bursts(self.support)))

    @shared_spans()
    def tune(self, classes: ClassSet, support: SupportSet) -> Tuning:
        """Choose hyperparameters, temperature and thresholds from the support images alone.

        Of near copies only one takes part
        (:func:`adapters.tuning.near_duplicates.without_bursts`); all of them answer.
        """
        distinct = without_bursts(support)
        return self._tune(classes, distinct, _familiarity(classes, distinct))

    def _tune(
        self, classes: ClassSet, support: SupportSet, familiarity: Familiarity | None
    ) -> Tuning:
        head = self._new_head()
        tuning = head.tune(classes, support)
        columns = classes.columns(support.labels)
        votes = Votes.of(columns, len(classes))
        rejection = conformal = None
        if familiarity is not None:
            scores = familiarity.left_out()[votes.rows]
            rejection = rejection_threshold(scores, self.false_rejection_rate)
        if self.coverage is not None:
            logits = head.left_out(classes, support, tuning)[votes.rows]
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
        familiarity = None
        known = torch.ones(len(queries), dtype=torch.bool)
        if self.familiarity_ is not None:
            familiarity = self.familiarity_.scores(queries.corrected)
        if familiarity is not None and tuning.rejection_threshold is not None:
            known = familiarity >= tuning.rejection_threshold
            known |= ~self.head_.present_[probabilities.argmax(dim=1)]
        sets = None
        if tuning.conformal_threshold is not None:
            sets = probabilities >= tuning.conformal_threshold
        return Answers(scores, probabilities, familiarity, known, sets)

    def left_out_probabilities(self) -> Tensor:
        """(n, N) probabilities of the support images, each without its own image."""
        logits = self.head_.left_out(self.classes, self.support, self.tuning)
        return self.head_.probabilities(logits)

    def _new_head(self) -> Head:
        return HEADS[self.method](self.logit_scale)

    def _serve(self, familiarity: Familiarity | None) -> None:
        self.familiarity_ = None if familiarity is None else familiarity.let_go_of_images()


def _familiarity(classes: ClassSet, support: SupportSet) -> Familiarity | None:
    """Fit the familiarity; None where no class has two images to learn a covariance from.

    Near copies, which would shrink every distance, are left out of ``support`` both where the
    threshold is set and where it is applied.
    """
    known = classes.with_images(support.labels)
    if len(support) == len(known):
        return None
    columns = known.columns(support.labels)
    return Familiarity().fit(support.embeddings.corrected, columns, len(known))
