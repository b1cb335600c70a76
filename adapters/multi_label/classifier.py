"""A classifier of images that may show several of its classes, or none."""

from __future__ import annotations

import torch

from adapters.answers import Answers, Several
from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.familiarity import Fitting
from adapters.heads import Head, Tuning
from adapters.multi_label.head import MultiLabelHead
from adapters.negatives import with_negatives
from adapters.rest import Rest, no_rest


class MultiLabelClassifier(FewShotClassifier):
    """What the service asks where ``multi_label`` is set; the contract is that of its base.

    A support set has a row for each label of an image. Every image takes part in tuning, near
    copies too. Explicit negatives are images without a label, and are fitted to. A query is known
    where it is given a label; there are neither p-values nor prediction sets.

    Args:
        logit_scale: The backbone's.
        cache: How the head keeps the support images.
    """

    head_: MultiLabelHead

    def __init__(
        self, logit_scale: float = 100.0, *, cache: CacheSettings = DEFAULT_SETTINGS
    ) -> None:
        super().__init__("auto", logit_scale, false_rejection_rate=0.0, cache=cache)

    def answer(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Answers:
        """Answer n queries; none depends on the others.

        Args:
            queries: Both embeddings of the queries.
            n_matches: How many of the nearest support images to name; all if None.
        """
        scores = self.head_.score(queries, n_matches)
        probabilities = self.head_.probabilities(scores.logits)
        if n_matches != 0 and self._negatives is not None:
            near = with_negatives(scores.matches, queries.corrected, self._negatives)
            scores = type(scores)(scores.zero_shot, scores.cache, near)
        labels = probabilities >= self.head_.thresholds_
        several = Several(labels, self.head_.thresholds_)
        return Answers(scores, probabilities, None, None, labels.any(dim=1), None, several)

    def _tune(self, classes: ClassSet, fitting: Fitting, rest: Rest = no_rest) -> Tuning:
        return self._new_head(fitting.negatives).tune(classes, fitting.images, rest=rest)

    def _new_head(self, negatives: SupportSet | None = None) -> Head:
        return MultiLabelHead(self.logit_scale, self.cache_settings).with_negatives(negatives)

    def _head_with(self, negatives: SupportSet | None) -> Head:
        return self.head_.with_negatives(negatives)

    def _looked_at(
        self,
        classes: ClassSet,
        support: SupportSet,
        rest: Rest = no_rest,
        *,
        negatives: SupportSet | None = None,
    ) -> Fitting:
        rest()
        images, none = support.labelled, torch.empty(0, dtype=torch.int64)
        return Fitting(classes, images, images, none, None, None, negatives)
