"""What a softmax says of an image that was fitted to images of one label: evidence among others.

Where support images show one class each, left-out images tell ``auto`` how far names and images are
to be believed, which they cannot tell of images that show several things. Its probability is too
low for what stands beside something clearer, but says much of it all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.auto import Auto
from adapters.memory import Storages, storages
from adapters.multi_label.images import MultiLabelImages
from adapters.rest import Rest, no_rest


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxEvidence:
    """``log p + log N``, p being the probability by ``auto`` among N classes; a value.

    Attributes:
        auto: Fitted to images of one label.
        left_out: (m, N) of the images that were looked at, each without itself.
    """

    auto: Auto
    left_out: Tensor

    @classmethod
    def fit(
        cls,
        classes: ClassSet,
        images: MultiLabelImages,
        logit_scale: float,
        rest: Rest = no_rest,
    ) -> Self:
        """Tune and fit to those of m images that have one label; costs what ``auto`` costs.

        Leave-one-out is that of ``auto``, whose settings and centre stay as they are. Images of
        several labels, or none, are no part of it.

        Args:
            classes: The N classes.
            images: The m images.
            logit_scale: Of zero-shot logits.
            rest: Called every few milliseconds.
        """
        rows = images.single.nonzero().flatten()
        columns = images.targets[rows].long().argmax(dim=1)
        support = SupportSet(rows, classes.ids[columns], images.embeddings[rows])
        labelled = support.labelled
        auto = Auto(logit_scale)
        tuning = auto.tune(classes, labelled, rest=rest)
        auto.fit(classes, support, tuning, labelled)
        rest()
        left_out = auto.left_out(classes, labelled, tuning, rest=rest)
        logits = left_out.new_empty(len(images), left_out.shape[1])
        logits[rows] = left_out
        others = (~images.single).nonzero().flatten()
        if len(others):
            logits[others] = auto.score(images.embeddings[others], 0).logits
        return cls(auto=auto, left_out=_evidence(auto, logits))

    def of_queries(self, queries: ImageEmbeddings) -> Tensor:
        """(n, N) of n queries."""
        return _evidence(self.auto, self.auto.score(queries, 0).logits)

    def storages(self) -> Storages:
        """What it holds in memory."""
        return {**self.auto.storages(), **storages(self.left_out)}


def _evidence(auto: Auto, logits: Tensor) -> Tensor:
    logs = (logits / auto.tuning_.temperature).log_softmax(dim=1)
    return logs + math.log(max(logits.shape[1], 1))
