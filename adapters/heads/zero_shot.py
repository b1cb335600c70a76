"""Zero-shot classification by class texts (Radford et al., ICML 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.head import Head, Scores
from adapters.tuning.temperature import calibrated_temperature
from adapters.tuning.tuning import Tuning


def zero_shot_logits(queries: Tensor, classes: ClassSet, logit_scale: float) -> Tensor:
    """``logit_scale · T_q Wᵀ``: (n, d) queries against N classes give (n, N).

    Zeros where the class names carry no meaning.
    """
    if classes.texts is None:
        return queries.new_zeros(len(queries), len(classes))
    return logit_scale * queries @ classes.texts.T


class ZeroShot(Head):
    """Logits from the class texts alone; support images only calibrate the temperature."""

    uses_images = False

    def store(self, support: SupportSet) -> None:
        """Nothing is stored of the images."""

    def add(self, support: SupportSet) -> None:
        """Nothing is stored of the images."""

    def remove(self, ids: Tensor) -> None:
        """Nothing is stored of the images."""

    def tune(self, classes: ClassSet, support: SupportSet) -> Tuning:
        """Calibrate on the support images, which the class texts have never seen."""
        if len(support) == 0:
            return Tuning({}, temperature=1.0)
        logits = zero_shot_logits(support.embeddings.frozen, classes, self.logit_scale)
        targets = classes.columns(support.labels)
        return Tuning(
            {},
            temperature=calibrated_temperature(logits, targets),
            votes=len(support),
            accuracy=(logits.argmax(dim=1) == targets).double().mean().item(),
        )

    def score(self, queries: ImageEmbeddings) -> Scores:
        """Score by class texts; O(n · N · d)."""
        scores = zero_shot_logits(queries.frozen, self.classes_, self.logit_scale)
        return Scores(scores, torch.zeros_like(scores), Matches.none(len(queries)))
