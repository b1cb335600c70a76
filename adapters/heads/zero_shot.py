"""Zero-shot classification by class texts (Radford et al., ICML 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.head import Head, Scores
from adapters.heads.term import zero_shot_logits
from adapters.tuning.calibration import settle
from adapters.tuning.tuning import Tuning
from adapters.tuning.votes import Votes


class ZeroShot(Head):
    """``logit_scale · T_q Wᵀ``; support images only calibrate the temperature.

    Nothing is computed when images are added or removed.
    """

    needs_names = True

    def tune(self, classes: ClassSet, support: SupportSet) -> Tuning:
        """Calibrate on the support images, which the class texts have never seen."""
        logits = zero_shot_logits(support.embeddings.frozen, classes, self.logit_scale)
        votes = Votes.of(classes.columns(support.labels), len(classes), singles=True)
        return settle({}, logits[votes.rows], votes)

    def score(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Scores:
        """Score by class texts; O(n · N · d). Names no support images."""
        scores = zero_shot_logits(queries.frozen, self.classes_, self.logit_scale)
        return Scores(scores, torch.zeros_like(scores), Matches.none(len(queries)))

    def left_out(self, classes: ClassSet, support: SupportSet, tuning: Tuning) -> Tensor:
        """(n, N) logits of the support images, of which none is used in the first place."""
        return zero_shot_logits(support.embeddings.frozen, classes, self.logit_scale)

    def _refit(self, change: Change | None) -> None:
        """Nothing is derived from the images."""
