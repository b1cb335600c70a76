"""Zero-shot classification by class texts (Radford et al., ICML 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.heads.head import Head, Scores
from adapters.heads.term import zero_shot_logits
from adapters.memory import Storages
from adapters.rest import Rest, no_rest
from adapters.tuning.calibrated_tuning import calibrated
from adapters.tuning.tuning import Parameters, Tuning
from adapters.tuning.votes import Votes


class ZeroShot(Head):
    """``logit_scale · T_q Wᵀ``; support images only calibrate the temperature.

    Nothing is computed when images are added or removed.
    """

    needs_names = True

    def tune(
        self, classes: ClassSet, images: LabelledEmbeddings, *, rest: Rest = no_rest
    ) -> Tuning:
        """Calibrate on the support images, which the class texts have never seen."""
        logits = zero_shot_logits(images.embeddings.frozen, classes, self.logit_scale)
        votes = Votes.of(classes.columns(images.labels), len(classes), singles=True)
        return calibrated(Parameters(), logits[votes.rows], votes, rest=rest)

    def score(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Scores:
        """Score by class texts; O(n · N · d). Names no support images."""
        scores = zero_shot_logits(queries.frozen, self.classes_, self.logit_scale)
        return Scores(scores, torch.zeros_like(scores), Matches.none(len(queries)))

    def left_out(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        tuning: Tuning,
        rows: Tensor | None = None,
        *,
        rest: Rest = no_rest,
    ) -> Tensor:
        """(m, N) logits of support images, of which none is used in the first place."""
        frozen = images.embeddings.frozen
        return zero_shot_logits(frozen if rows is None else frozen[rows], classes, self.logit_scale)

    def _fit(self, images: LabelledEmbeddings) -> None:
        """Nothing is derived from the images."""

    def _follow(self, before: Head, change: Change) -> None:
        """Nothing is derived from the images."""

    def _derived(self) -> Storages:
        return {}
