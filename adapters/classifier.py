"""A few-shot classifier: a head with calibrated probabilities, prediction sets and rejection."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import torch
from torch import Tensor

from adapters.answers import Answers, Prepared, Tuned
from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.familiarity import Familiarity, Fitting
from adapters.growing_support import GrowingSupport
from adapters.heads import HEADS, Head, Tuning
from adapters.heads.head import FOLLOWED_FROM
from adapters.negatives import with_negatives
from adapters.out_of_distribution import RelativeMahalanobis, lower_quantile
from adapters.rejection import with_rejection
from adapters.rest import Rest, no_rest
from adapters.tuning.votes import Votes

__all__ = ["Answers", "FewShotClassifier", "Prepared", "Tuned"]


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
    _ood: Familiarity
    _negatives: SupportSet | None

    @property
    def classes(self) -> ClassSet:
        """The classes, in the order of the columns."""
        return self.head_.classes_

    @property
    def support(self) -> SupportSet:
        """The support set; a copy where images have been removed of late."""
        return self.held.compact()

    @property
    def held(self) -> GrowingSupport:
        """The support set as it is held: a value that later changes leave as it is."""
        return self.head_.support_

    @property
    def negatives(self) -> SupportSet | None:
        """The explicit negatives, which are not of the support set; None where there are none."""
        return self._negatives

    @property
    def ood_(self) -> RelativeMahalanobis | None:
        """The out-of-distribution score; None where no class has two images."""
        return self._ood.score

    @property
    def tuning(self) -> Tuning:
        """What leave-one-out has set."""
        return self.head_.tuning_

    @property
    def nbytes(self) -> int:
        """Bytes that it holds; what head, cache and support set share counts once.

        Python's own objects are left out. Costs some ten microseconds.
        """
        of_negatives = {} if self._negatives is None else self._negatives.storages()
        held = {**self.head_.storages(), **self._ood.storages(), **of_negatives}
        return sum(held.values())

    def fit(
        self,
        classes: ClassSet,
        support: SupportSet,
        tuning: Tuning | None = None,
        *,
        negatives: SupportSet | None = None,
    ) -> Self:
        """Store classes and support; tune on the support where no ``tuning`` is given.

        Args:
            classes: The classes.
            support: The support set.
            tuning: What leave-one-out has set.
            negatives: Explicit negatives: images of what is to be answered with no class. Their
                labels are of no class, and their identifiers are no support image's.
        """
        fitting = self._looked_at(classes, support, negatives=negatives)
        tuning = tuning or self._tune(classes, fitting)
        self.head_ = self._new_head(negatives).fit(classes, support, tuning, fitting.images)
        self._ood, self._negatives = fitting.familiarity(), _some(negatives)
        return self

    def prepare(self, change: Change, tuned_on: Fitting | None = None) -> Prepared:
        """Compute what is costly about a change, and change nothing: others may ask meanwhile.

        Where the change brings no tuning, hyperparameters stay, and what is fitted follows by
        what was added and removed. With one, what is fitted is fitted anew.

        Args:
            change: What becomes of the support set.
            tuned_on: What the tuning of the change has found of the support set after it.

        Raises as :meth:`adapters.heads.Head.update`.
        """
        support = self.held.changed(change)
        classes = self.classes if change.classes is None else change.classes
        negatives = self._negatives if change.negatives is None else change.negatives
        if change.tuning is not None:
            compact, fitting = support.compact(), None
            if tuned_on is not None and not (negatives is not None and len(negatives)):
                fitting = tuned_on.known_as(classes, compact)
            if fitting is None:
                fitting = self._looked_at(classes, compact, negatives=negatives)
            return self._fitted(classes, support, change, fitting, negatives)
        head = self._head_with(negatives).prepared(change, support)
        followed: Familiarity | None = self._ood
        if change.of_images:
            followed = None
            if len(support) >= FOLLOWED_FROM:
                followed = self._ood.moved(self.held, change)
        if followed is None:
            compact = support.compact()
            followed = self._looked_at(classes, compact, negatives=negatives).familiarity()
        elif change.negatives is not None:
            followed = followed.with_negatives(change.negatives, support)
        return Prepared(change, head, followed, _some(negatives))

    def retuned(
        self,
        classes: ClassSet,
        support: GrowingSupport,
        rest: Rest = no_rest,
        *,
        negatives: SupportSet | None = None,
        as_queries: Tensor | None = None,
    ) -> Prepared:
        """A full tuning, and all that is fitted fitted anew, for the support set as it is.

        Reads nothing that :meth:`apply` changes: it may run beside changes, and what it returns
        may be applied as long as there was none.

        Args:
            classes: :attr:`classes`, as they were when the support set was this one.
            support: :attr:`held`.
            rest: Called every few milliseconds, so that it can be held back.
            negatives: :attr:`negatives`, as they were then.
            as_queries: Of the support images, if they are averages
                (:class:`adapters.embeddings.ImageEmbeddings`).
        """
        compact = support.compact()
        if support.is_sparse:
            support = GrowingSupport.of(compact)
        embeddings = replace(compact.embeddings, as_queries=as_queries)
        compact = replace(compact, embeddings=embeddings)
        fitting = self._looked_at(classes, compact, rest, negatives=negatives)
        tuning = self._tune(classes, fitting, rest)
        change = Change(classes=classes, tuning=tuning)
        return self._fitted(classes, support, change, fitting, negatives)

    def _fitted(
        self,
        classes: ClassSet,
        support: GrowingSupport,
        change: Change,
        fitting: Fitting,
        negatives: SupportSet | None,
    ) -> Prepared:
        head = self._head_with(negatives).prepared(change, support, fitting.images)
        return Prepared(change, head, fitting.familiarity(), _some(negatives))

    def apply(self, prepared: Prepared) -> None:
        """Take over what was prepared; costs microseconds, and nobody may ask meanwhile."""
        prepared.head.catch_up(prepared.change)
        self.head_, self._ood = prepared.head, prepared.ood
        self._negatives = prepared.negatives

    def update(self, change: Change) -> None:
        """Change what is stored: :meth:`prepare` and :meth:`apply`."""
        self.apply(self.prepare(change))

    def tune(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        *,
        negatives: SupportSet | None = None,
        rest: Rest = no_rest,
    ) -> Tuning:
        """Choose hyperparameters, temperature and thresholds from the support images alone.

        Of a burst only one image takes part
        (:func:`adapters.tuning.bursts.one_of_each_burst`); all of them answer.

        Args:
            classes: The classes.
            images: Those of a support set, or of one to come: identifiers do not matter.
            negatives: Explicit negatives.
            rest: Called every few milliseconds, so that it can be held back.
        """
        return self.tuned(classes, images, negatives=negatives, rest=rest).tuning

    def tuned(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        *,
        negatives: SupportSet | None = None,
        rest: Rest = no_rest,
    ) -> Tuned:
        """:meth:`tune`, with what it has found of the images, for :meth:`prepare`."""
        ids = torch.arange(len(images))
        support = SupportSet(ids, images.labels, images.embeddings)
        fitting = self._looked_at(classes, support, rest, negatives=negatives)
        return Tuned(self._tune(classes, fitting, rest), fitting)

    def _tune(self, classes: ClassSet, fitting: Fitting, rest: Rest = no_rest) -> Tuning:
        head, images = self._new_head(), fitting.distinct
        tuning = head.tune(classes, images, rest=rest)
        columns = classes.columns(images.labels)
        votes = Votes.of(columns, len(classes))
        share = self.false_rejection_rate
        tuning = with_rejection(tuning, fitting, columns, votes.rows, share, rest)
        if self.coverage is None:
            return tuning
        logits = head.left_out(classes, images, tuning, votes.rows, rest=rest)
        probabilities = (logits / tuning.temperature).softmax(dim=1)
        own = probabilities.gather(1, votes.targets.unsqueeze(1)).squeeze(1)
        # With too little evidence every class is in the set.
        conformal = lower_quantile(own, 1 - self.coverage) or 0.0
        return replace(tuning, conformal_threshold=conformal)

    def answer(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Answers:
        """Answer n queries; none depends on the others.

        Args:
            queries: Both embeddings of the queries.
            n_matches: How many of the nearest support images to name; all if None.
        """
        scores = self.head_.score(queries, n_matches)
        probabilities = self.head_.probabilities(scores.logits)
        tuning = self.tuning
        if n_matches != 0 and self._negatives is not None:
            near = with_negatives(scores.matches, queries.corrected, self._negatives)
            scores = replace(scores, matches=near)
        ood_scores = self._ood.scores(queries.corrected, tuning)
        by_name = ~self.head_.present_[probabilities.argmax(dim=1)]
        known, p_values = torch.ones(len(queries), dtype=torch.bool), None
        if ood_scores is not None and tuning.left_out_scores is not None:
            p_values = tuning.left_out_scores.p_values(ood_scores)
            known = (p_values > self.false_rejection_rate) | by_name
            p_values = p_values.masked_fill(by_name, torch.nan)
        elif ood_scores is not None and tuning.rejection_threshold is not None:
            known = (ood_scores >= tuning.rejection_threshold) | by_name
        elif self.false_rejection_rate > 0:
            nearer = self._ood.is_nearer_to_negatives(queries.corrected)
            known = known if nearer is None else ~nearer | by_name
        sets = None
        if tuning.conformal_threshold is not None:
            sets = probabilities >= tuning.conformal_threshold
        return Answers(scores, probabilities, ood_scores, p_values, known, sets)

    def left_out_probabilities(self) -> Tensor:
        """(n, N) probabilities of the support images, each without its own image."""
        logits = self.head_.left_out(self.classes, self.support.labelled, self.tuning)
        return self.head_.probabilities(logits)

    def _new_head(self, negatives: SupportSet | None = None) -> Head:
        return HEADS[self.method](self.logit_scale, self.cache_settings)

    def _head_with(self, negatives: SupportSet | None) -> Head:
        """The head, to be prepared for a change after which these are the negatives."""
        return self.head_

    def _looked_at(
        self,
        classes: ClassSet,
        support: SupportSet,
        rest: Rest = no_rest,
        *,
        negatives: SupportSet | None = None,
    ) -> Fitting:
        """What a tuning and a fit of the same support set share."""
        return Fitting.of(classes, support, rest, negatives=negatives)


def _some(negatives: SupportSet | None) -> SupportSet | None:
    """Negatives, if there are any, as they are kept."""
    if negatives is None or not len(negatives):
        return None
    return replace(negatives, embeddings=replace(negatives.embeddings, as_queries=None))
