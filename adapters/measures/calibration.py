"""Whether probabilities mean what they say: confidence against the share of right answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Calibration:
    """Answers counted by their confidence, in equal intervals between 0 and 1.

    Attributes:
        counts: (bins,) int64 answers in each; a confidence of 1 is in the last one.
        confidence: (bins,) float64 their mean confidence; nan where there are none.
        accuracy: (bins,) float64 share of them that is right; nan where there are none.
    """

    counts: Tensor
    confidence: Tensor
    accuracy: Tensor

    @classmethod
    def of(cls, confidence: Tensor, correct: Tensor, n_bins: int) -> Calibration:
        """Count n answers.

        Args:
            confidence: (n,) probability of each answer.
            correct: (n,) bool.
            n_bins: How many intervals.
        """
        confidence = confidence.double()
        at = (confidence * n_bins).long().clamp(max=n_bins - 1)
        counts = torch.bincount(at, minlength=n_bins)
        sums = [
            torch.bincount(at, values, minlength=n_bins)
            for values in (confidence, correct.double())
        ]
        return cls(counts, sums[0] / counts, sums[1] / counts)

    @property
    def error(self) -> float:
        """Expected calibration error: distance of confidence and accuracy, mean over answers.

        nan without answers.
        """
        distance = (self.confidence - self.accuracy).abs().nan_to_num()
        return float((distance * self.counts).sum() / self.counts.sum())
