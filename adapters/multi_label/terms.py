"""The terms of probabilities: what names and detectors say of images, on one scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.heads.term import zero_shot_logits
from adapters.memory import Storages, storages
from adapters.multi_label.detectors import Detectors
from adapters.multi_label.expected import Expected, expected_at
from adapters.multi_label.images import MultiLabelImages
from adapters.multi_label.softmax import SoftmaxEvidence
from adapters.rest import Rest

#: Images that the detectors are fitted to; of more, each class gives as many as another.
MOST_IMAGES = 2048
# What an image counts as a vote on each class: scores of an image are not independent, and one of a
# single label does not tell how a class looks beside others.
_VOTE, _VOTE_OF_SINGLE = 0.1, 0.05
# Of scores that are all alike.
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """All terms of the images that were fitted to, each left out, and what brings queries there.

    Attributes:
        images: The m images.
        detectors: Fitted to them; None without images.
        softmax: Fitted to those of one label; None where it is not asked.
        reference: Mean zero-shot logit of images that do not show the class.
        centre: Mean score of these.
        unit: Standard deviation of it.
        base: Log-odds of a label.
        voting: (N,) bool: classes that keep an image when one is left out.
        left_out: z, f and, if it is asked, s of the m images, (m, N) each.
        shots: (N,) int64 images of each class, whether among the m or not.
        n_images: Images with a label, likewise.
        n_negatives: Images without one.
    """

    images: MultiLabelImages
    detectors: Detectors | None
    softmax: SoftmaxEvidence | None
    reference: float
    centre: float
    unit: float
    base: float
    voting: Tensor
    left_out: tuple[Tensor, ...]
    shots: Tensor
    n_images: int
    n_negatives: int

    @classmethod
    def of(
        cls,
        classes: ClassSet,
        images: LabelledEmbeddings,
        negatives: ImageEmbeddings | None,
        logit_scale: float,
        keys: Callable[[ImageEmbeddings], Tensor],
        rest: Rest,
        *,
        with_softmax: bool | None = None,
    ) -> Self:
        """Fit detectors, and look at what they and the names say of each image without it.

        Args:
            classes: The N classes.
            images: A row for each label of an image.
            negatives: Images that show none of the classes.
            logit_scale: Of zero-shot logits.
            keys: The embedding by which images are compared.
            rest: Called every few milliseconds.
            with_softmax: Whether a softmax is asked; None: if it is expected to count.
        """
        every = MultiLabelImages.of(classes, images, negatives)
        some = every.at_most(MOST_IMAGES)
        labelled = int(every.targets.any(dim=1).sum())
        rest()
        targets = some.targets
        zero_shot = zero_shot_logits(some.embeddings.frozen, classes, logit_scale)
        detectors, scores = None, torch.zeros_like(zero_shot)
        if len(some):
            detectors = Detectors.fit(keys(some.embeddings), targets, rest)
            scores = detectors.left_out
        shots = targets.sum(dim=0)
        others = ~targets & (shots > 0)
        centre, unit, reference = 0.0, 1.0, 0.0
        if int(others.sum()) > 1:
            centre, reference = float(scores[others].mean()), float(zero_shot[others].mean())
            unit = max(float(scores[others].std()), _LEAST_SPREAD)
        share = float(targets.sum()) / targets.numel() if targets.numel() else 1.0
        if with_softmax is None:
            with_softmax = bool(_expected(some).softmax[0])
        softmax = None
        if with_softmax and len(some):
            softmax = SoftmaxEvidence.fit(classes, some, logit_scale, rest)
        third = () if softmax is None else (softmax.left_out,)
        # As likely as not, at most; and as one label an image, at least.
        share = min(max(share, 1 / max(len(classes), 1)), 0.5)
        return cls(
            images=some,
            detectors=detectors,
            reference=reference,
            centre=centre,
            unit=unit,
            softmax=softmax,
            base=math.log(share / (1 - share)),
            voting=shots > 1,
            left_out=(zero_shot - reference, (scores - centre) / unit, *third),
            shots=every.targets.sum(dim=0),
            n_images=labelled,
            n_negatives=len(every) - labelled,
        )

    @property
    def expected(self) -> Expected:
        """What suits generic images like these."""
        return _expected(self.images)

    @property
    def votes(self) -> Tensor:
        """(m,) what each image counts as a vote on each class."""
        return torch.where(self.images.single, _VOTE_OF_SINGLE, _VOTE)

    def of_queries(
        self, queries: ImageEmbeddings, zero_shot: Tensor, keys: Tensor
    ) -> tuple[Tensor, ...]:
        """(n, N) z, f and, if it is asked, s of n queries.

        Args:
            queries: Both of their embeddings.
            zero_shot: (n, N) zero-shot logits.
            keys: (n, d) embeddings by which images are compared.
        """
        if self.detectors is None:  # nothing tells where a name begins to be right
            several = zero_shot.shape[1] > 1
            centred = zero_shot - zero_shot.mean(dim=1, keepdim=True) if several else zero_shot
            return centred, torch.zeros_like(zero_shot)
        scores = self.detectors.scores(keys)
        third = () if self.softmax is None else (self.softmax.of_queries(queries),)
        return zero_shot - self.reference, (scores - self.centre) / self.unit, *third

    def storages(self) -> Storages:
        """What it holds in memory."""
        of_images = {**self.images.embeddings.storages(), **storages(*self.left_out)}
        of_detectors = {} if self.detectors is None else self.detectors.storages()
        of_softmax = {} if self.softmax is None else self.softmax.storages()
        return {**of_images, **of_detectors, **of_softmax}


def _expected(images: MultiLabelImages) -> Expected:
    """What suits generic images at this number of images a class, and of labels an image."""
    shots = images.targets.sum(dim=0)
    labels = int(shots.sum())
    if not labels:
        return expected_at(1.0)
    alone = int(images.single.sum()) / labels
    return expected_at(float(shots[shots > 0].double().mean()), alone)
